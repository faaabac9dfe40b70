"""A description and answers to 5W2H questions, from a label, times and captions alone.

Nothing is said that the sources do not say: a question whose answer they do not hold is not asked.

- Sentences by people (`existing`) tell what happened; where there are none, those of captioning models; where neither tells it,
  what is measured (`detector`, else `motion`) is added as what goes on meanwhile.
- Of several sentences the one tells the event whose time fits the anomaly's best; where it covers less than half of it, all that
  lie in it. Where the anomaly's time is unknown, those that use the label's own word; otherwise they only tell what is in the
  video.
- A sentence is kept as it is, whatever it says and in whatever language; only control characters go. Left out are sentences that
  are empty or longer than `LONGEST`, repeated ones, and, where a label says it, those that say themselves what is unusual.
- More than `MOST` sentences are thinned out evenly.
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from hawk_pipelines.errors import HawkError
from hawk_pipelines.language.parsing import parse
from hawk_pipelines.language.questions import Pool, Question, assign
from hawk_pipelines.language.who_where import actor, place
from hawk_pipelines.schema import ANOMALY, QA, Caption, Span

RULES_VERSION = 4
"""Raised whenever the same sources give other words."""

LONGEST = 1000
"""Characters of a caption that is used."""
MOST = 3
"""Sentences of captions in a description."""
MEASURED = ("detector", "motion")
"""Tools whose sentences tell what is in the picture and how it moves, but not what happens; the first that is there is used."""
WHOLE = 0.95
"""Share of a video that counts as all of it."""
SHORT_S = 10.0
"""In a shorter video, times are told in thirds and not in seconds."""
PEOPLE = "existing"
"""The tool of sentences that came with the source."""

NEUTRAL = {
    "what": "What happens in the video?",
    "who": "Who or what is in the video?",
    "moves": "What moves in the video?",
}
"""What is asked about a video without label: the pool takes an anomaly for granted."""
NOTHING = "nothing unusual happens"
NORMAL_ANSWERS = {
    "what": f"{NOTHING.capitalize()}.",
    "who": f"Nobody: {NOTHING}.",
    "where": f"Nowhere: {NOTHING}.",
    "when": f"There is no such time: {NOTHING}.",
    "how": f"{NOTHING.capitalize()}, so there is nothing to tell.",
    "why": f"There is no reason: {NOTHING}.",
    ("what", "class"): f"It is no anomaly: {NOTHING}.",
    ("what", "whether"): f"No, {NOTHING}.",
    ("how much", "share"): f"No part of it: {NOTHING}.",
    ("how much", "duration"): f"No time at all: {NOTHING}.",
    ("how much", "count"): f"Not once: {NOTHING}.",
}
"""What a question about a normal video is answered, by its kind, or its kind and what it asks for."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_FUNCTION_WORDS = _words(
    "a an the this that these those one two three four five six seven eight nine ten several some many few both all another "
    "he she it they his her its their there then when while as after before in on at from with during under near no nobody "
    "something somebody someone people"
)
"""First words of sentences that are no names."""
_LEANING = _words("once he she it they his her its their him them this that these those then later afterwards")
"""First words of sentences that lean on the sentence before."""


class NothingKnown(HawkError):
    """A video of which the sources say nothing."""


class Known(NamedTuple):
    """What the sources say of an item."""

    item_id: str
    label: str | None
    """The class of the anomaly (`ANOMALY` where it is not said), "normal", or None where the source does not say."""
    spans: Sequence[Span]
    """Where the anomaly is, in seconds, in order; empty when unknown or normal."""
    captions: Sequence[Caption]
    """Everything that was said about it, in the order of time."""
    duration_s: float
    """Length in seconds."""


class Told(NamedTuple):
    """What the rules made of the sources."""

    description: str
    qa: list[QA]
    captions: list[Caption]
    """Those that were used."""
    provider: str
    """`rules` where a label is known, `captions` where only sentences are, `motion` where only measured motion is."""


def describe(known: Known, pool: Pool, seed: int, count: int) -> Told:
    """Describe an item and answer up to `count` of those questions of the pool that its sources can answer.

    Args:
        known: what the sources say.
        pool: the questions.
        seed: decides, with the item, which form a sentence has and what is asked.
        count: questions of the item; fewer where there are fewer answers.

    Raises:
        NothingKnown: there is neither a label nor a caption.
    """
    captions = _usable(known.captions, judged=known.label is not None)
    if known.label is None and not captions:
        msg = "Neither a label nor a caption says what happens in it; add a `captions.csv` row or an annotation."
        raise NothingKnown(msg)
    known = known._replace(captions=captions, spans=_inside_video(known.spans, known.duration_s))
    if known.label is None:
        return _untold(known)
    description, answers, used = _normal(known, seed) if known.label == "normal" else _anomaly(known, seed)
    moved = [] if known.label == "normal" else _meanwhile(known, "motion")
    if moved:
        answers["how", "motion"] = _join(moved)
    asked = _each_once(assign(pool, answers.keys(), known.item_id, seed, len(pool.questions)))[:count]
    if any((one.kind, one.asks) == ("how", "motion") for one in asked):
        used += [caption for caption in moved if caption not in used]
    return Told(description, [QA(q=one.text, a=answers[one.kind, one.asks]) for one in asked], used, "rules")


Answers = dict[tuple[str, str], str]
"""What can be answered: (kind, asks) of a question, and the answer."""


def _each_once(questions: Sequence[Question]) -> list[Question]:
    """The first question of each (kind, asks): a second one would be given the same answer again."""
    first: dict[tuple[str, str], Question] = {}
    for one in questions:
        first.setdefault((one.kind, one.asks), one)
    return list(first.values())


def _untold(known: Known) -> Told:
    """Without a label, what the captions say is all that is known; whether it is unusual is not."""
    captions = _thinned(_best(known.captions))
    text = _join(captions)
    if captions[0].tool == "motion":
        return Told(text, [QA(q=NEUTRAL["moves"], a=text)], captions, "motion")
    qa = [QA(q=NEUTRAL["what"], a=text)]
    who = actor(captions[0].text)
    return Told(text, [*qa, QA(q=NEUTRAL["who"], a=f"{who}.")] if who else qa, captions, "captions")


def _normal(known: Known, seed: int) -> tuple[str, Answers, list[Caption]]:
    used = [caption for caption in _best(known.captions) if _stands_alone(caption.text)][-1:]
    forms = [
        "{Nothing}: {inside}",
        "{sentence} {Nothing}.",
        "There is nothing unusual: {inside}",
        "{sentence} There is nothing unusual.",
    ]
    if not used:
        forms = ["{Nothing}.", "There is nothing unusual in the video.", "Nothing unusual is to be seen."]
    description = _fill(_choose(forms, seed, known.item_id), _join(used), Nothing=NOTHING.capitalize())
    asks = [
        ("what", "event"), ("what", "class"), ("what", "whether"), ("who", "actor"), ("where", "place"), ("when", "begin"),
        ("when", "end"), ("when", "span"), ("how", "event"), ("how", "motion"), ("how much", "share"), ("how much", "duration"),
        ("how much", "count"), ("why", "class"),
    ]  # fmt: skip
    return description, {one: NORMAL_ANSWERS.get(one) or NORMAL_ANSWERS[one[0]] for one in asks}, used


def _anomaly(known: Known, seed: int) -> tuple[str, Answers, list[Caption]]:
    kind = _readable(known.label or "")
    labelled = f"labelled as {kind or 'anomalous'}"
    told = [caption for caption in known.captions if caption.tool not in MEASURED]
    people = [caption for caption in told if caption.tool == PEOPLE]
    events = _events(known, people) or _events(known, [caption for caption in told if caption.tool != PEOPLE])
    measured = next((found for tool in MEASURED if (found := _meanwhile(known, tool))), [])
    answers = _answers_of_times(known) | _answers_of_class(kind, seed, known.item_id)
    if events:
        event = _join(events)
        answers |= {("what", "event"): event, ("what", "whether"): f"Yes, {_inside(event)}", ("how", "event"): event}
        who, where = actor(events[0].text), place(events[0].text)
        answers |= {("who", "actor"): f"{who}."} if who else {}
        answers |= {("where", "place"): f"{where}."} if where else {}
        forms = ["{lead}: {inside}", "There is something unusual: {inside}", "Something unusual happens: {inside}"]
        forms += ["{sentence} This is unusual."] * (re.search(r"[.!?]\W+\w", event) is None)
        text, used = event, events
    else:
        event = f"The video is {labelled}."
        answers |= {("what", "event"): event, ("what", "whether"): f"Yes, {_inside(event)}"}
        forms = ["{lead}: {inside}", "{lead}, {labelled}.", "{sentence} {lead}."]
        seen = [] if known.spans else _thinned(_best(told))
        text, used = event, seen
    description = _fill(_choose(forms, seed, known.item_id), text, lead=_lead(known), labelled=labelled)
    if not events and used:
        description += f" In the video, {_inside(_join(used))}"
    elif not events and measured:
        description += f" Meanwhile {_inside(_join(measured))}"
        used = measured
    return description, answers, used


def _answers_of_class(kind: str | None, seed: int, item_id: str) -> Answers:
    if kind is None:
        return {}
    named = _choose([f"It is a case of {kind}.", f"It is labelled as {kind}."], seed, item_id)
    return {("what", "class"): named, ("why", "class"): f"Because it is a case of {kind}."}


def _answers_of_times(known: Known) -> Answers:
    spans, duration_s = known.spans, known.duration_s
    if not spans or duration_s <= 0:
        return {}
    lasts_s = sum(map(_lasts_s, spans))
    whole = lasts_s >= WHOLE * duration_s
    return {
        ("when", "begin"): _moment(spans[0].start_s, duration_s),
        ("when", "end"): _moment(spans[-1].end_s, duration_s),
        ("when", "span"): "During the whole video." if whole else _stretches(spans, duration_s),
        ("how much", "share"): _share(lasts_s / duration_s),
        ("how much", "duration"): f"{_capital(_length(lasts_s))}.",
        ("how much", "count"): f"{_capital(_times(len(spans)))}.",
    }


def _events(known: Known, captions: Sequence[Caption]) -> list[Caption]:
    """The captions that tell the anomaly; none where it is unknown which do."""
    if known.spans:
        fitting = {id(caption) for span in known.spans for caption in _fitting(span, captions)}
        return _thinned([caption for caption in captions if id(caption) in fitting])
    if len(captions) == 1:
        return list(captions)
    word = (_readable(known.label or "") or "").casefold()
    if not word.isalpha():
        return []
    says_it = re.compile(rf"\b{word[:5]}" if len(word) >= 5 else rf"\b{word}\b", re.IGNORECASE)
    return _thinned([caption for caption in captions if says_it.search(caption.text)])


def _fitting(span: Span, captions: Sequence[Caption]) -> list[Caption]:
    """The best by intersection over union, with those of the same time; all that touch it, where that covers less than half.

    A caption touches a span when at least half of it lies in the span, or half of the span in it.
    """
    touching = [caption for caption in captions if _shared_s(span, caption) >= min(_lasts_s(span), _lasts_s(caption)) / 2 > 0]
    if not touching:
        return []
    fits = [_shared_s(span, one) / (_lasts_s(span) + _lasts_s(one) - _shared_s(span, one)) for one in touching]
    best = [one for one, fit in zip(touching, fits, strict=True) if fit == max(fits)]
    return best if _shared_s(span, best[0]) >= _lasts_s(span) / 2 else touching


def _lasts_s(stretch: Span | Caption) -> float:
    return stretch.end_s - stretch.start_s


def _shared_s(span: Span, caption: Caption) -> float:
    return max(0.0, min(span.end_s, caption.end_s) - max(span.start_s, caption.start_s))


def _meanwhile(known: Known, tool: str) -> list[Caption]:
    """What a measuring tool says while the anomaly lasts; nothing where its time is unknown."""
    captions = [caption for caption in known.captions if caption.tool == tool]
    return [caption for span in known.spans for caption in _fitting(span, captions)][:1]


def _best(captions: Sequence[Caption]) -> list[Caption]:
    """Those of people; else those of captioning models; else those of the first measuring tool."""
    choices: list[Callable[[Caption], bool]] = [
        lambda caption: caption.tool == PEOPLE,
        lambda caption: caption.tool not in (*MEASURED, PEOPLE),
        *(lambda caption, tool=tool: caption.tool == tool for tool in MEASURED),
    ]
    return next((found for choice in choices if (found := [caption for caption in captions if choice(caption)])), [])


def _inside_video(spans: Sequence[Span], duration_s: float) -> list[Span]:
    """What of the spans lies in the video; all of them where its length is unknown."""
    if duration_s <= 0:
        return list(spans)
    return [Span(start_s=one.start_s, end_s=min(one.end_s, duration_s)) for one in spans if one.start_s < duration_s]


def _usable(captions: Iterable[Caption], judged: bool) -> list[Caption]:
    usable: dict[str, Caption] = {}
    for caption in captions:
        text = clean(caption.text)
        judges = judged and re.search(r"\bunusual\b", text, re.IGNORECASE)
        if any(character.isalnum() for character in text) and len(text) <= LONGEST and not judges:
            usable.setdefault(f"{caption.tool}: {text.casefold()}", caption.model_copy(update={"text": text}))
    return list(usable.values())


def clean(text: str) -> str:
    """A text without control characters, on one line, without a space in front of its commas and full stops."""
    text = "".join(character if character.isprintable() else " " * character.isspace() for character in text)
    return re.sub(r" (?=[,.;!?](?: |$))", "", " ".join(text.split()))


def _thinned(captions: Sequence[Caption]) -> list[Caption]:
    """At most `MOST`, evenly."""
    if len(captions) <= MOST:
        return list(captions)
    return [captions[round(k * (len(captions) - 1) / (MOST - 1))] for k in range(MOST)]


def _choose(forms: Sequence[str], seed: int, item_id: str) -> str:
    """One form, by chance that the seed and the item decide."""
    digest = hashlib.sha256(f"{seed}/{item_id}/form".encode()).digest()
    return forms[int.from_bytes(digest[:8], "big") % len(forms)]


def _fill(form: str, text: str, **parts: str) -> str:
    """Put sentences into a form: {sentence} as they are, {inside} as they go on after a colon."""
    return form.format(sentence=text, inside=_inside(text) if "{inside}" in form else "", **parts)


def _lead(known: Known) -> str:
    """That something unusual happens, and when, where that reads well."""
    if not known.spans or known.duration_s <= 0:
        return "Something unusual happens"
    if len(known.spans) > 1:
        return f"Something unusual happens {_times(len(known.spans))}"
    (span,) = known.spans
    if _lasts_s(span) >= WHOLE * known.duration_s:
        return "Something unusual happens throughout the video"
    if span.start_s >= 2:
        return f"After {_length(span.start_s)}, something unusual happens"
    return f"Something unusual happens for {_length(_lasts_s(span))}" if _lasts_s(span) >= 1.5 else "Something unusual happens"


def _moment(second: float, duration_s: float) -> str:
    if second <= _edge_s(duration_s):
        return "At the very beginning of the video."
    if second >= duration_s - _edge_s(duration_s):
        return "At the end of the video."
    after = f", after {_length(second)}" if second >= 2 and duration_s >= SHORT_S else ""
    return f"In the {_third(second, duration_s)} of the video{after}."


def _stretches(spans: Sequence[Span], duration_s: float) -> str:
    if len(spans) > MOST:
        return (
            f"In {len(spans)} stretches between {_point(spans[0].start_s, duration_s)} and {_point(spans[-1].end_s, duration_s)}."
        )
    told = []
    for span in spans:
        start, end = _point(span.start_s, duration_s), _point(span.end_s, duration_s)
        told.append(f"from {start} to {end}" if start != end else f"in {start}")
    return f"{_capital(' and '.join(dict.fromkeys(told)))}."


def _point(second: float, duration_s: float) -> str:
    """A time as a noun: the number of a second, or a third where the video is short."""
    if second <= _edge_s(duration_s):
        return "the beginning"
    if second >= duration_s - _edge_s(duration_s):
        return "the end"
    return f"second {round(second)}" if duration_s >= SHORT_S else f"the {_third(second, duration_s)}"


def _edge_s(duration_s: float) -> float:
    return max(0.25, 0.02 * duration_s)


def _third(second: float, duration_s: float) -> str:
    return ("first third", "middle", "last third")[min(2, int(3 * second / duration_s))]


def _share(share: float) -> str:
    if share < 0.05:
        return "Less than a tenth of it."
    tenths = min(10, max(1, round(10 * share)))
    return {1: "About a tenth of it.", 5: "About half of it.", 10: "All of it, or nearly."}.get(
        tenths, f"About {tenths} tenths of it."
    )


def _length(seconds: float) -> str:
    """A length of time in round words."""
    if seconds < 1.5:
        return "about a second"
    if seconds < 90:
        return f"about {round(seconds)} seconds"
    return f"about {round(seconds / 60)} minutes"


def _times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count} times")


def _readable(label: str) -> str | None:
    """A label as it stands in a sentence: separate words in small letters where it is words ("road accidents"), else in quotes.

    None where it says no class.
    """
    label = clean(label)
    if label == ANOMALY or not any(character.isalnum() for character in label):
        return None
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", label.replace("_", " ")).split()
    if all(re.fullmatch(r"[A-Za-z]{2,}", word) or word in ("a", "A") for word in words) and len(label) <= 60:
        return " ".join(word if word.isupper() else word.lower() for word in words)
    shown = label if len(label) <= 60 else f"{label[:60]}…"
    return f'"{shown.replace("_", " ")}"'


def _stands_alone(text: str) -> bool:
    return text.split(maxsplit=1)[0].strip(",.").lower() not in _LEANING


def _join(captions: Sequence[Caption]) -> str:
    return " ".join(_sentence(caption.text) for caption in captions)


def _sentence(text: str) -> str:
    """With a capital, and a full stop unless it ends otherwise."""
    text = _capital(text.strip())
    if re.search(r"[!?][\"'”’)\]]*$|\.[\"'”’)\]]+$", text):
        return text
    return f"{text.rstrip('.,;:… -')}."


def _capital(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}"


def _inside(sentence: str) -> str:
    """A sentence as it goes on after a comma or a colon: in lower case, unless it begins with a name or "I"."""
    first = sentence.split(maxsplit=1)[0].rstrip(",:")
    is_name = len(first) > 1 and first.isupper()
    if not is_name and first.lower() not in _FUNCTION_WORDS:
        is_name = any(token.pos_ == "PROPN" or token.text == "I" for token in parse(sentence)[:1])
    return sentence if is_name else f"{sentence[:1].lower()}{sentence[1:]}"
