"""What each part of a model is worth: variants of it, trained with the same seeds, side by side and against a reference."""

from collections.abc import Sequence
from itertools import groupby

import numpy as np
from matplotlib.figure import Figure as Picture

from hawk_pipelines.evaluation.scores import PARTS, Scores, compare_repeated, score
from hawk_pipelines.schema import Ablated, AblationRow, Prediction, Sample, Task, Truth

HEADLINES: tuple[tuple[Task, str], ...] = (
    ("description", "bleu_4"),
    ("description", "rouge_l"),
    ("question", "bleu_4"),
    ("question", "rouge_l"),
    ("description", "slot_actor"),
    ("description", "slot_action"),
    ("description", "slot_normal"),
)
"""What the table and the plot show, where it is known; the rows have every metric."""


def compare_variants(
    ablated: Sequence[Ablated], training: Sequence[Sample], truths: Sequence[Truth], reference: str
) -> list[AblationRow]:
    """Every variant's figures, and what it has over the reference.

    A figure is the mean over a variant's seeds. A difference is of the seeds that both have; its interval comes from resampling
    source videos within each seed.

    Args:
        ablated: answers of variants, each with its seed.
        training: see `scores.score`.
        truths: what is really to be seen, where that is known.
        reference: the variant that the others are compared with.
    """
    scored = _scored(ablated, training, truths)
    rows = []
    for variant, by_seed in scored.items():
        both = [seed for seed in by_seed if seed in scored.get(reference, {})] if variant != reference else []
        pairs = [(scored[reference][seed], by_seed[seed]) for seed in both]
        over = {(one.task, one.metric): one for one in compare_repeated(pairs)} if pairs else {}
        for (task, metric), values in _figures(by_seed).items():
            found = over.get((task, metric))
            rows.append(
                AblationRow(
                    variant=variant,
                    task=task,
                    metric=metric,
                    value=float(np.mean(values)),
                    lowest=min(values),
                    highest=max(values),
                    seeds=len(values),
                    difference=found.value if found else None,
                    low=found.low if found else None,
                    high=found.high if found else None,
                    p=found.p if found else None,
                    compared_seeds=len(both),
                    items=found.items if found else sum(_items(one, task, metric) for one in by_seed.values()),
                )
            )
    return rows


def _scored(ablated: Sequence[Ablated], training: Sequence[Sample], truths: Sequence[Truth]) -> dict[str, dict[int, Scores]]:
    scored: dict[str, dict[int, Scores]] = {}
    order = list(dict.fromkeys(one.variant for one in ablated))
    cell = sorted(ablated, key=lambda one: (order.index(one.variant), one.seed))
    for (variant, seed), answers in groupby(cell, lambda one: (one.variant, one.seed)):
        predictions: list[Prediction] = list(answers)
        scored.setdefault(variant, {})[seed] = score(predictions, training, truths)
    return scored


def _figures(by_seed: dict[int, Scores]) -> dict[tuple[Task, str], list[float]]:
    figures: dict[tuple[Task, str], list[float]] = {}
    for scores in by_seed.values():
        for one in scores.scores:
            if one.part == PARTS.get(one.metric, "all") and not np.isnan(one.value):
                figures.setdefault((one.task, one.metric), []).append(one.value)
    return figures


def _items(scores: Scores, task: Task, metric: str) -> int:
    part = PARTS.get(metric, "all")
    return sum(one.items for one in scores.scores if (one.task, one.metric, one.part) == (task, metric, part))


def table(rows: Sequence[AblationRow], reference: str) -> str:
    """The headlines as a Markdown table: figures, and below each what it has over the reference with its 95 % interval."""
    shown = [key for key in HEADLINES if any((row.task, row.metric) == key for row in rows)]
    lines = [
        f"Means over seeds; in brackets what a variant has over `{reference}`, with its 95 % interval (source videos are drawn"
        " anew within each seed).",
        "",
        "| variant | seeds | " + " | ".join(f"{task}, {metric}" for task, metric in shown) + " |",
        "|---|---|" + "---|" * len(shown),
    ]
    for variant, mine in groupby(rows, lambda row: row.variant):
        known = {(row.task, row.metric): row for row in mine}
        seeds = max(row.seeds for row in known.values())
        cells = [_cell(known[key]) if key in known else "–" for key in shown]
        lines.append(f"| {variant} | {seeds} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _cell(row: AblationRow) -> str:
    if row.difference is None:
        return f"{row.value:.3f}"
    if row.low is None or row.high is None or np.isnan(row.low):
        return f"{row.value:.3f} ({row.difference:+.3f}, no interval)"
    return f"{row.value:.3f} ({row.difference:+.3f}: {row.low:+.3f} … {row.high:+.3f})"


def plot(rows: Sequence[AblationRow], reference: str) -> Picture:
    """What each variant has over the reference, with its interval, one panel a headline."""
    shown = [key for key in HEADLINES if any((row.task, row.metric) == key and row.difference is not None for row in rows)]
    variants = [name for name in dict.fromkeys(row.variant for row in rows) if name != reference]
    across = min(4, max(1, len(shown)))
    down = max(1, -(-len(shown) // across))
    picture = Picture(figsize=(3.2 * across + 1.2, (0.45 * len(variants) + 1.3) * down), layout="constrained")
    panels = picture.subplots(down, across, squeeze=False, sharey=True).flat
    for panel, key in zip(panels, shown, strict=False):
        known = {row.variant: row for row in rows if (row.task, row.metric) == key}
        for place, variant in enumerate(variants):
            row = known.get(variant)
            if row is not None and row.difference is not None:
                ends = (
                    [[row.difference - row.low], [row.high - row.difference]]
                    if row.low is not None and row.high is not None
                    else None
                )
                panel.errorbar(row.difference, place, xerr=ends, fmt="o", color="#1f6f8b", capsize=3)
        panel.axvline(0, color="#888888", linewidth=0.8)
        panel.set_yticks(range(len(variants)), variants, fontsize=8)
        panel.set_title(f"{key[0]}, {key[1]}", fontsize=9)
        panel.tick_params(axis="x", labelsize=7)
    for panel in list(panels)[len(shown) :]:
        panel.set_axis_off()
    picture.supxlabel(f"difference to {reference}, with its 95 % interval", fontsize=8)
    return picture
