"""Short questions that only make sense after an earlier one: "And where?", "What does that person do?", "Are you sure?".

A conversation that a model is trained on, or is tested with, has them beside full questions. A short form stands for a full
question with the same answer, so it needs no annotation of its own.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from hawk_pipelines.curation.answers import QuestionKind, kind_of
from hawk_pipelines.schema import Sample

CHECKS = ("Are you sure?", "Are you certain?", "Really?", "Is that right?", "Are you sure about that?")
"""Ask to look again at what was answered last."""
CONFIRMATION = "Yes, I am sure."
"""Stands before the answer, where the last one was right …"""
CORRECTION = "No, I was wrong."
"""… and where it was wrong."""


class _ShortForm(NamedTuple):
    kind: QuestionKind
    """Of the full question."""
    words: re.Pattern[str]
    """The full question has one of them, so that nothing else can be meant."""
    wordings: tuple[str, ...]
    after: tuple[QuestionKind, ...] = ()
    """Kinds of the question before, where the short form refers to its answer; empty: any."""


def _words(pattern: str) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{pattern})\b", re.IGNORECASE)


_EVENT = "unusual|anomaly|incident|event|disturbance|abnormal|wrong|ordinary|expect|extraordinary|normal|alarm|report|recording"
_OPEN = _words(
    "notices|close by|prevented|harmed|who starts|responds?|consequences|led up|objects|bystanders|once|danger|dangerous|people|"
    "react|avoided|come to an end|certain|damage|force|possible|nobody|get out of hand|misunderstanding|prone|play a part"
)
"""Full questions about other things than the event itself keep their words: no short form says what they ask."""

_SHORT_FORMS = (
    _ShortForm("who", _words(_EVENT), ("Who is that?", "And who is it?", "Who does that?", "And who?", "Who exactly?")),
    _ShortForm("where", _words(_EVENT), ("And where?", "Where is that?", "Where does that happen?", "Where exactly?")),
    _ShortForm(
        "when", _words("from start to end|from when to when|start and stop"), ("From when to when?", "And from when to when?")
    ),
    _ShortForm(
        "when",
        _words("begins?|starts?|first sign|stop being|have to go off|from what moment"),
        ("When does it begin?", "And since when?", "When does that start?"),
    ),
    _ShortForm("when", _words("ends?|stops?|over|until"), ("When is it over?", "Until when?", "And when does it end?")),
    _ShortForm("how much", _words("how long|how much time|seconds or minutes"), ("For how long?", "How long does it last?")),
    _ShortForm("how much", _words("how often|how many times|separate times"), ("How often?", "And how many times?")),
    _ShortForm(
        "how much",
        _words("how (?:much|large a part|big a share) of the (?:video|recording|footage)"),
        ("How much of the video is that?", "And how much of it?"),
    ),
    _ShortForm("why", _words(_EVENT + "|attention|look into|stand out"), ("And why?", "Why is that?", "Why do you say that?")),
    _ShortForm("how", _words("moves?|movement"), ("And how does it move?", "How do things move meanwhile?")),
    _ShortForm("how", _words(_EVENT + "|witness"), ("How does that happen?", "And how?", "How does that look?")),
    _ShortForm("what", _words("kind|category|class|call|type"), ("What would you call that?", "And what kind of event is that?")),
    _ShortForm(
        "what",
        _words("happens?|takes place|stands? out|report"),
        ("What does that person do?", "What do they do?", "And what happens to them?", "What are they doing?"),
        after=("who",),
    ),
    _ShortForm("what", _words("happens?|takes place|stands? out|report"), ("And what happens?", "What happens there?")),
)
"""The first that fits is taken; one with `after` comes beside the next that fits."""

_DESCRIPTION = ("And as a whole?", "Say all of it in a sentence.", "Put that together.", "Tell me the whole of it.")


def short_forms(sample: Sample, previous: Sample | None) -> tuple[str, ...]:
    """Wordings in which a question can be asked in short, after another one about the same video.

    Args:
        sample: the full question and its answer.
        previous: what was asked before; None where nothing was, so that nothing can be short.

    Returns:
        Questions with the same answer; empty where none says clearly what is asked.
    """
    if previous is None:
        return ()
    if sample.task == "description":
        return _DESCRIPTION
    question, kind = sample.question, kind_of(sample.question)
    before = kind_of(previous.question) if previous.task == "question" else None
    if _OPEN.search(question) or is_yes_or_no(sample.answer):  # "And what happens?" is no question that "yes" answers
        return ()
    fitting = [form for form in _SHORT_FORMS if form.kind == kind and form.words.search(question)]
    referring = [form.wordings for form in fitting if before in form.after]
    plain = [form.wordings for form in fitting if not form.after][:1]
    return tuple(wording for wordings in (referring or plain) for wording in wordings)


def can_be_checked(sample: Sample) -> bool:
    """Whether "are you sure?" after an answer can be answered by saying it again: "yes" after "no" reads as a riddle."""
    return not is_yes_or_no(sample.answer)


def is_yes_or_no(answer: str) -> bool:
    """Whether an answer begins with a yes or a no."""
    return re.match(r"\W*(?:yes|no)\b(?! part| time| reason)", answer, re.IGNORECASE) is not None


def checked_answer(answer: str, is_right: bool) -> str:
    """What "are you sure?" is answered.

    Args:
        answer: the true one.
        is_right: whether it was given before.
    """
    return f"{CONFIRMATION if is_right else CORRECTION} {answer}"


def without_reply(answer: str) -> str:
    """What is said after "Yes, I am sure." and the like."""
    for reply in (CONFIRMATION, CORRECTION):
        answer = answer.removeprefix(reply)
    return answer.strip()


def wordings() -> Sequence[str]:
    """Every short form and reply, for a vocabulary."""
    forms = [wording for form in _SHORT_FORMS for wording in form.wordings]
    return (*forms, *_DESCRIPTION, *CHECKS, CONFIRMATION, CORRECTION)
