"""All figures of a model's answers, each with its interval and what is behind it; and what one model has over another.

Every answer adds a row of statistics to every metric that it counts for, once: figures of parts, resampled ones and differences
are sums of such rows.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from hawk_pipelines.evaluation.asked import few, has_reference, has_words, in_words
from hawk_pipelines.evaluation.bleu import ORDERS, best_constant, bleu_of, bleu_statistics
from hawk_pipelines.evaluation.rouge import rouge_l
from hawk_pipelines.evaluation.similarity import TfidfCosine
from hawk_pipelines.evaluation.slots import NOTHING_UNUSUAL, UNUSUAL, says, slot_accuracy, slot_hits
from hawk_pipelines.evaluation.statistics import FEW_VIDEOS, Difference, Of, difference, figure, mean, plain
from hawk_pipelines.schema import Asked, Prediction, Sample, Task, Truth

TASKS: tuple[Task, ...] = get_args(Task)
Key = tuple[str, str, str]
"""Item, task and question: what is asked."""
Judged = Mapping[Key, Mapping[str, float | None]]
"""The judge's scores in [0, 1] by dimension; None where there is none."""
NOTHING = Difference(np.nan, np.nan, np.nan, np.nan, 0, 0)


class Score(NamedTuple):
    """A figure of a model's answers."""

    model: str
    task: Task
    part: str
    """`all`, `normal`, `anomalous`, `kind:<kind of question>` or `source:<data set>`."""
    metric: str
    """`bleu_1` to `bleu_4`, `rouge_l`, `tfidf_cosine`; `slot_<slot>`; `says_normal` and `says_anomalous`, the share of
    descriptions that say that nothing, or that something, is unusual; `judge_<dimension>`."""
    value: float
    """nan where nothing is behind it."""
    low: float
    high: float
    """The 95 % interval; nan where fewer than two videos are behind it."""
    items: int
    """Answers behind it."""
    videos: int


class Comparison(NamedTuple):
    """What a second model has over a first, on what both answered."""

    first: str
    second: str
    task: Task
    part: str
    metric: str
    value: float
    """Second − first."""
    low: float
    high: float
    p: float
    items: int
    videos: int
    only_first: int
    """Items that only the first has a figure of; they are not behind this."""
    only_second: int


class Count(NamedTuple):
    """How many answers there are to a task, and which of them, or of what was asked, are something apart."""

    task: Task
    asked: int
    answers: int
    missing: list[str]
    """Asked, and not answered: in no figure."""
    empty: list[str]
    """Answers without a word: in every figure, and worth 0."""
    no_reference: list[str]
    """Where the reference is a refusal or empty: in no figure that compares with it."""


class Scores(NamedTuple):
    """All figures of one model."""

    model: str
    scores: list[Score]
    counts: list[Count]
    """By task, of what was asked."""
    constants: dict[Task, tuple[str, dict[str, float]]]
    """The best constant answer to each task and its BLEU, on the same references."""
    slots: dict[str, dict[str, float]]
    """`slots.slot_accuracy`."""
    predictions: list[Prediction]
    statistics: dict[str, NDArray]
    """By metric [I, K], what each prediction adds; nan where it does not count."""


def score(
    predictions: Sequence[Prediction],
    training: Sequence[Sample],
    truths: Sequence[Truth] = (),
    judged: Judged | None = None,
    asked: Sequence[Asked] = (),
) -> Scores:
    """All figures of a model.

    Args:
        predictions: of one model, one for each thing asked.
        training: where the best constant answer comes from, and how rare words are.
        truths: what is really to be seen, where that is known.
        judged: the judge's scores, where there was one.
        asked: everything that the model was to answer, to know what is missing; what it answered if empty.

    Raises:
        ValueError: predictions are of several models, or answer the same twice.
    """
    models = {one.model for one in predictions}
    if len(models) > 1 or len({one.key for one in predictions}) < len(predictions):
        msg = (
            f"Figures are of one model and one answer to each question; these are of {', '.join(sorted(models))}, or two to one."
        )
        raise ValueError(msg)
    model = next(iter(models), "")
    counts = [_count(task, predictions, asked or predictions) for task in TASKS]
    similarity = TfidfCosine([sample.answer for sample in training])
    statistics = _statistics(predictions, similarity, truths, judged)
    constants = {}
    for task in TASKS:
        references = [one.reference for one in predictions if one.task == task and has_reference(one)]
        if references:
            constants[task] = best_constant([sample.answer for sample in training if sample.task == task], references)
    return Scores(
        model=model,
        scores=list(_scores(model, predictions, statistics)),
        counts=[count for count in counts if count.asked],
        constants=constants,
        slots=slot_accuracy(predictions, truths),
        predictions=list(predictions),
        statistics=statistics,
    )


def compare(first: Scores, second: Scores) -> list[Comparison]:
    """What the second model has over the first in each metric, on what both answered."""
    return compare_repeated([(first, second)])


def compare_repeated(pairs: Sequence[tuple[Scores, Scores]]) -> list[Comparison]:
    """The same over runs that were repeated with other seeds: the mean of their differences.

    Videos are resampled within each seed: the interval is of these seeds on other videos each, and too narrow for other videos
    that all seeds share.

    Args:
        pairs: of each seed the first model and the second, at least one.
    """
    names = pairs[0][0].model, pairs[0][1].model
    known = dict.fromkeys(metric for pair in pairs for scores in pair for metric in scores.statistics)
    compared = []
    for task in TASKS:
        for metric in known:
            part = PARTS.get(metric, "all")
            seeds = [_shared(first, second, task, part, metric) for first, second in pairs]
            alone = sum(shared.only_first for shared in seeds), sum(shared.only_second for shared in seeds)
            common = [(seed, shared) for seed, shared in enumerate(seeds) if shared.videos]
            found = NOTHING
            if common:
                found = difference(
                    np.concatenate([shared.first for _, shared in common]),
                    np.concatenate([shared.second for _, shared in common]),
                    [video for _, shared in common for video in shared.videos],
                    _of(metric),
                    strata=[str(seed) for seed, shared in common for _ in shared.videos],
                )
            if common or any(alone):
                value, low, high, p, items, videos = found
                compared.append(Comparison(*names, task, part, metric, value, low, high, p, items, videos, *alone))
    return compared


def notes(scores: Scores) -> list[str]:
    """What has to be said beside the figures, in sentences."""
    said = []
    for count in scores.counts:
        of = f"of {count.asked:,} of the task `{count.task}`"
        if count.missing:
            said.append(f"{len(count.missing):,} {of} have no answer, and figures are of the others: {few(count.missing)}.")
        if count.empty:
            said.append(f"{len(count.empty):,} {of} have an empty answer, which is worth 0: {few(count.empty)}.")
        if count.no_reference:
            told = "have a reference that is a refusal or empty, and are left out of every comparison with it"
            said.append(f"{len(count.no_reference):,} {of} {told}: {few(count.no_reference)}.")
    if scores.predictions and "tfidf_cosine" not in scores.statistics:
        said.append("There is no `tfidf_cosine`: no training answer has a word whose rareness could be known.")
    single = [f"{one.metric} ({one.task}, {one.part})" for one in scores.scores if one.videos == 1]
    if single:
        said.append(f"There is no interval where all answers are about one video: {few(single)}.")
    narrow = dict.fromkeys(f"{one.task}, {one.part}" for one in scores.scores if 1 < one.videos < FEW_VIDEOS)
    if narrow:
        said.append(f"Of fewer than {FEW_VIDEOS} source videos, so that their intervals are too narrow: {few(list(narrow))}.")
    return said


def metrics(scores: Scores) -> dict[str, Any]:
    """The figures as JSON; what is not known is null.

    Returns:
        `model`; `tasks`: for each task with answers every metric of all of its items, `<metric>_low` and `…_high`, for metrics
        that not every answer counts for `…_count`, how many answers BLEU is of (`count`), from how many `videos`, of how many
        `asked`, how many are `missing`, `empty` or have `no_reference`, and the `best_constant` answer with its BLEU; `slots`,
        where there is a truth: `slots.slot_accuracy` and the interval of `accuracy`; `parts`: every `Score`; `notes`.
    """
    counts = {count.task: count for count in scores.counts}
    told: dict[str, Any] = {"model": scores.model, "tasks": {}}
    for task, (answer, constant) in scores.constants.items():
        mine = [one for one in scores.scores if one.task == task and one.part == PARTS.get(one.metric, "all")]
        known = {one.metric: one for one in mine if not one.metric.startswith("slot_")}
        figures: dict[str, Any] = {}
        for metric, one in known.items():
            figures |= {metric: one.value, f"{metric}_low": one.low, f"{metric}_high": one.high}
            if metric.startswith(("judge_", "says_")):
                figures[f"{metric}_count"] = one.items
        apart = {name: len(getattr(counts[task], name)) for name in ("missing", "empty", "no_reference")}
        behind = {"count": known["bleu_1"].items, "videos": known["bleu_1"].videos, "asked": counts[task].asked}
        told["tasks"][task] = figures | behind | apart | {"best_constant": {"answer": answer, **constant}}
    intervals = {one.metric: {"accuracy_low": one.low, "accuracy_high": one.high} for one in scores.scores}
    slots = {slot: known | intervals[f"slot_{slot}"] for slot, known in scores.slots.items()}
    told |= {"slots": slots} if slots else {}
    return plain(told | {"parts": [one._asdict() for one in scores.scores], "notes": notes(scores)})


def flat_scores(scores: Scores | Mapping[str, Any]) -> dict[str, float]:
    """The figures as MLflow takes them: one level of dotted names, numbers only. Parts of a task are not among them.

    Args:
        scores: or what `metrics` gave of them, also read from its file.
    """
    told = metrics(scores) if isinstance(scores, Scores) else scores
    result: dict[str, float] = {}
    for task, figures in told["tasks"].items():
        for name, value in figures.items():
            if isinstance(value, dict):
                result |= {f"{task}.constant_{inner}": number for inner, number in value.items() if inner != "answer"}
            elif value is not None:
                result[f"{task}.{name}"] = float(value)
    for place, figures in told.get("conversation", {}).items():
        result |= {f"conversation.{place}.{name}": float(number) for name, number in figures.items() if number is not None}
    for slot, figures in told.get("slots", {}).items():
        result |= {f"slots.{slot}.{name}": float(number) for name, number in figures.items() if number is not None}
    return result


PARTS = {"says_normal": "normal", "says_anomalous": "anomalous"}
"""Where a metric is at home, if not in `all`. Of the other part it tells how often the contrary of what is right is said."""


class _Shared(NamedTuple):
    """What two models have in common: rows of the same things asked, in the order of the first."""

    first: NDArray
    second: NDArray
    videos: list[str]
    only_first: int
    only_second: int


def _shared(first: Scores, second: Scores, task: Task, part: str, metric: str) -> _Shared:
    before, after = (_rows(scores, task, part, metric) for scores in (first, second))
    both = [key for key in before if key in after]
    return _Shared(
        first=np.array([before[key] for key in both]),
        second=np.array([after[key] for key in both]),
        videos=[one.video for one in first.predictions if one.key in before and one.key in after],
        only_first=len(before) - len(both),
        only_second=len(after) - len(both),
    )


def _rows(scores: Scores, task: Task, part: str, metric: str) -> dict[Key, NDArray]:
    if metric not in scores.statistics:
        return {}
    added = scores.statistics[metric]
    counts = _is_in(part, task, scores.predictions) & _counts(added)
    return {scores.predictions[row].key: added[row] for row in np.flatnonzero(counts)}


def _statistics(
    predictions: Sequence[Prediction], similarity: TfidfCosine, truths: Sequence[Truth], judged: Judged | None
) -> dict[str, NDArray]:
    rows = [row for row, one in enumerate(predictions) if has_reference(one)]
    answers, references = [predictions[row].answer for row in rows], [predictions[row].reference for row in rows]
    bleu = np.full((len(predictions), 10), np.nan)
    for row, answer, reference in zip(rows, answers, references, strict=True):
        bleu[row] = bleu_statistics(answer, reference)
    statistics = {f"bleu_{order}": bleu for order in ORDERS}

    def add(metric: str, where: Sequence[int], values: Sequence[float]) -> None:
        added = np.full((len(predictions), 2), np.nan)
        if where:
            added[where] = np.stack([np.asarray(values, dtype=np.float64), np.ones(len(where))], axis=1)
        statistics[metric] = added

    add("rouge_l", rows, rouge_l(answers, references))
    if similarity.knows_words:
        add("tfidf_cosine", rows, similarity.of(answers, references))
    for slot, hits in slot_hits(predictions, truths).items():
        where = [row for row, hit in enumerate(hits) if hit is not None]
        add(f"slot_{slot}", where, [float(bool(hits[row])) for row in where])
    described = [row for row, one in enumerate(predictions) if one.task == "description"]
    claims = [says(predictions[row].answer) for row in described]
    add("says_normal", described, [float(claim == NOTHING_UNUSUAL) for claim in claims])
    add("says_anomalous", described, [float(claim == UNUSUAL) for claim in claims])
    judgements = [(judged or {}).get(one.key, {}) for one in predictions]
    for dimension in dict.fromkeys(name for given in (judged or {}).values() for name in given):
        given = {row: value for row, one in enumerate(judgements) if (value := one.get(dimension)) is not None}
        add(f"judge_{dimension}", list(given), list(given.values()))
    return statistics


def _scores(model: str, predictions: Sequence[Prediction], statistics: Mapping[str, NDArray]) -> Iterator[Score]:
    videos = np.array([one.video for one in predictions], dtype=str)
    for task in TASKS:
        for part in _parts(task, predictions):
            inside = _is_in(part, task, predictions)
            for metric, added in statistics.items():
                if not _is_told(metric, part):
                    continue
                rows = inside & _counts(added)
                # A judge of whom nothing came is told of; where a metric has no place, there is nothing to tell.
                if rows.any() or (metric.startswith("judge_") and part == "all"):
                    yield Score(model, task, part, metric, *figure(added[rows], videos[rows], _of(metric)))


def _is_told(metric: str, part: str) -> bool:
    if metric in PARTS:
        return part in PARTS.values()
    return part == "all" or not metric.startswith("slot_")


def _parts(task: Task, predictions: Sequence[Prediction]) -> list[str]:
    mine = [one for one in predictions if one.task == task]
    if not mine:
        return []
    parts = ["all"] + [
        name for name, normal in (("normal", True), ("anomalous", False)) if any(one.normal == normal for one in mine)
    ]
    kinds = sorted({one.kind for one in mine}) if task == "question" else []
    return parts + [f"kind:{kind}" for kind in kinds] + [f"source:{source}" for source in sorted({one.source for one in mine})]


def _is_in(part: str, task: Task, predictions: Sequence[Prediction]) -> NDArray:
    def inside(one: Prediction) -> bool:
        named = ("all", "normal" if one.normal else "anomalous", f"kind:{one.kind}", f"source:{one.source}")
        return one.task == task and part in named

    return np.array([inside(one) for one in predictions], dtype=bool)


def _counts(statistics: NDArray) -> NDArray:
    return ~np.isnan(statistics[:, 0])


def _of(metric: str) -> Of:
    return bleu_of(int(metric.removeprefix("bleu_"))) if metric.startswith("bleu_") else mean


def _count(task: Task, predictions: Sequence[Prediction], asked: Sequence[Asked]) -> Count:
    mine = [one for one in predictions if one.task == task]
    answered = {one.key for one in mine}
    wanted = {one.key: one for one in asked if one.task == task}
    return Count(
        task=task,
        asked=len(wanted),
        answers=len(mine),
        missing=[in_words(one) for key, one in wanted.items() if key not in answered],
        empty=[in_words(one) for one in mine if not has_words(one.answer)],
        no_reference=[in_words(one) for one in wanted.values() if not has_reference(one)],
    )
