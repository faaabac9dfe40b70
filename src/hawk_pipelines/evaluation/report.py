"""What the evaluation shows: a plot and a table of examples."""

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from hawk_pipelines.schema import Prediction


def plot(metrics: Mapping[str, Mapping]) -> Figure:
    """Bars of BLEU beside the best constant answer, and of slot accuracy beside chance where there is a truth."""
    slots = metrics.get("slots", {})
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    axes = figure.subplots(1, 2 if slots else 1, squeeze=False)[0]
    names, scores, baselines = [], [], []
    for task, by_task in metrics["tasks"].items():
        for order in range(1, 5):
            names.append(f"{task}\nBLEU-{order}")
            scores.append(by_task[f"bleu_{order}"])
            baselines.append(by_task["best_constant"][f"bleu_{order}"])
    _bars(axes[0], names, scores, baselines, "best constant answer", "BLEU")
    if slots:
        names = [f"{slot}\n(n={int(score['count'])})" for slot, score in slots.items()]
        accuracies = [score["accuracy"] for score in slots.values()]
        _bars(axes[1], names, accuracies, [score["chance"] for score in slots.values()], "chance", "slot accuracy")
    return figure


def _bars(axis, names: list[str], scores: list[float], baselines: list[float], baseline: str, title: str) -> None:  # type: ignore[no-untyped-def]
    places = range(len(names))
    axis.bar([place - 0.2 for place in places], scores, width=0.4, label="HAWK", color="#1f6f8b")
    axis.bar([place + 0.2 for place in places], baselines, width=0.4, label=baseline, color="#c9c9c9")
    axis.set_xticks(list(places), [name.replace("description", "descr.").replace("question", "QA") for name in names], fontsize=7)
    axis.set_ylim(0, 1)
    axis.set_title(title)
    axis.legend(fontsize=7, loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=2, frameon=False)


def examples_table(predictions: Sequence[Prediction], names: Mapping[str, str], count: int) -> str:
    """A Markdown table of the first answers.

    Args:
        predictions: what was generated.
        names: what each item's video is called.
        count: rows.
    """
    lines = ["| video | question | reference | answer |", "|---|---|---|---|"]
    for prediction in predictions[:count]:
        cells = [names[prediction.item_id], prediction.question, prediction.reference, prediction.answer]
        lines.append("| " + " | ".join(_cell(cell) for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")
