"""What each part of a model is worth: variants of it, trained with the same seeds, side by side and against a reference."""

from collections.abc import Mapping, Sequence
from itertools import groupby

import numpy as np
from matplotlib.figure import Figure as Picture

from hawk_pipelines.evaluation.scores import PARTS, Score, Scores, compare_repeated, score
from hawk_pipelines.plain_text import markdown, markdown_code
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
    source videos within each seed. Of one seed there is none: it would leave out how far another seed moves the figure.

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
        for (task, metric), figures in _figures(by_seed).items():
            found, values = over.get((task, metric)), [one.value for one in figures]
            interval = found if len(both) > 1 else None
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
                    low=interval.low if interval else None,
                    high=interval.high if interval else None,
                    p=interval.p if interval else None,
                    compared_seeds=len(both),
                    compared_items=found.items if found else 0,
                    items=sum(one.items for one in figures),
                    videos=max(one.videos for one in figures),
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


def _figures(by_seed: dict[int, Scores]) -> dict[tuple[Task, str], list[Score]]:
    """One for each seed that has any."""
    figures: dict[tuple[Task, str], list[Score]] = {}
    for scores in by_seed.values():
        for one in scores.scores:
            if one.part == PARTS.get(one.metric, "all") and not np.isnan(one.value):
                figures.setdefault((one.task, one.metric), []).append(one)
    return figures


def table(rows: Sequence[AblationRow], reference: str, wanted: Mapping[str, int]) -> str:
    """The headlines as a Markdown table: figures, and after each what it has over the reference with its 95 % interval.

    Args:
        rows: of all variants that answered.
        reference: the variant that the others are compared with.
        wanted: every variant that was to answer, and with how many seeds.
    """
    shown = [key for key in HEADLINES if any((row.task, row.metric) == key for row in rows)]
    by_variant = {name: {(row.task, row.metric): row for row in rows if row.variant == name} for name in wanted}
    intervals = ", with its 95 % interval (source videos are drawn anew within each seed)"
    shown_intervals = intervals if any(row.low is not None for row in rows) else ""
    said = [f"Means over seeds; in brackets what a variant has over {markdown_code(reference)}{shown_intervals}."]
    if not by_variant.get(reference):
        said.append(f"{markdown_code(reference)} came to nothing, so that there is nothing to compare with.")
    lines = [
        " ".join(said),
        "",
        "| variant | seeds | " + " | ".join(_heading(key, rows) for key in shown) + " |",
        "|---|---|" + "---|" * len(shown),
    ]
    for variant, known in by_variant.items():
        seeds = max((row.seeds for row in known.values()), default=0)
        told = str(seeds) if seeds == wanted[variant] else f"{seeds} of {wanted[variant]}"
        cells = [_cell(known[key]) if key in known else "–" for key in shown]
        lines.append(f"| {markdown(variant)} | {told} | " + " | ".join(cells) + " |")
    if sentence := of_one_seed(rows):
        lines += ["", sentence]
    return "\n".join(lines) + "\n"


def of_one_seed(rows: Sequence[AblationRow]) -> str:
    """What stands under a table of which some differences are of a single seed; empty where none is."""
    alone = list(dict.fromkeys(row.variant for row in rows if row.difference is not None and row.compared_seeds == 1))
    if not alone:
        return ""
    which = ", ".join(f"`{variant}`" for variant in alone)
    return (
        f"The differences of {which} are of one seed, so they have no interval: another seed moves a figure as well, and how far "
        "is not known. Do not take them for effects; run more seeds (`ablate.seeds`)."
    )


def _heading(key: tuple[Task, str], rows: Sequence[AblationRow]) -> str:
    """With the answers of one seed, and the source videos that they are about."""
    mine = [row for row in rows if (row.task, row.metric) == key]
    items, videos = max(row.items // row.seeds for row in mine), max(row.videos for row in mine)
    return f"{key[0]}, {key[1]} (n = {items:,}" + (f" of {videos:,} videos)" if videos != items else ")")


def _cell(row: AblationRow) -> str:
    if row.difference is None:
        return f"{row.value:.3f}"
    seeds = "" if row.compared_seeds == row.seeds else f" with the {row.compared_seeds} seed(s) of both"
    if row.compared_seeds == 1:
        return f"{row.value:.3f} ({row.difference:+.3f}{seeds})"
    if row.low is None or row.high is None or np.isnan(row.low):
        return f"{row.value:.3f} ({row.difference:+.3f}{seeds}, no interval)"
    return f"{row.value:.3f} ({row.difference:+.3f}{seeds}: {row.low:+.3f} … {row.high:+.3f})"


def plot(rows: Sequence[AblationRow], reference: str) -> Picture:
    """What each variant has over the reference, with its interval where it has one, one panel a headline."""
    shown = [key for key in HEADLINES if any((row.task, row.metric) == key and row.difference is not None for row in rows)]
    variants = [name for name in dict.fromkeys(row.variant for row in rows) if name != reference]
    across = min(4, max(1, len(shown)))
    down = max(1, -(-len(shown) // across))
    picture = Picture(figsize=(3.2 * across + 1.2, (0.45 * len(variants) + 1.3) * down), layout="constrained")
    panels = picture.subplots(down, across, squeeze=False, sharey=True).ravel()
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
    for panel in panels[len(shown) :]:
        panel.set_axis_off()
    intervals = any(row.low is not None for row in rows)
    with_what = "with its 95 % interval" if intervals else "of one seed: no effect can be told from chance"
    picture.supxlabel(f"difference to {reference}, {with_what}", fontsize=8)
    return picture
