"""Which drafts may be trained on. Every draft is accepted, needs review or is rejected, and every finding has its reason.

A finding in an answer costs that answer, one in the description (or in the item) costs the item. A person's decision takes back
what the checks found; only what is not there cannot be accepted: a draft without a video, or an empty text.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from hawk_pipelines.curation.answers import misses
from hawk_pipelines.curation.claims import Evidence, evidence, unsupported, warm_up
from hawk_pipelines.curation.wording import (
    LONGEST,
    LONGEST_QUESTION,
    SHORTEST,
    contradiction,
    copied,
    foreign_language,
    instruction,
    second_hand,
    supposed,
    time_outside,
    unprintable,
)
from hawk_pipelines.engine.progress import progress
from hawk_pipelines.language.refusals import is_refusal
from hawk_pipelines.schema import DESCRIBE, QA, Caption, Draft, Finding, JudgedDraft, Verdict, Video

CHECKS: Mapping[str, str] = {
    "video": "its video is there",
    "single": "it is the only draft of its item",
    "empty": "it says something",
    "length": f"it has at most {LONGEST:,} characters, and a description at least {SHORTEST} words",
    "unprintable": "it is plain writing: no markup, no control characters",
    "refusal": "it is no refusal of a language model",
    "instruction": "it does not speak to a language model",
    "told instructions": "nothing that a language model was told gives it instructions",
    "label": "a language model says that something unusual happens, or nothing, where the label says so",
    "second hand": "it speaks of the video, not of a description of it",
    "supposed": "it tells what happens, not what might",
    "language": "it is English",
    "time": "the times and frames that it tells are inside the video",
    "copy": "it is no copy of what its writer was told",
    "question": "it is about its question",
    "repeated": "its question is not asked twice",
    "measured": "more is known than what a measurement of motion says",
    "claims": "the objects and actions that it names are in its captions or its label",
}
"""What is checked, and what is right."""
AMISS: Mapping[str, str] = {
    "video": "have no video",
    "single": "are not the only draft of their item",
    "empty": "say nothing somewhere",
    "length": f"have a text of more than {LONGEST:,} characters, or a description of fewer than {SHORTEST} words",
    "unprintable": "hold markup or control characters",
    "refusal": "hold a refusal of a language model",
    "instruction": "speak to a language model",
    "told instructions": "were written from something that gives a language model instructions",
    "label": "do not say of their video what its label says",
    "second hand": "speak of a description instead of the video",
    "supposed": "tell what might happen",
    "language": "are not in English",
    "time": "tell a time or a frame outside their video",
    "copy": "copy what their writer was told",
    "question": "have an answer that is not about its question",
    "repeated": "ask a question twice",
    "measured": "say no more than a measurement of motion",
    "claims": "name objects or actions that are in no caption and no label of theirs",
}
"""What drafts do that a check finds: `6 of 6 drafts …`."""
FINAL = {"video", "single", "empty"}
"""Findings that no decision takes back."""
UNUSABLE = {"empty", "refusal"}
"""Findings about a text that nobody can accept as it is; an edit takes its place."""
BY_LANGUAGE_MODEL = "openai"
"""The provider that can be talked into something by what it reads."""
MEASURED = {"motion", "detector"}
"""Captioners that say what is in the picture and how it moves, and nothing of what happens."""
_WITH_SOURCES = {"rules", "captions", "motion"}
"""Providers whose texts hold the captions word by word, as they should."""


class Known(NamedTuple):
    """What a draft is held against."""

    length: tuple[float, int] | None
    """Seconds and frames of its video; None where that is not known, as when a file is validated by itself."""
    evidence: Evidence | None
    """None where there is nothing to hold it against."""
    told: Sequence[str]
    """What its writer was told, besides the questions."""
    label: str | None = None
    """Of its video."""
    only_measured: bool = False
    """Whether a measurement of motion is all that its writer was told."""


def judge(
    drafts: Sequence[Draft], videos: Sequence[Video], captions: Sequence[Caption], claims_of_published: bool = True
) -> list[JudgedDraft]:
    """Check every draft.

    Args:
        drafts: at most one per item; a later one of the same item is rejected.
        videos: the usable videos.
        captions: what was said of them.
        claims_of_published: hold published texts, too, against what people and models said of their video, where they said
            anything. They were written from other captions, by people and models who knew more or less than these say.
    """
    by_id = {video.id: video for video in videos}
    said: dict[str, list[Caption]] = defaultdict(list)
    for caption in captions:
        said[caption.video_id].append(caption)
    warm_up([*(text for draft in drafts for text in _texts(draft)), *(caption.text for caption in captions)])
    seen: set[str] = set()
    judged = []
    for draft in progress(drafts, "validate"):
        video = by_id.get(draft.video_id)
        findings = list(_of_item(draft, video, draft.item_id in seen))
        if not findings:
            length = (video.duration_s, video.frames) if video else None
            told = [caption.text for caption in said[draft.video_id]]
            if draft.provider == "published":  # its writer was told other things
                seen_by_others = [caption.text for caption in said[draft.video_id] if caption.tool not in MEASURED]
                held = evidence([*seen_by_others, _label(video)]) if claims_of_published and seen_by_others else None
                known = Known(length, held, [])
            else:
                only_measured = not _label(video) and all(one.tool in MEASURED for one in said[draft.video_id])
                label = video.label if video else None
                known = Known(length, evidence([*told, _label(video)]), told, label, only_measured)
            findings = findings_of(draft, known)
        seen.add(draft.item_id)
        judged.append(
            JudgedDraft(
                **draft.model_dump(),
                video=video.name if video else draft.item_id,
                split=video.split if video else None,
                verdict=verdict(findings),
                findings=findings,
            )
        )
    return judged


def _label(video: Video | None) -> str:
    return (video and video.label) or ""


def verdict(findings: Sequence[Finding]) -> Verdict:
    """What the findings make of an item."""
    of_item = {finding.verdict for finding in findings if finding.place == "description"}
    return "rejected" if "rejected" in of_item else "needs_review" if of_item else "accepted"


def findings_of(draft: Draft, known: Known) -> list[Finding]:
    """What the checks have against the texts of a draft."""
    asked_of_writer = [DESCRIBE, *(pair.q for pair in draft.QA), *known.told]
    findings = list(_of_text("description", draft.description, known, asked_of_writer, draft))
    if draft.provider == BY_LANGUAGE_MODEL:
        findings += _of_language_model(draft, known)
    if draft.provider == "motion" or (draft.provider == BY_LANGUAGE_MODEL and known.only_measured):
        reason = "Nothing but measured motion is known of it; say what is to be seen, or that it is unusual."
        findings.append(Finding(check="measured", place="description", verdict="needs_review", reason=reason))
    asked: set[str] = set()
    for number, pair in enumerate(draft.QA):
        findings += _of_pair(f"QA[{number}]", pair, known, pair.q.strip().lower() in asked, draft)
        asked.add(pair.q.strip().lower())
    return findings


def _of_language_model(draft: Draft, known: Known) -> Iterator[Finding]:
    """What a writer that can be talked into something has against it, text by text."""
    told = next(filter(None, map(instruction, [*known.told, known.label or ""])), None)
    for place, text in [("description", draft.description), *((f"QA[{n}]", pair.a) for n, pair in enumerate(draft.QA))]:
        if told:
            reason = f"What it was written from speaks to a language model ({told!r}); see whether it was obeyed."
            yield _doubtful("told instructions", reason, place)
        if found := contradiction(text, known.label):
            said = f"labelled {known.label!r}" if known.label else "not labelled"
            yield _doubtful("label", f"It says {found!r}, but its video is {said}; look at the video.", place)


def _of_item(draft: Draft, video: Video | None, doubled: bool) -> Iterator[Finding]:
    if video is None:
        yield _rejected("video", f"The draft of item {draft.item_id} has no usable video; add the video or remove the draft.")
    elif not Path(video.path).exists():
        yield _rejected("video", f"The video {video.path} is no longer there; put it back or run `ingest` again.")
    elif doubled:
        yield _rejected("single", f"{video.name} has more than one draft and the first is used; remove the others.")


def _of_pair(place: str, pair: QA, known: Known, repeated: bool, draft: Draft) -> Iterator[Finding]:
    if not pair.q.strip():
        yield _rejected("empty", "The question is empty; write one or remove the pair.", place)
    elif repeated:
        yield _rejected("repeated", f"The question {_short(pair.q)} is asked a second time; remove one.", place)
    elif len(pair.q) > LONGEST_QUESTION:
        yield _doubtful(
            "length", f"The question has {len(pair.q):,} characters, more than {LONGEST_QUESTION}; shorten it.", place
        )
    elif found := unprintable(pair.q):
        yield _doubtful("unprintable", f"The question holds {found}; write it anew.", place)
    elif found := instruction(pair.q):
        yield _doubtful("instruction", f"The question speaks to a language model ({found!r}); write it anew.", place)
    elif is_refusal(pair.q):
        yield _rejected("refusal", f"The question is a language model's refusal ({_short(pair.q)}); write it anew.", place)
    elif found := foreign_language(pair.q):
        yield _doubtful("language", f"The question is in {found}, not in English; translate it.", place)
    else:
        faults = list(_of_text(place, pair.a, known, [pair.q, *known.told], draft))
        yield from faults
        if not faults and (reason := misses(pair.q, pair.a)):
            yield _doubtful("question", f"The answer {_short(pair.a)} {reason} ({_short(pair.q)}); answer it anew.", place)


def _of_text(place: str, text: str, known: Known, told: Sequence[str], draft: Draft) -> Iterator[Finding]:
    """What one text has against it. The first fault that makes it useless is enough."""
    what = "description" if place == "description" else "answer"
    if not text.strip():
        yield _rejected("empty", f"The {what} is empty; write one.", place)
        return
    if is_refusal(text):
        reason = f"The {what} is a language model's refusal ({_short(text)}); write it anew."
        yield _rejected("refusal", reason, place)
        return
    if draft.provider not in _WITH_SOURCES and (run := copied(text, told)):
        reason = f"The {what} is a copy of what its writer was told ({_short(run)}); write it anew."
        yield _rejected("copy", reason, place)
        return
    if len(text) > LONGEST:
        yield _doubtful("length", f"The {what} has {len(text):,} characters, more than {LONGEST:,}; shorten it.", place)
        return
    if place == "description" and sum(any(map(str.isalpha, word)) for word in text.split()) < SHORTEST:
        yield _doubtful("length", f"The description {_short(text)} has fewer than {SHORTEST} words; write a sentence.", place)
    if found := unprintable(text):
        yield _doubtful("unprintable", f"The {what} holds {found}; accept it as it is, or edit it.", place)
    if found := instruction(text):
        yield _doubtful("instruction", f"The {what} speaks to a language model ({found!r}); edit or reject it.", place)
    if found := second_hand(text):
        reason = f"The {what} speaks of what it was written from ({_short(found)}), not of the video; write it anew."
        yield _doubtful("second hand", reason, place)
    if place == "description" and (found := supposed(text)):
        yield _doubtful("supposed", f"The {what} only supposes ({found!r}); say what is to be seen.", place)
    if found := foreign_language(text):
        yield _doubtful("language", f"The {what} is in {found}, not in English; translate or reject it.", place)
        return
    if known.length and (found := time_outside(text, *known.length)):
        reason = f"The {what} speaks of {found!r}, but the video has {known.length[0]:.1f} s ({known.length[1]} frames)"
        yield _doubtful("time", f"{reason}; correct the time.", place)
    if known.evidence and (words := unsupported(text, known.evidence)):
        named = ", ".join(words[:8]) + (" …" if len(words) > 8 else "")
        yield _doubtful("claims", f"The {what} names what no caption or label supports: {named}; look at the video.", place)


def _texts(draft: Draft) -> list[str]:
    return [draft.description, *(text for pair in draft.QA for text in (pair.q, pair.a))]


def _rejected(check: str, reason: str, place: str = "description") -> Finding:
    return Finding(check=check, place=place, verdict="rejected", reason=reason)


def _doubtful(check: str, reason: str, place: str) -> Finding:
    return Finding(check=check, place=place, verdict="needs_review", reason=reason)


def _short(text: str) -> str:
    return f"{text[:60]!r}…" if len(text) > 60 else repr(text)
