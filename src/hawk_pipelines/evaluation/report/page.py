"""The evaluation as one page that holds all it shows: it loads nothing and runs nothing, and every text in it is escaped."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from hawk_pipelines.evaluation.report import charts, judge, tables, when
from hawk_pipelines.evaluation.report.cells import TITLES, Table
from hawk_pipelines.evaluation.report.examples import worst_first
from hawk_pipelines.evaluation.report.shown import Pictures, show
from hawk_pipelines.evaluation.scores import TASKS
from hawk_pipelines.plain_text import printable
from hawk_pipelines.schema import (
    AnomalyScore,
    ConversationScore,
    EvaluationDifference,
    EvaluationScore,
    Judgement,
    Prediction,
    Task,
    Video,
)

TEMPLATE = Path(__file__).with_name("page.html.j2")


def page(
    metrics: Mapping[str, Any],
    scores: Sequence[EvaluationScore],
    differences: Sequence[EvaluationDifference],
    predictions: Sequence[Prediction],
    others: Sequence[Prediction],
    judgements: Sequence[Judgement],
    judge_summary: Mapping[str, Any],
    names: Mapping[str, str],
    pictures: Pictures,
    examples: int,
    when_metrics: Mapping[str, Any] | None = None,
    anomaly_scores: Sequence[AnomalyScore] = (),
    videos: Sequence[Video] = (),
    conversation: Sequence[ConversationScore] = (),
) -> str:
    """The page as HTML.

    Args:
        metrics: `scores.metrics` of the model, with everything that has to be said in its `notes`.
        scores: all figures of all models.
        differences: what the model has over each of the others.
        predictions: what the model answered.
        others: what those answered that it is compared with.
        judgements: of all models; empty where there is no judge.
        judge_summary: `judge.summary`; without `results` where there is no judge.
        names: what each item's video is called.
        pictures: of an item; see `pictures.pictures`.
        examples: answers that are shown.
        when_metrics: `when.metrics`, with `convention`, `left_out` and `share`; None where nothing was scored along videos.
        anomaly_scores: what was scored along videos.
        videos: these, at least.
        conversation: the model's figures by turn; empty where it was not asked in conversations.
    """
    model = metrics["model"] or "the model"  # which is nobody where nothing was answered
    answers: dict[str, list[Prediction]] = {model: list(predictions)}
    for one in others:
        answers.setdefault(one.model, []).append(one)
    models, known = list(answers), tables.by_key(scores)
    asked = {one.task for one in [*predictions, *others]} | set(metrics["tasks"])
    tasks = [task for task in TASKS if task in asked]
    drawn = when.drawn(anomaly_scores, videos) if when_metrics else []
    worst = worst_first(predictions, judgements, examples)
    shown = {
        "model": model,
        "facts": list(_facts(metrics, answers, tasks)),
        "notes": _notes(metrics, judgements, judge_summary),
        "answered": tables.answered(metrics, answers, tasks),
        "published": [tables.published_form(task, models, known, metrics) for task in tasks],
        "other_figures": _there(tables.other_figures(task, models, known, metrics) for task in tasks),
        "figure_charts": charts.figures(tasks, models, known),
        "differences": _there(tables.differences(task, model, differences) for task in tasks),
        "difference_charts": charts.differences(tasks, model, differences),
        "parts": [(TITLES[task], tables.parts(task, model, known), charts.parts(task, model, known)) for task in tasks],
        "others_parts": [(TITLES[task], _there(tables.parts(task, other, known) for other in models[1:])) for task in tasks],
        "says": tables.says(models, known, model),
        "slots": tables.slots(models, known, metrics),
        "slot_charts": charts.slots(models, known, metrics),
        "conversation": tables.conversation(conversation),
        "judge": judge_summary if judge_summary.get("results") else None,
        "judge_notes": judge_summary.get("notes", []),
        "judge_tables": _there((judge.outcomes(judge_summary), judge.agreement(judge_summary), judge.styles(judge_summary))),
        "when": when_metrics,
        "when_tables": when.tables(when_metrics) if when_metrics and when_metrics["videos"]["scored"] else [],
        "drawn": [(few.why, charts.timelines(few, place)) for place, few in enumerate(drawn)],
        "ranked_by": _ranked_by(judgements, model),
        "examples": {TITLES[task]: few for task, few in show(worst, others, judgements, names, pictures).items()},
    }
    # Every text is escaped, also those of models and files; a name that the template has and nobody gives is an error.
    environment = Environment(
        autoescape=True, finalize=_printable, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    text = environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(shown)
    return text.encode(errors="replace").decode()


def _printable(value: Any) -> Any:
    """What stands in the page: no control character, also none of a picture's texts."""
    kind = Markup if isinstance(value, Markup) else str
    return kind(printable(value)) if isinstance(value, str) else value


def _facts(
    metrics: Mapping[str, Any], answers: Mapping[str, Sequence[Prediction]], tasks: Sequence[Task]
) -> Iterator[tuple[str, str]]:
    every = {one.item_id: one for given in answers.values() for one in given}
    yield "Model", metrics["model"]
    if "weights_sha256" in metrics:
        yield "SHA-256 of its weights", metrics["weights_sha256"]
    asked = [f"{TITLES[task].lower()}: {told['asked']:,}" for task in tasks if (told := metrics["tasks"].get(task))]
    yield "Asked for", "; ".join(asked) or "nothing that could be compared with a reference"
    videos, normal = {one.video for one in every.values()}, sum(one.normal for one in every.values())
    yield "About", f"{len(every):,} items of {len(videos):,} source videos; in {normal:,} nothing unusual happens"
    sources = Counter(one.source for one in every.values())
    yield "Data sets", ", ".join(f"{source} ({count:,} items)" for source, count in sources.most_common())
    yield "Compared with", ", ".join(list(answers)[1:]) or "nothing"


def _notes(metrics: Mapping[str, Any], judgements: Sequence[Judgement], judge_summary: Mapping[str, Any]) -> list[str]:
    """What has to be said first. What the judge's notes say in detail stands with the judge, where there is one."""
    notes = metrics.get("notes", [])
    if not judge_summary.get("results"):
        return notes
    without = sum(one.score is None for one in judgements)
    short = [f"The judge has no score for {without:,} of {len(judgements):,} that it was to give; see below."] if without else []
    return [note for note in notes if note not in judge_summary.get("notes", [])] + short


def _ranked_by(judgements: Sequence[Judgement], model: str) -> str:
    if any(one.model == model and one.score is not None for one in judgements):
        return "the judge's mean over its dimensions, where it has scored an answer, else by ROUGE-L"
    return "ROUGE-L, as no judge has scored them"


def _there(found: Iterable[Table | None]) -> list[Table]:
    return [one for one in found if one is not None]
