"""When something unusual happens: how well scores of frames agree with labels of frames, and spans with spans.

Area under the ROC curve (AUC) and average precision (AP) of frames are pooled over all videos (micro), which also asks whether
scores of different videos can be compared, and averaged over the videos that have both kinds of frames (macro), which asks only
where in its video the unusual is. Published figures are of either, often without saying so.

Frames with equal scores count half for each other in the AUC, and are retrieved together in the AP, as in scikit-learn.
Intervals come from resampling source videos; what resampling adds up are the frames of each video by their score, in at most
`LEVELS` levels: one of them holds few of all frames and, however rare these are, few of the unusual ones.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from hawk_pipelines.evaluation.asked import NORMAL
from hawk_pipelines.evaluation.statistics import Difference, Figure, difference, figure, mean
from hawk_pipelines.schema import FrameSpan, Video

LEVELS = 500
"""Levels of scores that resampled videos are compared in; figures themselves are exact."""
OVERLAPS = (0.3, 0.5, 0.7)
"""IoU from which on a span counts as found."""


class Labelled(NamedTuple):
    """Videos whose frames have labels."""

    labels: Sequence[NDArray]
    """V times bool [F], whether something unusual is to be seen."""
    sources: Sequence[str]
    """V source videos."""


def frame_labels(video: Video) -> NDArray | None:
    """Which frames of a video show something unusual: bool [F]; None where that is not known."""
    labels = np.zeros(video.frames, bool)
    if video.label == NORMAL:
        return labels
    for span in video.spans:
        labels[span.start_frame : span.end_frame] = True
    return labels if video.spans else None


def auc(labels: NDArray, scores: NDArray) -> float:
    """The share of pairs of an unusual and a usual frame of which the unusual one has the higher score.

    Args:
        labels: bool [F].
        scores: [F].

    Returns:
        In [0, 1]; nan where all frames are of one kind.
    """
    return float(auc_of(_by_level([labels], [scores])[0]))


def average_precision(labels: NDArray, scores: NDArray) -> float:
    """The mean, over the unusual frames, of the share of unusual ones among all frames with at least its score.

    Args:
        labels: bool [F].
        scores: [F].

    Returns:
        In [0, 1]; nan where no frame is unusual.
    """
    return float(average_precision_of(_by_level([labels], [scores])[0]))


def roc(labels: Sequence[NDArray], scores: Sequence[Sequence[float]], most: int = 200) -> list[tuple[float, float]]:
    """The ROC curve of the frames of all videos.

    Args:
        labels: V times bool [F], whether something unusual is to be seen.
        scores: V times [F].
        most: points, of which the first is (0, 0) and the last (1, 1).

    Returns:
        The share of usual and that of unusual frames with at least a score, from the highest one on; nothing where all frames are
        of one kind.
    """
    unusual, usual = np.split(_by_level(labels, [np.asarray(one) for one in scores], most - 1).sum(0), 2)
    if not unusual.sum() or not usual.sum():
        return []
    along = np.stack([usual.cumsum() / usual.sum(), unusual.cumsum() / unusual.sum()], axis=1)
    return [(0.0, 0.0), *((usual_share, unusual_share) for usual_share, unusual_share in along.tolist())]


def frame_figures(videos: Labelled, scores: Sequence[NDArray], seed: int = 0) -> dict[str, Figure]:
    """How well scores say which frames are unusual.

    Args:
        videos: V of them.
        scores: V times [F].
        seed: of the resampling.

    Returns:
        `frame_auc`, `frame_ap`, whose items are frames; `frame_auc_macro`, `frame_ap_macro`, whose items are videos.
    """
    levels = _by_level(videos.labels, scores, LEVELS)
    frames = sum(map(len, videos.labels))
    rows = _with_both(videos)
    sources = [videos.sources[row] for row in rows]
    found, pooled = {}, _pooled(videos.labels, scores)
    for name, score, of in _FIGURES:
        value = score(*pooled)
        found[name] = figure(levels, videos.sources, of, seed=seed)._replace(value=value, items=frames)
    for name, score, _ in _FIGURES:
        means = _means([score(videos.labels[row], scores[row]) for row in rows])
        found[f"{name}_macro"] = figure(means, sources, mean, seed=seed)
    return found


def frame_differences(
    videos: Labelled, first: Sequence[NDArray], second: Sequence[NDArray], seed: int = 0
) -> dict[str, Difference]:
    """What second scores have over first ones: `frame_auc`, `frame_ap`, `frame_auc_macro`, `frame_ap_macro`, paired by video."""
    before, after = (_by_level(videos.labels, scores, LEVELS) for scores in (first, second))
    frames = sum(map(len, videos.labels))
    rows = _with_both(videos)
    sources = [videos.sources[row] for row in rows]
    found, pooled = {}, [_pooled(videos.labels, scores) for scores in (first, second)]
    for name, score, of in _FIGURES:
        earlier, later = (score(*one) for one in pooled)
        found[name] = difference(before, after, videos.sources, of, seed=seed)._replace(value=later - earlier, items=frames)
        one, other = (_means([score(videos.labels[row], scores[row]) for row in rows]) for scores in (first, second))
        found[f"{name}_macro"] = difference(one, other, sources, mean, seed=seed)
    return found


def span_figures(videos: Sequence[Video], predicted: Sequence[Sequence[FrameSpan]], seed: int = 0) -> dict[str, Figure]:
    """How well predicted spans agree with the true ones.

    Spans of a video are matched one to one, so that their overlaps (intersection over union in frames, IoU) are largest in sum;
    a span without a match has an IoU of 0.

    Args:
        videos: whose frames have labels.
        predicted: spans in each.
        seed: of the resampling.

    Returns:
        `miou`, the mean IoU of true spans, and `recall_0.3` …, the share of them that are found at this IoU, whose items are true
        spans; `precision_0.3` …, the share of predicted spans that are right, whose items are predicted spans; `false_alarms`,
        the share of normal videos with a predicted span, whose items are normal videos.
    """
    overlaps = [_matched(video.spans, spans) for video, spans in zip(videos, predicted, strict=True)]
    true, guessed = (np.array([len(spans) for spans in both]) for both in ([v.spans for v in videos], predicted))
    sources = [video.group or video.id for video in videos]
    normal = np.array([video.label == NORMAL for video in videos], bool)

    def of(values: list[float], counts: NDArray) -> Figure:
        rows = np.flatnonzero(counts)
        statistics = np.stack([np.array(values, float), counts.astype(float)], 1)[rows] if len(rows) else np.zeros((0, 2))
        return figure(statistics, [sources[row] for row in rows], mean, seed=seed)._replace(items=int(counts.sum()))

    found = {"miou": of([sum(ious) for ious in overlaps], true)}
    for least in OVERLAPS:
        hits: list[float] = [sum(iou >= least for iou in ious) for ious in overlaps]
        found |= {f"recall_{least}": of(hits, true), f"precision_{least}": of(hits, guessed)}
    found["false_alarms"] = of((normal & (guessed > 0)).tolist(), normal)
    return found


def overlap(one: FrameSpan, other: FrameSpan) -> float:
    """Intersection over union of two spans, in frames."""
    shared = min(one.end_frame, other.end_frame) - max(one.start_frame, other.start_frame)
    together = (one.end_frame - one.start_frame) + (other.end_frame - other.start_frame) - max(0, shared)
    return max(0, shared) / together


def auc_of(sums: NDArray) -> NDArray:
    """The AUC of frames that are counted by level: [..., 2·L], unusual ones and then usual ones, the highest scores first."""
    unusual, usual = np.split(sums, 2, axis=-1)
    below = usual.sum(-1, keepdims=True) - usual.cumsum(-1) + usual / 2
    return _share((unusual * below).sum(-1), unusual.sum(-1) * usual.sum(-1))


def average_precision_of(sums: NDArray) -> NDArray:
    """The AP of frames that are counted in the same way."""
    unusual, usual = np.split(sums, 2, axis=-1)
    retrieved = unusual.cumsum(-1)
    precision = retrieved / np.maximum(retrieved + usual.cumsum(-1), 1)
    return _share((unusual * precision).sum(-1), unusual.sum(-1))


_FIGURES = (("frame_auc", auc, auc_of), ("frame_ap", average_precision, average_precision_of))
"""Of frames: name, the figure itself, and the same of frames that are counted by level."""


def _share(part: NDArray, whole: NDArray) -> NDArray:
    return np.where(whole > 0, part / np.where(whole > 0, whole, 1), np.nan)


def _by_level(labels: Sequence[NDArray], scores: Sequence[NDArray], most: int | None = None) -> NDArray:
    """Frames of each video by level, [V, 2·L] as in `auc_of`; equal scores are always of one level."""
    if not labels:
        return np.zeros((0, 2))
    truth, frames = _pooled(labels, scores)
    _, place, counts = np.unique(-frames, return_inverse=True, return_counts=True)
    levels = np.arange(len(counts))
    if most is not None and len(counts) > most:
        # Half of the edges are quantiles of all frames, half of the unusual ones: those of a level count as retrieved together.
        above = _share_above(counts) + _share_above(np.bincount(place, truth))
        levels = np.unique((above * most / 2).astype(int), return_inverse=True)[1]
    L = int(levels[-1]) + 1 if len(levels) else 1
    columns = levels[place] + L * ~truth
    rows = np.repeat(np.arange(len(labels)), [len(one) for one in labels])
    return np.bincount(rows * 2 * L + columns, minlength=len(labels) * 2 * L).reshape(len(labels), 2 * L).astype(float)


def _share_above(counts: NDArray) -> NDArray:
    return (counts.cumsum() - counts) / max(counts.sum(), 1)


def _pooled(labels: Sequence[NDArray], scores: Sequence[NDArray]) -> tuple[NDArray, NDArray]:
    """The frames of all videos in a row."""
    if not labels:
        return np.zeros(0, bool), np.zeros(0)
    return np.concatenate(labels), np.concatenate(scores)


def _with_both(videos: Labelled) -> list[int]:
    """The videos that have unusual and usual frames."""
    return [row for row, labels in enumerate(videos.labels) if labels.any() and not labels.all()]


def _means(values: Sequence[float]) -> NDArray:
    return np.stack([np.array(values, float), np.ones(len(values))], axis=1)


def _matched(true: Sequence[FrameSpan], predicted: Sequence[FrameSpan]) -> list[float]:
    """The IoU of every true span that has a match."""
    ious = np.array([[overlap(one, other) for other in predicted] for one in true]).reshape(len(true), len(predicted))
    return [float(iou) for iou in ious[linear_sum_assignment(ious, maximize=True)]]
