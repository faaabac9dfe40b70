"""All figures of one evaluation."""

from collections.abc import Sequence

from hawk_pipelines.evaluation.bleu import best_constant, bleu
from hawk_pipelines.evaluation.slots import slot_accuracy
from hawk_pipelines.schema import Prediction, Sample, Truth


def score(predictions: Sequence[Prediction], training: Sequence[Sample], truths: Sequence[Truth]) -> dict[str, dict]:
    """Score predictions.

    Args:
        predictions: answers beside their references.
        training: where the best constant answer may come from.
        truths: what is really to be seen, where that is known.

    Returns:
        `tasks`: for each task BLEU-1..4, the number of answers, and the same of the best constant answer;
        `slots`: slot accuracy of the descriptions, where there is a truth.
    """
    tasks = {}
    for task in ("description", "question"):
        mine = [prediction for prediction in predictions if prediction.task == task]
        if not mine:
            continue
        references = [prediction.reference for prediction in mine]
        constant, constant_scores = best_constant([s.answer for s in training if s.task == task], references)
        scores = bleu([prediction.answer for prediction in mine], references)
        tasks[task] = scores | {"count": len(mine), "best_constant": {"answer": constant, **constant_scores}}
    slots = slot_accuracy(predictions, truths)
    return {"tasks": tasks, "slots": slots} if slots else {"tasks": tasks}


def flat_scores(metrics: dict[str, dict]) -> dict[str, float]:
    """The figures as MLflow takes them: one level of dotted names, numbers only."""
    result: dict[str, float] = {}
    for task, scores in metrics["tasks"].items():
        for name, value in scores.items():
            if isinstance(value, dict):
                result |= {f"{task}.constant_{inner}": number for inner, number in value.items() if inner != "answer"}
            else:
                result[f"{task}.{name}"] = float(value)
    for slot, scores in metrics.get("slots", {}).items():
        result |= {f"slots.{slot}.{name}": number for name, number in scores.items()}
    return result
