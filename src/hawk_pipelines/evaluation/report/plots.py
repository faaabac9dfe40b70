"""Figures of an evaluation as pictures. In the page, lines have the page's own colours: they can be seen in the dark too."""

import io
import re
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

OWN, OTHER, ALARM = "#1f6f8b", "#8a8f98", "#c8553d"
"""The model's own colour, that of those it is compared with, and that of what really is unusual."""
COLOURS = {"#000001": "currentColor", OWN: "var(--own)", OTHER: "var(--other)", ALARM: "var(--alarm)"}
"""What stands in the page for colours that are drawn with."""
LINE = "#000001"
LINES: dict[Any, str] = {"text.color": LINE, "axes.edgecolor": LINE, "xtick.color": LINE, "ytick.color": LINE}
WIDTH, ROW, BELOW = 3.4, 0.2, 0.3
"""Inches: of a panel, so that one fits on a phone, of a row in it, and of what is below the rows."""
LETTER, LONGEST = 0.0195, 28
"""A letter's share of a panel's width, and how many of a label are shown."""
MOST_POINTS = 600
"""Of a line, evenly chosen."""


class Dot(NamedTuple):
    """A figure, its interval and whose it is."""

    label: str
    value: float | None
    low: float | None
    high: float | None
    own: bool = True


class Timeline(NamedTuple):
    """Scores along a video."""

    title: str
    times_s: Sequence[float]
    raw: Sequence[float]
    smoothed: Sequence[float]
    true: Sequence[tuple[float, float]]
    """Seconds [start, end) in which something unusual is to be seen."""
    predicted: Sequence[tuple[float, float]]


def plot(metrics: Mapping[str, Mapping]) -> Figure:
    """Bars of BLEU beside the best constant answer, and of slot accuracy beside chance where there is a truth."""
    slots = metrics.get("slots", {})
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    axes = figure.subplots(1, 2 if slots else 1, squeeze=False)[0]
    names, scores, baselines = [], [], []
    for task, by_task in metrics["tasks"].items():
        for order in range(1, 5):
            names.append(f"{task}\nBLEU-{order}")
            scores.append(_ends(by_task, f"bleu_{order}"))
            baselines.append(by_task["best_constant"][f"bleu_{order}"])
    _bars(axes[0], names, scores, baselines, "best constant answer (by BLEU-4)", "BLEU")
    if slots:
        names = [f"{slot}\n(n={int(score['count'])})" for slot, score in slots.items()]
        accuracies = [_ends(score, "accuracy") for score in slots.values()]
        _bars(axes[1], names, accuracies, [score["chance"] for score in slots.values()], "chance", "slot accuracy")
    return figure


def _ends(known: Mapping[str, Any], name: str) -> Dot:
    return Dot(name, known[name], known.get(f"{name}_low"), known.get(f"{name}_high"))


def _bars(axis: Axes, names: list[str], scores: list[Dot], baselines: list[float], baseline: str, title: str) -> None:
    places = range(len(names))
    values = [score.value if score.value is not None else 0.0 for score in scores]
    axis.bar([place - 0.2 for place in places], values, width=0.4, label="the model, with its 95 % interval", color=OWN)
    for place, score in zip(places, scores, strict=True):
        _whisker(axis, score, place - 0.2, "#222222", upright=True)
    axis.bar([place + 0.2 for place in places], baselines, width=0.4, label=baseline, color="#c9c9c9")
    axis.set_xticks(list(places), [name.replace("description", "descr.").replace("question", "QA") for name in names], fontsize=7)
    axis.set_ylim(0, 1)
    axis.set_title(title)
    axis.legend(fontsize=7, loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=2, frameon=False)


def dots(rows: Sequence[Dot], line: float | None = None, limits: tuple[float, float] | None = None) -> Figure:
    """Figures with their intervals, one below the other.

    Args:
        rows: from top to bottom; those without a value keep their row.
        line: where an upright line is to be.
        limits: of the axis.
    """
    with mpl.rc_context(LINES):
        height = BELOW + ROW * max(1, len(rows))
        figure = Figure(figsize=(WIDTH, height))
        left = min(0.6, 0.04 + LETTER * max((len(_short(row.label)) for row in rows), default=0))
        axis = figure.add_axes((left, BELOW / height, 0.96 - left, ROW * max(1, len(rows)) / height))
        for place, row in enumerate(rows):
            if row.value is not None:
                colour = OWN if row.own else OTHER
                _whisker(axis, row, place, colour)
                axis.plot([row.value], [place], "o", color=colour, markersize=4)
        if line is not None:
            axis.axvline(line, color=LINE, linewidth=0.7, linestyle=(0, (3, 3)))
        axis.set_yticks(range(len(rows)), [_short(row.label) for row in rows], fontsize=8, parse_math=False)
        axis.set_ylim(max(1, len(rows)) - 0.5, -0.5)
        if limits:
            axis.set_xlim(*limits)
        axis.locator_params(axis="x", nbins=5)
        axis.tick_params(axis="x", labelsize=7)
        axis.tick_params(axis="y", length=0)
        axis.spines[["top", "right", "left"]].set_visible(False)
    return figure


def along(timeline: Timeline) -> Figure:
    """The score along a video, over what is really unusual in it and above what was predicted to be."""
    shown = np.unique(np.linspace(0, len(timeline.times_s) - 1, min(len(timeline.times_s), MOST_POINTS)).round().astype(int))
    times_s = np.asarray(timeline.times_s)[shown]
    with mpl.rc_context(LINES):
        figure = Figure(figsize=(WIDTH, 1.5))
        axis = figure.add_axes((0.09, 0.26, 0.88, 0.7))
        for start, end in timeline.true:
            axis.axvspan(start, end, color=ALARM, alpha=0.25, linewidth=0)
        for start, end in timeline.predicted:
            axis.plot([start, end], [-0.07, -0.07], color=OWN, linewidth=3, solid_capstyle="butt")
        axis.plot(times_s, np.asarray(timeline.raw)[shown], color=OWN, linewidth=0.6, alpha=0.5)
        axis.plot(times_s, np.asarray(timeline.smoothed)[shown], color=OWN, linewidth=1.5)
        axis.set_ylim(-0.12, 1.03)
        axis.set_yticks([0, 0.5, 1])
        axis.margins(x=0)
        axis.tick_params(labelsize=7)
        axis.set_xlabel("seconds", fontsize=7, color=LINE, labelpad=1)
        axis.spines[["top", "right"]].set_visible(False)
    return figure


def _short(label: str) -> str:
    return label if len(label) <= LONGEST else label[: LONGEST - 1] + "…"


def _whisker(axis: Axes, dot: Dot, place: float, colour: str, upright: bool = False) -> None:
    if dot.low is not None and dot.high is not None:
        ends, places = [dot.low, dot.high], [place, place]
        axis.plot(*((places, ends) if upright else (ends, places)), color=colour, linewidth=1.2)


def svg(figure: Figure, name: str) -> str:
    """A picture to stand in a page: text stays text and is escaped, nothing is loaded, and its ids begin with the name."""
    kept = io.StringIO()
    nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    with (
        mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": name, "font.sans-serif": ["DejaVu Sans"]}),
        warnings.catch_warnings(),
    ):
        warnings.filterwarnings("ignore", message="Glyph")  # the browser's fonts have it
        figure.savefig(kept, format="svg", transparent=True, metadata=nothing)
    text = kept.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>", "", text, count=1, flags=re.DOTALL)
    text = re.sub(r'(\sid="|url\(#|href="#)', rf"\g<1>{name}-", text)
    for drawn, shown in COLOURS.items():
        text = text.replace(drawn, shown)
    return text
