"""About ten figures that people compare, and two curves, in the form that `dvc metrics`, `dvc exp show` and `dvc plots` read."""

from collections.abc import Mapping, Sequence
from typing import Any

from hawk_pipelines.evaluation.localisation import frame_labels, roc
from hawk_pipelines.schema import AnomalyScore, ConversationScore, Video

FIGURES = {
    "description_bleu_4": ("tasks", "description", "bleu_4"),
    "description_rouge_l": ("tasks", "description", "rouge_l"),
    "question_bleu_4": ("tasks", "question", "bleu_4"),
    "action_accuracy": ("slots", "action", "accuracy"),
    "actor_accuracy": ("slots", "actor", "accuracy"),
    "place_accuracy": ("slots", "place", "accuracy"),
    "normal_accuracy": ("slots", "normal", "accuracy"),
    "later_turns_accuracy": ("conversation", "full_later", "accuracy"),
    "follow_ups_accuracy": ("conversation", "short_later", "accuracy"),
}
"""Where each stands in the metrics of the evaluation; the frame AUC of the anomaly score comes beside them."""


def headline(metrics: Mapping[str, Any], when: Mapping[str, Any]) -> dict[str, float]:
    """The figures by name; those that are not known, as accuracies where no truth is, are left out.

    Args:
        metrics: see `scores.metrics`, with `conversation`.
        when: see `when.metrics`; empty where nothing was scored.
    """
    values = {name: _value(metrics, path) for name, path in FIGURES.items()}
    of_frames = [row["value"] for row in when.get("figures", ()) if (row["scored"], row["metric"]) == ("score", "frame_auc")]
    values["frame_auc"] = of_frames[0] if of_frames else None
    return {name: float(value) for name, value in values.items() if value is not None}


def _value(metrics: Mapping[str, Any], path: Sequence[str]) -> Any:
    found: Any = metrics
    for name in path:
        found = (found or {}).get(name)
    return found


def turn_curve(scores: Sequence[ConversationScore]) -> list[dict[str, Any]]:
    """BLEU-4 of full questions by `turn`, `in_turn` and `alone`; nothing where no conversation was held."""
    return [
        {"turn": score.turn, "in_turn": score.value, "alone": score.alone}
        for score in scores
        if score.form == "full" and score.metric == "bleu_4" and None not in (score.turn, score.value, score.alone)
    ]


def roc_curve(scores: Sequence[AnomalyScore], videos: Sequence[Video]) -> list[dict[str, float]]:
    """The ROC of the smoothed scores of all labelled frames; nothing where these are of one kind."""
    labels = {video.id: found for video in videos if (found := frame_labels(video)) is not None}
    known = [score for score in scores if score.video_id in labels]
    points = roc([labels[score.video_id] for score in known], [score.smoothed for score in known])
    return [{"false_positive_rate": usual, "true_positive_rate": unusual} for usual, unusual in points]
