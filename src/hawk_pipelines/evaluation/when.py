"""What is told of when something unusual happens: every figure of the model's scores and of those it is compared with."""

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hawk_pipelines.evaluation.localisation import Labelled, frame_differences, frame_figures, frame_labels, span_figures
from hawk_pipelines.evaluation.statistics import Difference, Figure, plain
from hawk_pipelines.evaluation.windows import frame_scores, smoothed, spans_of
from hawk_pipelines.schema import AnomalyScore, Video, WindowScore
from hawk_pipelines.video.clock import clock_of

SCORE, RAW, FLOW, PEAK_FLOW = "score", "raw", "flow", "peak_flow"
"""What is scored: the model's smoothed and raw score; plain motion, of the whole picture and of the point that moves most."""
WHOLE = "whole_video"
"""Spans that are compared with: every video from its beginning to its end."""
Curves = Mapping[str, Mapping[str, NDArray]]
"""By what is scored, and by the video's id: a score for each frame."""


def curves(videos: Mapping[str, Video], windows: Sequence[WindowScore], smoothing_s: float) -> Curves:
    """The scores of frames, made of those of windows; all but the raw ones are smoothed.

    Args:
        videos: by their ids.
        windows: scored, those of a video together.
        smoothing_s: see `windows.smoothed`.
    """
    found: dict[str, dict[str, NDArray]] = {SCORE: {}, RAW: {}, FLOW: {}, PEAK_FLOW: {}}
    for video_id, group in groupby(windows, lambda window: window.video_id):
        video, along = videos[video_id], list(group)
        found[RAW][video_id] = frame_scores(along, [window.score for window in along], video.frames)
        found[SCORE][video_id] = smoothed(found[RAW][video_id], smoothing_s, clock_of(video))
        for name in (FLOW, PEAK_FLOW):
            moved = frame_scores(along, [getattr(window, name) for window in along], video.frames)
            found[name][video_id] = smoothed(moved, smoothing_s, clock_of(video))
    return found


def anomaly_scores(videos: Mapping[str, Video], found: Curves, threshold: float) -> list[AnomalyScore]:
    """What is kept of every video: its scores, and where they are at or above the threshold."""
    return [
        AnomalyScore(
            video_id=video_id,
            video=videos[video_id].name,
            raw=found[RAW][video_id].tolist(),
            smoothed=scores.tolist(),
            predicted=spans_of(videos[video_id], scores, threshold),
        )
        for video_id, scores in found[SCORE].items()
    ]


def metrics(videos: Sequence[Video], found: Curves, threshold: float, seed: int = 0) -> dict[str, Any]:
    """All figures as JSON; what is not known is null.

    Args:
        videos: those that have scores.
        found: see `curves`.
        threshold: from which on a smoothed score is one of a predicted span.
        seed: of the resampling.

    Returns:
        `videos`: how many of them are `scored`, `labelled`, labelled with `both` kinds of frames, and their `frames` and
        `unusual_frames`; `figures`: rows of what is scored, metric, value, interval, and what is behind them; `differences`: what
        the model's score has over each of the others that motion alone gives.
    """
    labelled = [(video, labels) for video in videos if (labels := frame_labels(video)) is not None]
    known = Labelled([labels for _, labels in labelled], [video.group or video.id for video, _ in labelled])

    def of(scored: str) -> list[NDArray]:
        return [found[scored][video.id] for video, _ in labelled]

    figures = [_row(scored, *one) for scored in found for one in frame_figures(known, of(scored), seed).items()]
    with_labels = [video for video, _ in labelled]
    for name, threshold_of, scores in (
        (SCORE, threshold, of(SCORE)),
        (WHOLE, 0.0, [np.zeros(len(labels)) for labels in known.labels]),
    ):
        predicted = [spans_of(video, score, threshold_of) for video, score in zip(with_labels, scores, strict=True)]
        figures += [_row(name, *one) for one in span_figures(with_labels, predicted, seed).items()]
    differences = [
        {"over": other} | _row(SCORE, *one)
        for other in (FLOW, PEAK_FLOW)
        for one in frame_differences(known, of(other), of(SCORE), seed).items()
    ]
    counts = {
        "scored": len(videos),
        "labelled": len(labelled),
        "both": sum(bool(labels.any() and not labels.all()) for labels in known.labels),
        "frames": sum(map(len, known.labels)),
        "unusual_frames": int(sum(labels.sum() for labels in known.labels)),
    }
    return {"videos": counts, "figures": figures, "differences": differences}


def flat(told: Mapping[str, Any]) -> dict[str, float]:
    """The figures as MLflow takes them: `when.<metric>` of the model's score, `when.<what>.<metric>` of others."""
    known = [row for row in told["figures"] if row["value"] is not None]
    names = ["when" if row["scored"] == SCORE else f"when.{row['scored']}" for row in known]
    return {f"{name}.{row['metric']}": float(row["value"]) for name, row in zip(names, known, strict=True)}


def _row(scored: str, metric: str, figure: Figure | Difference) -> dict[str, Any]:
    return {"scored": scored, "metric": metric, **plain(figure)}
