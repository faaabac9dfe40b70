"""A description and answers to 5W2H questions, from a label, times and captions alone.

Nothing is said that the sources do not say: a question whose answer they do not hold is not asked. The captions that fit the
anomaly's time best tell what happened; all other captions are left alone.
"""

from collections.abc import Sequence
from typing import NamedTuple

from hawk_pipelines.errors import HawkError
from hawk_pipelines.language.parsing import parse
from hawk_pipelines.schema import ANOMALY, QA, Caption, Span

RULES_VERSION = 3
"""Raised whenever the same sources give other words."""

PLACES = {"at", "in", "on", "near", "by", "behind", "beside", "under", "over", "along", "across", "outside", "inside"}
NORMAL = "Nothing unusual happens"
QUESTIONS = {
    "anything": "Is anything unusual happening in the video?",
    "what": "What unusual event happens in the video?",
    "who": "Who is involved in the unusual event?",
    "where": "Where does the unusual event happen?",
    "when": "When does the unusual event begin?",
    "how": "How does the unusual event take place?",
    "how much": "How much of the video does the unusual event take up?",
    "why": "Why is the event unusual?",
}


class NothingKnown(HawkError):
    """A video of which the sources say nothing."""


class Told(NamedTuple):
    """What the rules made of the sources."""

    description: str
    qa: list[QA]


def describe(label: str | None, spans: Sequence[Span], captions: list[Caption], duration_s: float) -> Told:
    """Describe a video and answer the questions that its sources can answer.

    Args:
        label: the class of the anomaly (`ANOMALY` where it is not said), "normal", or None where the source does not say.
        spans: where the anomaly is, in seconds; empty when unknown or normal.
        captions: everything that was said about the video.
        duration_s: length of the video in seconds.

    Raises:
        NothingKnown: there is neither a label nor a caption.
    """
    captions = [caption for caption in captions if caption.text.strip()]
    if label is None and not captions:
        msg = "Neither a label nor a caption says what happens in it; add a `captions.csv` row or an annotation."
        raise NothingKnown(msg)
    if label is None:
        return _tell(captions)
    if label == "normal":
        return _normal(captions)
    return _anomaly(label, spans, captions, duration_s)


def _tell(captions: list[Caption]) -> Told:
    """Without a label, what the captions say is all that is known."""
    text, who = _join(captions), _subject(captions[0].text)
    qa = [QA(q="What happens in the video?", a=text)]
    return Told(text, [*qa, QA(q="Who is in the video?", a=who)] if who else qa)


def _normal(captions: list[Caption]) -> Told:
    description = f"{NORMAL}: {_inside(_join(captions[-1:]))}" if captions else f"{NORMAL}."
    answers = dict.fromkeys(QUESTIONS, f"{NORMAL}.")
    answers["anything"] = f"No, {_inside(NORMAL)}."
    return Told(description, [QA(q=QUESTIONS[kind], a=answer) for kind, answer in answers.items()])


def _anomaly(label: str, spans: Sequence[Span], captions: list[Caption], duration_s: float) -> Told:
    events = _about(spans, captions)
    kind = None if label == ANOMALY else label
    if not events:
        event = f"The video is labelled as {kind or 'anomalous'}."
        answers: dict[str, str | None] = {"anything": f"Yes, {_inside(event)}", "what": event}
    else:
        event = _join(events)
        answers = {
            "anything": f"Yes, {_inside(event)}",
            "what": event,
            "who": _subject(events[0].text),
            "where": _place(events[0].text),
            "how": event,
        }
    answers["when"] = _begin(spans, duration_s)
    answers["how much"] = _share(spans, duration_s)
    answers["why"] = f"It is an event of the kind {kind}." if kind else None
    return Told(f"Something unusual happens: {_inside(event)}", _ask(answers))


def _ask(answers: dict[str, str | None]) -> list[QA]:
    """The questions that have an answer."""
    return [QA(q=QUESTIONS[kind], a=answer) for kind, answer in answers.items() if answer]


def _about(spans: Sequence[Span], captions: list[Caption]) -> list[Caption]:
    """The captions whose time fits the anomaly best; all of them when its time is unknown."""
    if not spans or not captions:
        return captions
    fits = [max(_overlap(span, caption) for span in spans) for caption in captions]
    best = max(fits)
    return [caption for caption, fit in zip(captions, fits, strict=True) if fit == best > 0]


def _overlap(span: Span, caption: Caption) -> float:
    """Intersection over union of two stretches of time."""
    inside = min(span.end_s, caption.end_s) - max(span.start_s, caption.start_s)
    union = max(span.end_s, caption.end_s) - min(span.start_s, caption.start_s)
    return max(0.0, inside) / union if union > 0 else 0.0


def _subject(sentence: str) -> str | None:
    for token in parse(sentence):
        if token.dep_ in ("nsubj", "nsubjpass") and token.head.dep_ == "ROOT":
            return _sentence("".join(word.text_with_ws for word in token.subtree))
    return None


def _place(sentence: str) -> str | None:
    """The first prepositional phrase of place that belongs to the main verb, or to the last word before it."""
    doc = parse(sentence)
    inside_subject = {word.i for token in doc if token.dep_ in ("nsubj", "nsubjpass") for word in token.subtree}
    for token in doc:
        if token.pos_ == "ADP" and token.lower_ in PLACES and token.i not in inside_subject:
            return _sentence("".join(word.text_with_ws for word in token.subtree))
    return None


def _begin(spans: Sequence[Span], duration_s: float) -> str | None:
    if not spans or duration_s <= 0:
        return None
    third = min(2, int(3 * spans[0].start_s / duration_s))
    return ("In the first third of the video.", "In the middle of the video.", "In the last third of the video.")[third]


def _share(spans: Sequence[Span], duration_s: float) -> str | None:
    if not spans or duration_s <= 0:
        return None
    share = sum(span.end_s - span.start_s for span in spans) / duration_s
    tenths = min(10, max(1, round(10 * share)))
    return {1: "About a tenth of it.", 10: "All of it."}.get(tenths, f"About {tenths} tenths of it.")


def _join(captions: list[Caption]) -> str:
    return " ".join(_sentence(caption.text) for caption in captions)


def _sentence(text: str) -> str:
    text = text.strip().rstrip(".,;: ")
    return f"{text[:1].upper()}{text[1:]}."


def _inside(sentence: str) -> str:
    """A sentence as it goes on after a comma or a colon: in lower case, unless it begins with a name or "I"."""
    keeps = any(token.pos_ == "PROPN" or token.text == "I" for token in parse(sentence)[:1])
    return sentence if keeps else f"{sentence[:1].lower()}{sentence[1:]}"
