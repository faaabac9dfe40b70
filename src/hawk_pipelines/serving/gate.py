"""The gate: whether a model takes an alias such as `production`, decided from answers to the same questions and nothing else.

The headline is BLEU-4 of the descriptions, of the answers to questions, or the mean of both. Against the version that has the
alias, the candidate need not be better, only not worse by more than a margin: the lower bound of the 95 % interval of candidate −
incumbent, resampled by source video, is above −margin. Without such a version it has to beat the best constant answer. With one
it has to, too, if it scores less: a margin as wide as the scores themselves would let anything through.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from hawk_pipelines.errors import HawkError
from hawk_pipelines.evaluation.asked import has_reference
from hawk_pipelines.evaluation.bleu import best_constant, bleu_of, bleu_statistics
from hawk_pipelines.evaluation.statistics import difference, plain
from hawk_pipelines.schema import Asked, Prediction, Sample, Task
from hawk_pipelines.serving.parameters import CHALLENGER, GateParameters, Headline
from hawk_pipelines.serving.provenance import TrainedOn

_IN_WORDS = {
    "bleu_4": "BLEU-4, mean of both tasks,",
    "description.bleu_4": "BLEU-4 of the descriptions",
    "question.bleu_4": "BLEU-4 of the answers to questions",
}
_TASKS: tuple[Task, ...] = ("description", "question")
_WAY_OUT = (
    "With a reason it can be put there without a comparison (`register.force`); `hawk rollback` goes back to an earlier one."
)


class GateError(HawkError):
    """Answers that cannot be compared."""


class Decision(BaseModel):
    """Whether a model takes the alias, and why."""

    promoted: bool
    alias: str
    """That it gets: the one it was to take, or `challenger`."""
    forced: str | None
    """Why it was put there although it did not pass."""
    reason: str
    metric: Headline
    against: str | None
    """What it was compared with; None where it could not be."""
    score: float | None = None
    score_against: float | None = None
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    """Of the paired 95 % interval of candidate − other."""
    detectable: float | None = None
    """The difference that so many videos could have shown."""
    items: int
    """Answers that were compared."""
    no_reference: int
    """Answers that were left out, because their reference is a refusal or empty."""
    unanswered: int
    """Questions and requests that the model gave no answer to."""
    videos: int
    """Source videos: of the task that has the fewest, where two count."""
    margin: float
    min_videos: int


def decide(
    candidate: Sequence[Prediction],
    incumbent: Sequence[Prediction] | None,
    constant: Sequence[Prediction],
    alias: str,
    parameters: GateParameters,
    version: str | None = None,
    obstacles: Sequence[str] = (),
    unanswered: int = 0,
) -> Decision:
    """Decide from answers.

    Args:
        candidate: the model's answers.
        incumbent: what the version that has the alias answers to the same; None where none has it, or it cannot be compared.
        constant: the best constant answers to the same.
        alias: that it would take.
        parameters: what it has to show.
        version: that has the alias.
        obstacles: why a comparison would say nothing or cannot be made, one sentence each. Then it is not made.
        unanswered: questions and requests of these tasks that the candidate gave no answer to.

    Returns:
        The decision. A model that does not pass and is not forced is `challenger`.

    Raises:
        GateError: the answers are not to the same questions, or some are there twice.
    """
    asked = [one for one in candidate if one.task in tasks(parameters.metric)]
    twice = [key for key, count in Counter(one.key for one in asked).items() if count > 1]
    if twice:
        msg = f"{len(twice)} questions have more than one answer of the candidate, for example about {twice[0][0]}."
        raise GateError(msg)
    mine = [one for one in asked if has_reference(one)]
    of_task = [{one.video for one in mine if one.task == task} for task in tasks(parameters.metric)]
    told: dict[str, Any] = {
        "metric": parameters.metric,
        "items": len(mine),
        "no_reference": len(asked) - len(mine),
        "unanswered": unanswered,
        "videos": min((len(videos) for videos in of_task if videos), default=0),
        "margin": parameters.margin,
        "min_videos": parameters.min_videos,
    }
    if not mine:
        obstacles = [*obstacles, f"Nothing was asked of which {_IN_WORDS[parameters.metric]} could be told."]
    if obstacles or (version is not None and incumbent is None):
        passed, reason = False, " ".join(obstacles) or f"There are no answers of version {version} to compare with."
        told["against"] = None
    else:
        other, called = (constant, "the best constant answer") if incumbent is None else (incumbent, f"version {version}")
        told |= _compared(mine, other, parameters) | {"against": called}
        blind = _score(mine, constant, parameters) if incumbent is not None else None
        passed, reason = _verdict(told, alias, blind)
    if passed:
        return Decision(promoted=True, alias=alias, forced=None, reason=f"{reason} The candidate is `{alias}` now.", **told)
    if parameters.force:
        forced = parameters.force.strip()
        reason = f"Forced, because: {forced.rstrip('.')}. (Without that: {reason})"
        return Decision(promoted=True, alias=alias, forced=forced, reason=reason, **told)
    stays = f"Version {version} stays `{alias}`; the candidate is `{CHALLENGER}`." if version else f"It is `{CHALLENGER}`."
    hint = f" {_WAY_OUT}" if obstacles else ""
    return Decision(promoted=False, alias=CHALLENGER, forced=None, reason=f"{reason} {stays}{hint}", **told)


def obstacles_to(
    tested: Mapping[str, str | None], mine: TrainedOn, theirs: TrainedOn | None = None, version: str | None = None
) -> list[str]:
    """Why figures on the test videos would say nothing, one sentence each.

    A video is the same if its content is, whatever it is called. Nor may it be cut from a source video of which the incumbent saw
    another part, and the candidate did not: what both saw helps neither, and `ingest.leakage` has allowed it.

    Args:
        tested: the source video that each test video was cut from, by its id; None where it was not cut from one.
        mine: what the candidate was trained on.
        theirs: what the incumbent was trained on; None where that is not recorded.
        version: that is the incumbent; None where there is none.
    """
    found = []
    own = sorted(set(tested) & set(mine.videos))
    if own:
        found.append(f"The candidate was trained on {_some(own, tested)}, so its figures say nothing.")
    if version is None:
        return found
    if theirs is None:
        what = f"It is not recorded what version {version} was trained on"
        found.append(f"{what}, so it may have seen the test videos, and a comparison is refused.")
        return found
    videos, groups = set(theirs.videos), set(theirs.groups) - set(mine.groups)
    shared = sorted(video for video, group in tested.items() if video in videos or (group is not None and group in groups))
    if shared:
        found.append(f"Version {version} was trained on {_some(shared, tested)}, or on parts of them: a comparison is refused.")
    return found


def remarks_on(mine: TrainedOn | None, theirs: TrainedOn | None, version: str | None) -> list[str]:
    """What is not known of what the candidate, or the incumbent, saw before: said beside the decision, one sentence each.

    Args:
        mine: what the candidate was trained on; None where its folder does not say.
        theirs: what the incumbent was trained on.
        version: that is the incumbent; None where there is none.
    """
    said = []
    if mine is None:
        said.append(
            "What the candidate was trained on is not recorded in its folder; it was taken for the training videos at hand."
        )
    for who, saw in (("the candidate", mine), (f"version {version}", theirs)):
        if saw is not None and saw.unknown:
            said.append(f"Not all that {who} saw is known, and the test videos may be among it: {saw.unknown}")
    return said


def _some(videos: Sequence[str], tested: Mapping[str, str | None]) -> str:
    return f"{len(videos):,} of the {len(tested):,} videos that are tested on (for example {videos[0]})"


def best_constant_answers(asked: Sequence[Asked], training: Sequence[Sample]) -> list[Prediction]:
    """The strongest opponent that sees nothing: of each task the training answer with the highest BLEU-4 on these references."""
    answers = {}
    for task in _TASKS:
        references = [one.reference for one in asked if one.task == task and has_reference(one)]
        if references:
            answers[task] = best_constant([sample.answer for sample in training if sample.task == task], references)[0]
    fields = set(Asked.model_fields)
    return [Prediction(**one.model_dump(include=fields), model="constant", answer=answers.get(one.task, "")) for one in asked]


def tags(decision: Decision) -> dict[str, str]:
    """What of a decision becomes tags of the version; `gate.json` beside it has the rest."""
    told = {"gate": "forced" if decision.forced else "passed" if decision.promoted else "refused", "gate.reason": decision.reason}
    figures = {name: getattr(decision, name) for name in ("score", "difference")}
    told |= {f"gate.{name}": f"{value:.4f}" for name, value in figures.items() if value is not None}
    return told | {"gate.metric": decision.metric} | ({"gate.against": decision.against} if decision.against else {})


def tasks(metric: Headline) -> tuple[Task, ...]:
    """That a headline is about."""
    return _TASKS if metric == "bleu_4" else tuple(task for task in _TASKS if metric.startswith(task))


def _score(mine: Sequence[Prediction], others: Sequence[Prediction], parameters: GateParameters) -> float:
    """What the others' answers to the same come to."""
    there = _asked_of(mine, parameters)
    return float(_mean_over_tasks(len(there))(_rows(mine, others, there).sum(0)))


def _compared(mine: Sequence[Prediction], others: Sequence[Prediction], parameters: GateParameters) -> dict[str, float | None]:
    there = _asked_of(mine, parameters)
    second, first = _rows(mine, mine, there), _rows(mine, others, there)
    of, clusters = _mean_over_tasks(len(there)), [one.video for one in mine]
    found = difference(first, second, clusters, of, parameters.draws, parameters.seed)
    figures = {
        "score": float(of(second.sum(0))),
        "score_against": float(of(first.sum(0))),
        "difference": found.value,
        "low": found.low,
        "high": found.high,
        "detectable": found.detectable,
    }
    return plain(figures)


def _asked_of(mine: Sequence[Prediction], parameters: GateParameters) -> list[Task]:
    """The tasks of the headline of which anything was asked."""
    return [task for task in tasks(parameters.metric) if any(one.task == task for one in mine)]


def _rows(mine: Sequence[Prediction], others: Sequence[Prediction], there: Sequence[Task]) -> NDArray:
    """What the others' answers to the same add, a row for each of mine."""
    answers = {one.key: one.answer for one in others}
    missing = [one for one in mine if one.key not in answers]
    if missing:
        msg = f"{len(missing)} of {len(mine)} questions have one answer instead of two, for example about {missing[0].item_id}."
        raise GateError(msg)
    return np.stack([_statistics(one, answers[one.key], there) for one in mine])


def _statistics(one: Asked, answer: str, tasks: Sequence[Task]) -> NDArray:
    """What an answer adds: the statistics of its task, and nothing to those of the other."""
    mine = bleu_statistics(answer, one.reference)
    return np.concatenate([mine if one.task == task else np.zeros_like(mine) for task in tasks])


def _mean_over_tasks(count: int) -> Callable[[NDArray], NDArray]:
    """Of a corpus; nan where it has nothing of one of the tasks."""
    bleu_4 = bleu_of(4)

    def of(sums: NDArray) -> NDArray:
        each = np.stack(np.split(np.asarray(sums), count, axis=-1))
        there = each[..., -1] > 0  # the length of the references
        return np.where(there.all(0), bleu_4(each).mean(0), np.nan)

    return of


def _verdict(told: Mapping[str, Any], alias: str, blind: float | None) -> tuple[bool, str]:
    """Whether the figures let it pass, and the sentences that say so.

    Where a version has the alias, `blind` is the score of the best constant answer.
    """
    low, margin, videos = told["low"], told["margin"], told["videos"]
    interval = f"95 % interval {low:+.4f} to {told['high']:+.4f}" if low is not None else "one source video gives no interval"
    scores = f"{told['score']:.4f} against {told['score_against']:.4f} of {told['against']}"
    without = {"whose reference is a refusal or empty": told["no_reference"], "that have no answer": told["unanswered"]}
    left_out = " and ".join(f"{count:,} {why}" for why, count in without.items() if count)
    out = f", without {left_out}," if left_out else ""
    on = f"on {told['items']:,} answers about {videos:,} source video(s){out}"
    reason = f"{_IN_WORDS[told['metric']]} {on} is {scores}: a difference of {told['difference']:+.4f} ({interval})."
    could = (
        f" So many videos could have shown a difference of {told['detectable']:.4f}." if told["detectable"] is not None else ""
    )
    if blind is None:
        if round(told["difference"], 4) > 0:  # as it is told: without a word in common BLEU is not quite 0
            return True, f"No version is `{alias}`. {reason}"
        return False, f"No version is `{alias}`, and the candidate does not beat a model that sees nothing. {reason}{could}"
    if videos < told["min_videos"]:
        what = f"These are too few source videos to decide: `register.min_videos` is {told['min_videos']}."
        return False, f"{reason} {what}{could}"
    if low is None or low <= -margin:
        return False, f"{reason} The lower bound is not above −{margin:g} (`register.margin`).{could}"
    reason = f"{reason} The lower bound is above −{margin:g} (`register.margin`)"
    if round(told["difference"], 4) < 0 and round(told["score"] - blind, 4) <= 0:
        return False, f"{reason}, but the candidate is worse, and no better than a model that sees nothing ({blind:.4f}).{could}"
    return True, f"{reason}."
