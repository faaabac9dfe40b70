"""What a run prints: the first things that each step refused, and a table at the end."""

import shlex
from collections.abc import Collection, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from types import MappingProxyType
from typing import Any

from kedro.io import CatalogProtocol
from kedro.pipeline import Pipeline
from rich.table import Table

from hawk_pipelines.datasets.records import RecordsDataset
from hawk_pipelines.plain_text import plain
from hawk_pipelines.schema import AblationRow, Rejection
from hawk_pipelines.terminal import Terminal

SHOWN_REJECTIONS = 3
"""Of each step; the table has all of them."""
LONGEST_SHOWN = 500
"""Characters of a name or a reason; either may hold a whole line of a file."""


def show(
    pipeline: Pipeline,
    catalog: CatalogProtocol,
    env: str | None,
    ending: str | None = None,
    reused: Collection[str] = (),
    seconds: Mapping[str, float] = MappingProxyType({}),
) -> None:
    """Print what a pipeline made, where it is, and the next command to try.

    Args:
        pipeline: it has run.
        catalog: what it made is in it.
        env: the folder of `conf` that the run was told; None: none.
        ending: why it ended before its last step, in a sentence; None where it did not.
        reused: names of the nodes that had nothing to do, because what they made is there.
        seconds: that each node took, reading and writing included.
    """
    console = Terminal()
    made = Table(title="Made in this run", title_justify="left", box=None, pad_edge=False)
    for title in ("what", "how many", "seconds", "where"):
        made.add_column(title, justify="right" if title in ("how many", "seconds") else "left", overflow="fold")
    outputs = pipeline.all_outputs()
    if reused:
        made.add_column("this time")
    unshown = dict(seconds)
    made_by = {name: node.name for node in pipeline.nodes for name in node.outputs if name in outputs}
    for name, node in made_by.items():
        dataset = catalog.get(name)
        path = path_of(dataset)
        count = str(dataset.count()) if isinstance(dataset, RecordsDataset) else ""
        taken = f"{unshown.pop(node):.1f}" if node in unshown else ""  # beside the first thing that a node makes
        made.add_row(name, count, taken, path, *["nothing to do" if node in reused else ""] * bool(reused))
    console.print(made)
    if "judged_drafts" in outputs:
        told = catalog.load("validation")
        console.print(_verdicts(told))
        if (written := told["language_model"])["labels"]:
            each = written["cost_usd_per_accepted"]
            cost = f"{written['cost_usd']:.4f} US dollars" + (f", {each:.4f} for each accepted one" if each is not None else "")
            told_of = f"A language model wrote {written['labels']:,} descriptions and answers for {cost}"
            console.print(f"{told_of}; {written['refusals']:,} times it refused.", soft_wrap=True)
        if (waiting := told["review"]["waiting"]) and not ending:
            command = f".venv/bin/hawk review next{_env(env)}"
            console.print(f"{waiting:,} text(s) wait for a person: {command}", soft_wrap=True)
    if "metrics" in outputs:
        metrics = catalog.load("metrics")
        console.print(_metrics(metrics))
        if metrics.get("conversation"):
            console.print(_conversation(metrics["conversation"]))
        for note in metrics["notes"]:
            console.print(f"- {note}", soft_wrap=True)
    if "when" in outputs:
        told = {one["scored"]: one for one in catalog.load("when")["figures"] if one["metric"] == "frame_auc"}
        if "score" in told and told["score"]["value"] is not None:
            plain = f"plain motion {told['flow']['value']:.3f}; {told['score']['videos']} videos"
            console.print(f"Frame AUC of the anomaly score: {told['score']['value']:.3f} ({plain})")
    if "ablations" in outputs:
        from hawk_pipelines.evaluation.ablation import of_one_seed

        rows = catalog.load("ablations")
        console.print(_variants(rows))
        if sentence := of_one_seed(rows):
            console.print(sentence, soft_wrap=True, highlight=False, markup=False)
    if "registered_model" in outputs:
        told = catalog.load("registered_model")
        console.print(f"\nVersion {told['version']} of {told['name']}: {told['reason']}", soft_wrap=True)
    if ending:
        console.print(f"\n{ending}", soft_wrap=True)
    following = _next_after_ending(outputs, catalog) if ending else _next(outputs, catalog, env)
    console.print(f"\nNext: {following}\n", soft_wrap=True)


def show_rejections(rejections: Sequence[Rejection], step: str, path: str) -> None:
    """Print the first reasons of what a step left out or changed, made safe to print. Nothing where there are none.

    Args:
        rejections: in the order of the table.
        step: the node that refused them.
        path: where all of them are.
    """
    if not rejections:
        return
    lines = [f"{step} left out or changed {len(rejections):,} thing(s):"]
    lines += [f"- {_short(one.item)}: {_short(one.reason)}" for one in rejections[:SHOWN_REJECTIONS]]
    more = len(rejections) - SHOWN_REJECTIONS
    lines.append(f"… and {more:,} more in {path}" if more > 0 else f"(in {path})")
    Terminal().print("\n".join(lines), soft_wrap=True)


def _short(text: str) -> str:
    words = plain(text)
    return words if len(words) <= LONGEST_SHOWN else f"{words[:LONGEST_SHOWN]} …"


def path_of(dataset: Any) -> str:
    """Where a dataset is kept, as a path below the current folder where it is there."""
    path = Path(str(getattr(dataset, "_filepath", "")))
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def _verdicts(told: dict) -> Table:
    table = Table(title="\nWhat became of the drafts", title_justify="left", box=None, pad_edge=False)
    for title in ("what", "accepted", "need review", "rejected"):
        table.add_column(title, justify="left" if title == "what" else "right")
    for what in ("items", "answers"):
        table.add_row(what, *(f"{told[what][verdict]:,}" for verdict in ("accepted", "needs_review", "rejected")))
    return table


def _metrics(metrics: dict) -> Table:
    table = Table(title="\nScores on held-out videos", title_justify="left", box=None, pad_edge=False)
    for title in ("what", "HAWK", "without seeing", "of"):
        table.add_column(title, justify="left" if title == "what" else "right")
    for task, scores in metrics["tasks"].items():
        for order in (1, 4):
            constant = scores["best_constant"][f"bleu_{order}"]
            table.add_row(f"{task}, BLEU-{order}", f"{scores[f'bleu_{order}']:.3f}", f"{constant:.3f}", str(scores["count"]))
    for slot, scores in metrics.get("slots", {}).items():
        share = f" ({scores['normal_share']:.0%} are normal)" if "normal_share" in scores else ""
        table.add_row(
            f"{slot} named rightly{share}", f"{scores['accuracy']:.3f}", f"{scores['chance']:.3f}", str(int(scores["count"]))
        )
    return table


def _conversation(conversation: dict) -> Table:
    """By turn, beside the same questions asked alone: accuracy where it is known, otherwise BLEU-4."""
    metric = "accuracy" if any("accuracy" in figures for figures in conversation.values()) else "bleu_4"
    name = "right answers" if metric == "accuracy" else "BLEU-4"
    table = Table(title=f"\nIn a conversation: {name}", title_justify="left", box=None, pad_edge=False)
    for title in ("what", "in turn", "95 % interval", "asked alone", "of"):
        table.add_column(title, justify="left" if title == "what" else "right")
    forms = {"full": "question", "short": "follow-up in short", "check": '"Are you sure?"'}
    for place, figures in conversation.items():
        form, _, turn = place.partition("_")
        if metric not in figures or (turn == "later" and form == "full") or (turn != "later" and form != "full"):
            continue
        low, high = figures[f"{metric}_low"], figures[f"{metric}_high"]
        interval = "" if low is None else f"{low:.3f} … {high:.3f}"
        where = f", {turn.replace('_', ' ')}" if form == "full" else ""
        value, alone, count = figures[metric], figures[f"{metric}_alone"], figures[f"{metric}_count"]
        table.add_row(f"{forms[form]}{where}", f"{value:.3f}", interval, f"{alone:.3f}", str(count))
    return table


def _variants(rows: list[AblationRow]) -> Table:
    """The headlines of every variant, and what it has over the reference."""
    table = Table(title="\nVariants, means over their seeds", title_justify="left", box=None, pad_edge=False)
    for title in ("variant", "what", "figure", "difference", "95 % interval"):
        table.add_column(title, justify="left" if title in {"variant", "what"} else "right", overflow="fold")
    shown = [row for row in rows if row.metric in {"bleu_4", "slot_actor", "slot_action"}]
    for variant, mine in groupby(shown, lambda row: row.variant):
        for place, row in enumerate(mine):
            over = "" if row.difference is None else f"{row.difference:+.3f}"
            interval = "" if row.low is None or row.high is None else f"{row.low:+.3f} … {row.high:+.3f}"
            what = row.metric if row.metric.startswith("slot_") else f"{row.task} {row.metric}"
            table.add_row("" if place else variant, what, f"{row.value:.3f}", over, interval)
    return table


def _next_after_ending(outputs: set[str], catalog: CatalogProtocol) -> str:
    if "finetuned_model" in outputs:
        return ".venv/bin/hawk describe VIDEO --model data/06_models/finetuned_model"
    return ".venv/bin/hawk review next" if catalog.load("validation")["review"]["waiting"] else ".venv/bin/kedro run"


def _next(outputs: set[str], catalog: CatalogProtocol, env: str | None) -> str:
    if "registered_model" in outputs:
        tested = next((video.path for video in catalog.load("videos") if video.split == "test"), "VIDEO")
        uri = catalog.load("registered_model")["uri"]
        model = "" if uri == "models:/hawk@production" else f" --model {shlex.quote(uri)}"
        return f'.venv/bin/hawk ask {shlex.quote(tested)} "What unusual event happens in the video?"{model}'
    if "question_pool" in outputs:
        return f".venv/bin/hawk review next --queue {shlex.quote(path_of(catalog.get('question_queue')))}"
    if "ablations" in outputs:
        return "make ui"
    steps = {
        "videos": "split",
        "clips": "caption",
        "clip_captions": "annotate",
        "drafts": "validate",
        "annotations": "motion",
        "frames": "encode",
        "features": "finetune",
        "pretrained_model": "finetune",
        "finetuned_model": "evaluate",
        "metrics": "register",
    }
    following = next((step for name, step in reversed(steps.items()) if name in outputs), "__default__")
    return f".venv/bin/kedro run --pipelines={following}{_env(env)}"


def _env(env: str | None) -> str:
    return f" --env {shlex.quote(env)}" if env else ""
