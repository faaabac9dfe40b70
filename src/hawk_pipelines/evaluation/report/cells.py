"""What tables of the page are made of: figures with their 95 % intervals and how many answers they are of."""

import math
from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple

from hawk_pipelines.schema import EvaluationDifference, EvaluationScore, Task

UNKNOWN = "–"
NAMES = {f"bleu_{order}": f"BLEU-{order}" for order in range(1, 5)} | {
    "rouge_l": "ROUGE-L",
    "tfidf_cosine": "TF-IDF cosine",
    "says_normal": "normal, and says so",
    "says_anomalous": "unusual, and says so",
    "frame_auc": "AUC, pooled",
    "frame_ap": "AP, pooled",
    "frame_auc_macro": "AUC, averaged",
    "frame_ap_macro": "AP, averaged",
    "miou": "mIoU",
    "false_alarms": "false alarms",
}
"""How metrics are called on the page, where that is not their own name."""
TITLES: dict[Task, str] = {"description": "Descriptions", "question": "Answers to questions"}
Tone = Literal["", "better", "worse"]
Kind = Literal["own", "other", "published"]


class Cell(NamedTuple):
    """A figure as it is told."""

    text: str
    below: tuple[str, ...] = ()
    """In small letters: its interval, and what is behind it."""
    tone: Tone = ""


class Row(NamedTuple):
    """A line of a table."""

    label: str
    cells: list[Cell]
    below: str = ""
    """The label, in small letters."""
    kind: Kind = "other"


class Group(NamedTuple):
    """Lines under a heading."""

    title: str
    rows: list[Row]


class Table(NamedTuple):
    """A table of the page."""

    title: str
    columns: list[str]
    groups: list[Group]
    note: str = ""


def metric_name(metric: str) -> str:
    """How a metric is called on the page."""
    kind, _, rest = metric.partition("_")
    if kind == "judge":
        return rest.capitalize()
    if kind in ("recall", "precision"):
        return f"{kind} at IoU {rest}"
    return NAMES.get(metric, f"{rest} (slot)" if kind == "slot" else metric)


def kind_of(name: str, own: str) -> Kind:
    """Whether a row is the model's own."""
    return "own" if name == own else "other"


def number(value: float | None) -> str:
    """With three places."""
    return UNKNOWN if value is None or math.isnan(value) else f"{value:.3f}".replace("-", "−")


def signed(value: float | None) -> str:
    """With three places and its sign."""
    return UNKNOWN if value is None or math.isnan(value) else f"{value:+.3f}".replace("-", "−")


def interval(low: float | None, high: float | None, told: Callable[[float | None], str] = number) -> str:
    """Its ends; that there is none where fewer than two videos are behind it."""
    return "no interval" if low is None or high is None else f"{told(low)} … {told(high)}"


def p_value(p: float) -> str:
    """Of a test by 2,000 resampled corpora, which cannot tell less than a thousandth."""
    return "p ≤ 0.001" if p < 0.0015 else f"p = {p:.3f}"


def tone(low: float | None, high: float | None) -> Tone:
    """Whether an interval lies on one side of 0."""
    if low is None or high is None or low <= 0 <= high:
        return ""
    return "better" if low > 0 else "worse"


def score_cell(score: EvaluationScore | None, asked: int | None = None) -> Cell:
    """A figure.

    Args:
        score: None where there is none.
        asked: of how many it would be if all had been answered and could be compared, where that is known.
    """
    if score is None:
        return Cell(UNKNOWN)
    of = f" of {asked:,}" if asked is not None and asked != score.items else ""
    return _cell(score.value, score.low, score.high, score.items, score.videos, of, number)


def figure_cell(figure: Mapping[str, Any] | None, told: Callable[[float | None], str] = number) -> Cell:
    """A figure that is read from JSON: `statistics.Figure` or, with its p, `statistics.Difference`."""
    if figure is None:
        return Cell(UNKNOWN)
    cell = _cell(figure["value"], figure["low"], figure["high"], figure["items"], figure["videos"], "", told)
    if figure.get("p") is None or not figure["items"]:
        return cell
    ends, *behind = cell.below
    return Cell(cell.text, (ends, p_value(figure["p"]), *behind), tone(figure["low"], figure["high"]))


def difference_cell(one: EvaluationDifference | None) -> Cell:
    """What a model has over another: better or worse where the interval leaves no doubt of the sign."""
    if one is None:
        return Cell(UNKNOWN)
    alone = ", ".join(
        f"{count:,} only {whose}" for count, whose in ((one.only_second, "here"), (one.only_first, "there")) if count
    )
    cell = figure_cell(one.model_dump(), signed)
    return cell._replace(below=(*cell.below, alone)) if alone else cell


def _cell(
    value: float | None,
    low: float | None,
    high: float | None,
    items: int,
    videos: int,
    of: str,
    told: Callable[[float | None], str],
) -> Cell:
    if not items:
        return Cell(UNKNOWN, (f"n = 0{of}",))
    source = [] if videos == items else [f"{videos:,} {'video' if videos == 1 else 'videos'}"]
    return Cell(told(value), (interval(low, high, told), f"n = {items:,}{of}", *source))
