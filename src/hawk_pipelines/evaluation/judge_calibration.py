"""How far a judge can be trusted: does it agree with itself, and does it mind how an answer is put?

A part of what it judges it is asked again: in the same words several times, and in other styles that keep every fact. A judge
whose scores move with the style measures the style. What a score changes by when nothing has changed at all (`Agreement`) is what
its changes with the style (`StyleChange`) are to be held against. With `temperature: 0` or a `seed` a judge may repeat itself
exactly, and then its agreement says nothing of how sure it is.
"""

import itertools
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Literal, NamedTuple, get_args

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from hawk_pipelines.evaluation.judge_request import Dimension, Question, Verdict
from hawk_pipelines.evaluation.statistics import Figure, figure, mean
from hawk_pipelines.schema import Prediction

Style = Literal["lead_in", "wordy", "bullets", "contractions", "lower_case"]
STYLES: tuple[Style, ...] = get_args(Style)
NEAR = 0.1
"""Two scores that differ by so much at most agree."""


class CalibrationParameters(BaseModel):
    """How much is asked again."""

    model_config = ConfigDict(extra="forbid")

    items: int = Field(default=30, ge=1)
    """Answers, drawn from those that are judged."""
    repeats: int = Field(default=3, ge=1, le=20)
    """How often the judge is asked the same, with the first time; 1: agreement is not looked at."""
    styles: list[Style] = list(STYLES)
    """Other ways to put an answer: after "In the video", between empty phrases, as a list, with short or long forms ("isn't"), in
    small letters."""


class Agreement(NamedTuple):
    """How far the judge agrees with itself in a dimension: of every two replies to the same."""

    dimension: Dimension
    difference: Figure
    """Absolute, mean."""
    near: float
    """Share that differs by 0.1 at most; nan where there is none."""
    correlation: float
    """Pearson's; nan where it cannot be told because all are alike."""
    pairs: int
    missing: int
    """Pairs of which one has no score."""


class StyleChange(NamedTuple):
    """What a style that keeps the facts does to the scores of a dimension."""

    style: Style
    dimension: Dimension
    change: Figure
    """Score in this style − score as it was given, mean."""
    size: Figure
    """The same without its sign."""
    unchanged: int
    """Answers that read the same in this style, about which nothing was asked."""
    missing: int
    """Pairs of which one has no score."""


class Calibration(NamedTuple):
    """Of a judge."""

    answers: int
    repeats: int
    agreement: list[Agreement]
    styles: list[StyleChange]


def questions(
    predictions: Sequence[Prediction], dimensions: Sequence[Dimension], parameters: CalibrationParameters
) -> list[Question]:
    """What is asked beyond the scores themselves."""
    asked = []
    for prediction, dimension in itertools.product(predictions, dimensions):
        asked += [Question(prediction, dimension, prediction.answer, repeat) for repeat in range(1, parameters.repeats)]
        restyled = dict.fromkeys(restyle(prediction.answer, style) for style in parameters.styles)  # two may come to the same
        asked += [Question(prediction, dimension, text) for text in restyled if text != prediction.answer]
    return asked


def calibrate(
    predictions: Sequence[Prediction],
    dimensions: Sequence[Dimension],
    parameters: CalibrationParameters,
    verdicts: Mapping[Question, Verdict],
) -> Calibration:
    """What the judge's replies say of the judge.

    Args:
        predictions: that were asked about again.
        dimensions: in which.
        parameters: how.
        verdicts: on all of it, and on the answers as they were given.
    """
    agreement = []
    if parameters.repeats > 1:
        agreement = [_agreement(predictions, dimension, parameters.repeats, verdicts) for dimension in dimensions]
    styles = [_style_change(predictions, style, dimension, verdicts) for style in parameters.styles for dimension in dimensions]
    return Calibration(len(predictions), parameters.repeats, agreement, styles)


def _agreement(
    predictions: Sequence[Prediction], dimension: Dimension, repeats: int, verdicts: Mapping[Question, Verdict]
) -> Agreement:
    """An answer's pairs of replies are one item: they are not independent of each other."""
    pairs, statistics, videos, missing = [], [], [], 0
    for one in predictions:
        replies = [verdicts[Question(one, dimension, one.answer, repeat)].score for repeat in range(repeats)]
        both = [
            (first, second) for first, second in itertools.combinations(replies, 2) if first is not None and second is not None
        ]
        missing += math.comb(repeats, 2) - len(both)
        pairs += both
        if both:
            statistics.append((sum(abs(first - second) for first, second in both), len(both)))
            videos.append(one.video)
    scores = np.array(pairs, dtype=float).reshape(-1, 2)
    near = float(np.mean(np.abs(scores[:, 0] - scores[:, 1]) <= NEAR + 1e-9)) if pairs else math.nan
    difference = figure(statistics, videos, mean)
    return Agreement(dimension, difference, near, _correlation(scores), len(pairs), missing)


def _correlation(scores: np.ndarray) -> float:
    """Of both orders of each pair, as neither is the first."""
    both = np.concatenate([scores, scores[:, ::-1]])
    if len(scores) < 2 or np.ptp(both) == 0:
        return math.nan
    return float(np.corrcoef(both.T)[0, 1])


def _style_change(
    predictions: Sequence[Prediction], style: Style, dimension: Dimension, verdicts: Mapping[Question, Verdict]
) -> StyleChange:
    changes, videos, unchanged, missing = [], [], 0, 0
    for one in predictions:
        text = restyle(one.answer, style)
        if text == one.answer:
            unchanged += 1
            continue
        before, after = (verdicts[Question(one, dimension, said)].score for said in (one.answer, text))
        if before is None or after is None:
            missing += 1
            continue
        changes.append(after - before)
        videos.append(one.video)
    change, size = (figure([(sign(value), 1) for value in changes], videos, mean) for sign in (float, abs))
    return StyleChange(style, dimension, change, size, unchanged, missing)


# --- styles --------------------------------------------------------------------------------------------------------------


def restyle(answer: str, style: Style) -> str:
    """The answer in another style, by rules that neither add nor take away a fact; as it was where they do not apply."""
    return _RESTYLE[style](answer)


def _lead_in(answer: str) -> str:
    if answer.casefold().startswith("in the video"):
        return answer
    first = re.match(r"\w+", answer)
    if first and first[0].lower() in _NO_NAMES:
        answer = answer[0].lower() + answer[1:]
    return f"In the video, {answer}"


def _wordy(answer: str) -> str:
    answer = answer.strip() if answer.strip().endswith((".", "!", "?")) else f"{answer.strip()}."
    return f"To put into words what the video shows, one can say the following: {answer} This is what the video shows."


def _bullets(answer: str) -> str:
    return "\n".join(f"- {sentence}" for sentence in _SENTENCE_END.split(answer.strip()))


def _contractions(answer: str) -> str:
    """The long forms where there are short ones, else the short forms."""
    if _SHORT.search(answer):
        return _SHORT.sub(lambda found: _as_begun(found[0], _LONG_OF[found[0].lower().replace("\u2019", "'")]), answer)
    return _LONG.sub(lambda found: _as_begun(found[0], _SHORT_OF[found[0].lower()]), answer)


def _as_begun(found: str, text: str) -> str:
    return found[0] + text[1:]


def _lower_case(answer: str) -> str:
    """Abbreviations such as `US` would become other words, and stay."""
    return re.sub(r"\w+", lambda word: word[0] if sum(map(str.isupper, word[0])) > 1 else word[0].lower(), answer)


_RESTYLE: Mapping[Style, Callable[[str], str]] = {
    "lead_in": _lead_in,
    "wordy": _wordy,
    "bullets": _bullets,
    "contractions": _contractions,
    "lower_case": _lower_case,
}
_NO_NAMES = frozenset(
    """
    a an the there it this that these those he she they his her its their some someone somebody something one two three four five
    several many few no nobody nothing people at in on near after before because when while during from with
    """.split()  # noqa: SIM905
)
"""Words that are written with a capital only because a sentence begins."""
_SENTENCE_END = re.compile(r"(?<=[.!?])(?<!\b[A-Z]\.)(?<!\b[A-Z][a-z]\.)(?<!\bMrs\.)(?<!\b\w\.\w\.)\s+(?=[\"'“‘(]?[A-ZÀ-Þ])")
"""Before a capital letter, but not after "Mr.", "St.", an initial or "p.m."."""
_SHORT_OF = {f"{verb} not": f"{verb}n't" for verb in "is are was were do does did has have had would could should".split()} | {  # noqa: SIM905
    "will not": "won't",
    "cannot": "can't",
}
_LONG_OF = {short: long for long, short in _SHORT_OF.items()}
_LONG = re.compile(rf"\b(?:{'|'.join(_SHORT_OF)})\b", re.IGNORECASE)
_SHORT = re.compile(rf"\b(?:{'|'.join(_LONG_OF)})\b".replace("'", "['\u2019]"), re.IGNORECASE)
