"""The tables of answers' figures: in the published form, against others, by kind and source, and by what was seen."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from hawk_pipelines.evaluation.asked import has_reference, has_words
from hawk_pipelines.evaluation.published import METRICS, PUBLISHED, SOURCE
from hawk_pipelines.evaluation.report.cells import (
    TITLES,
    Cell,
    Group,
    Row,
    Table,
    difference_cell,
    figure_cell,
    kind_of,
    metric_name,
    number,
    score_cell,
)
from hawk_pipelines.evaluation.scores import PARTS
from hawk_pipelines.schema import ConversationScore, EvaluationDifference, EvaluationScore, Prediction, Task

Known = Mapping[tuple[str, Task, str, str], EvaluationScore]
"""Scores by model, task, part and metric."""
PART_TITLES = {"all": "all", "normal": "nothing unusual happens", "anomalous": "something unusual happens"}
SAYS = {
    "normal, and says so": ("normal", "says_normal"),
    "normal, and called unusual": ("normal", "says_anomalous"),
    "unusual, and says so": ("anomalous", "says_anomalous"),
    "unusual, and called normal": ("anomalous", "says_normal"),
}
"""By what is told: in which part, and which metric."""


def by_key(scores: Iterable[EvaluationScore]) -> Known:
    """Scores by what they are of."""
    return {(one.model, one.task, one.part, one.metric): one for one in scores}


def answered(metrics: Mapping[str, Any], answers: Mapping[str, Sequence[Prediction]], tasks: Sequence[Task]) -> Table:
    """Who answered how much of what was asked."""
    rows = []
    for model, given in answers.items():
        cells = []
        for task in tasks:
            mine = [one for one in given if one.task == task]
            asked = _asked(metrics, task)
            counts = {
                "empty": sum(not has_words(one.answer) for one in mine),
                "without reference": sum(not has_reference(one) for one in mine),
            }
            less = asked is not None and len(mine) < asked
            below = tuple(f"{count:,} {what}" for what, count in counts.items() if count)
            cells.append(Cell(f"{len(mine):,}" + (f" of {asked:,}" if less else ""), below, "worse" if less else ""))
        rows.append(Row(model, cells, kind=kind_of(model, metrics["model"])))
    return Table("Answers", [TITLES[task] for task in tasks], [Group("", rows)])


def published_form(task: Task, models: Sequence[str], scores: Known, metrics: Mapping[str, Any]) -> Table:
    """The published table's columns: own figures first, the published ones apart from them."""
    rows, note = _model_rows(task, models, scores, metrics, METRICS), ""
    constant = metrics["tasks"].get(task, {}).get("best_constant")
    if constant:
        cells = [Cell(number(constant.get(metric))) for metric in METRICS]
        rows.append(Row("best constant answer (by BLEU-4)", cells))
        note = f"The best constant answer is chosen by BLEU-4 on these very references: “{constant['answer']}”"
    published = [
        Row(one.model, [Cell(number(one.values[metric])) for metric in METRICS], kind="published")
        for one in PUBLISHED
        if one.task == task
    ]
    apart = f"{SOURCE[0].upper()}{SOURCE[1:]}. Other videos, another judge, another BLEU perhaps: not comparable digit by digit"
    columns = [metric_name(metric) for metric in METRICS]
    return Table(TITLES[task], columns, [Group("On this test split", rows), Group(apart, published)], note)


def other_figures(task: Task, models: Sequence[str], scores: Known, metrics: Mapping[str, Any]) -> Table | None:
    """What the published table has not, but for slots: ROUGE-L and the offline similarity."""
    names = [name for name in _metrics(task, scores) if name not in METRICS]
    if not names:
        return None
    note = "The TF-IDF cosine says how alike the words are. It is worked out offline and is no judge." * ("tfidf_cosine" in names)
    rows = _model_rows(task, models, scores, metrics, names)
    return Table(f"{TITLES[task]}: other figures", [metric_name(name) for name in names], [Group("", rows)], note)


def differences(task: Task, model: str, found: Sequence[EvaluationDifference]) -> Table | None:
    """What the model has over each of the others, on what both answered."""
    mine = {(one.first, one.metric): one for one in found if one.task == task and one.second == model}
    if not mine:
        return None
    firsts, names = (list(dict.fromkeys(key[place] for key in mine)) for place in (0, 1))
    rows = [Row(metric_name(name), [difference_cell(mine.get((first, name))) for first in firsts]) for name in names]
    return Table(TITLES[task], [f"over {first}" for first in firsts], [Group("", rows)])


def parts(task: Task, model: str, scores: Known) -> Table | None:
    """A model's figures by kind of question and by data set, and normal items apart."""
    names = _metrics(task, scores)
    headings = {"kind": "By kind of question", "source": "By data set"}
    groups: dict[str, list[Row]] = {}
    for part in dict.fromkeys(part for whose, of, part, _ in scores if (whose, of) == (model, task)):
        cells = [score_cell(scores.get((model, task, part, metric))) for metric in names]
        groups.setdefault(headings.get(part.partition(":")[0], ""), []).append(Row(part_name(part), cells))
    if not groups:
        return None
    return Table(model, [metric_name(name) for name in names], [Group(title, rows) for title, rows in groups.items()])


def part_name(part: str) -> str:
    """How a part is called on the page."""
    return part.partition(":")[2] or PART_TITLES.get(part, part)


def says(models: Sequence[str], scores: Known, model: str) -> Table | None:
    """Whether descriptions say that nothing is unusual where nothing is."""
    rows = [
        Row(one, [score_cell(scores.get((one, "description", *what))) for what in SAYS.values()], kind=kind_of(one, model))
        for one in models
    ]
    if not any(cell.below for row in rows for cell in row.cells):
        return None
    return Table("Share of descriptions", list(SAYS), [Group("", rows)], "The rest says neither, or both.")


def slots(models: Sequence[str], scores: Known, metrics: Mapping[str, Any]) -> Table | None:
    """What was seen, slot by slot, beside what the best constant answer gets right."""
    told = metrics.get("slots", {})
    if not told:
        return None
    cells = {model: [score_cell(scores.get((model, "description", "all", f"slot_{slot}"))) for slot in told] for model in models}
    rows = [Row(model, mine, kind=kind_of(model, metrics["model"])) for model, mine in cells.items()]
    rows.append(Row("chance", [Cell(number(known["chance"])) for known in told.values()], "always the most frequent value"))
    note = (
        "An answer is right in a slot when it names the true value and no other. `normal` is whether anything unusual happens; "
        "the other slots are scored where something does."
    )
    return Table("Share of descriptions that are right", list(told), [Group("", rows)], note)


FORMS = {"full": "Full questions", "short": "Follow-ups in short", "check": "“Are you sure?”"}


def conversation(scores: Sequence[ConversationScore]) -> Table | None:
    """Figures by turn, in a conversation and alone; None where there was none."""
    if not scores:
        return None
    metrics = list(dict.fromkeys(score.metric for score in scores))
    by_place: dict[str, dict[int | None, dict[str, ConversationScore]]] = {}
    for score in scores:
        by_place.setdefault(score.form, {}).setdefault(score.turn, {})[score.metric] = score
    groups = [
        Group(FORMS[form], [Row(_turn_name(turn), _turn_cells(of_turn, metrics)) for turn, of_turn in turns.items()])
        for form, turns in by_place.items()
    ]
    columns = [f"{metric_name(metric)}{where}" for metric in metrics for where in ("", ", asked alone")]
    note = (
        "Accuracy: the answer is right in what its question asks for (actor, action, place, when, or whether anything is "
        "unusual). It is known for rendered videos only."
    )
    return Table("By turn", columns, groups, note if "accuracy" in metrics else "")


def _turn_name(turn: int | None) -> str:
    return "all later turns" if turn is None else f"turn {turn}"


def _turn_cells(scores: Mapping[str, ConversationScore], metrics: Sequence[str]) -> list[Cell]:
    cells = []
    for metric in metrics:
        score = scores.get(metric)
        cells.append(figure_cell(None if score is None else score.model_dump()))
        cells.append(Cell(number(None if score is None else score.alone)))
    return cells


def _model_rows(task: Task, models: Sequence[str], scores: Known, metrics: Mapping[str, Any], names: Sequence[str]) -> list[Row]:
    asked = _asked(metrics, task)
    return [
        Row(
            model,
            [score_cell(scores.get((model, task, "all", name)), asked) for name in names],
            kind=kind_of(model, metrics["model"]),
        )
        for model in models
    ]


def _asked(metrics: Mapping[str, Any], task: Task) -> int | None:
    return metrics["tasks"].get(task, {}).get("asked")


def _metrics(task: Task, scores: Known) -> list[str]:
    """What is told of all of a task's answers, but for slots."""
    mine = dict.fromkeys(metric for _, of, part, metric in scores if (of, part) == (task, "all"))
    return [metric for metric in mine if metric not in PARTS and not metric.startswith("slot_")]
