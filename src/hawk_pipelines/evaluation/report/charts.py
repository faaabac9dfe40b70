"""Plots of the page, each with what it shows."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from matplotlib.figure import Figure

from hawk_pipelines.evaluation.report.cells import TITLES, metric_name
from hawk_pipelines.evaluation.report.plots import Dot, along, dots, svg
from hawk_pipelines.evaluation.report.tables import Known, part_name
from hawk_pipelines.evaluation.report.when import Drawn
from hawk_pipelines.schema import EvaluationDifference, EvaluationScore, Task

DRAWN = ("bleu_4", "rouge_l", "judge_reasonability", "judge_detail", "judge_consistency")
"""What is drawn of all that the tables have."""


class Chart(NamedTuple):
    """A plot and what it shows."""

    title: str
    svg: str
    """Markup, in which texts are escaped."""


def figures(tasks: Sequence[Task], models: Sequence[str], known: Known) -> list[Chart]:
    """The models side by side."""
    return [
        _chart(f"{TITLES[task]}: {metric_name(metric)}", f"figure-{task}-{metric}", dots(rows, limits=(0, 1)))
        for task in tasks
        for metric in DRAWN
        if (rows := _models(models, known, task, metric))
    ]


def differences(tasks: Sequence[Task], model: str, found: Sequence[EvaluationDifference]) -> list[Chart]:
    """What the model has over each of the others, in every metric."""
    charts = []
    for task in tasks:
        mine = [one for one in found if one.task == task and one.second == model and one.value is not None]
        for place, first in enumerate(dict.fromkeys(one.first for one in mine)):
            rows = [Dot(metric_name(one.metric), one.value, one.low, one.high) for one in mine if one.first == first]
            charts.append(_chart(f"{TITLES[task]}: over {first}", f"difference-{task}-{place}", dots(rows, line=0)))
    return charts


def parts(task: Task, model: str, known: Known) -> list[Chart]:
    """A model's figures part by part."""
    charts = []
    for metric in DRAWN:
        mine = {part: one for (whose, of, part, name), one in known.items() if (whose, of, name) == (model, task, metric)}
        rows = [_dot(part_name(part), one, part == "all") for part, one in mine.items()]
        if rows:
            charts.append(_chart(metric_name(metric), f"part-{task}-{metric}", dots(rows, limits=(0, 1))))
    return charts


def slots(models: Sequence[str], known: Known, metrics: Mapping[str, Any]) -> list[Chart]:
    """The models side by side, slot by slot; the line is at chance."""
    return [
        _chart(slot, f"slot-{place}", dots(rows, line=told["chance"], limits=(0, 1)))
        for place, (slot, told) in enumerate(metrics.get("slots", {}).items())
        if (rows := _models(models, known, "description", f"slot_{slot}"))
    ]


def timelines(drawn: Drawn, place: int) -> list[Chart]:
    """The score along some videos."""
    return [_chart(line.title, f"when-{place}-{row}", along(line)) for row, line in enumerate(drawn.timelines)]


def _models(models: Sequence[str], known: Known, task: Task, metric: str) -> list[Dot]:
    """A row for each model, the first one being the own; none where nobody has a figure."""
    found = [(model, known.get((model, task, "all", metric))) for model in models]
    return [_dot(model, one, model == models[0]) for model, one in found] if any(one and one.items for _, one in found) else []


def _dot(label: str, one: EvaluationScore | None, own: bool) -> Dot:
    return Dot(label, one.value, one.low, one.high, own) if one else Dot(label, None, None, None, own)


def _chart(title: str, name: str, figure: Figure) -> Chart:
    return Chart(title, svg(figure, name))
