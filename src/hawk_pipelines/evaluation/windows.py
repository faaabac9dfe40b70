"""Windows: the stretches of a video that are looked at by themselves, and what their scores say of its frames.

A frame has several scores of several windows. Windows have one or more lengths: a short one knows when something happens, a
long one, which sees more, whether anything does. The score of a frame is, for each length, the mean of the windows that cover
it, and then the mean over the lengths.

Windows overlap, so frames are not sampled for each of them: a video is sampled once, as densely as its shortest windows need,
in parts of at most `PART` frames; every window takes some of these frames.
"""

import math
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hawk_pipelines.schema import FrameSpan, Video, Window, WindowPart
from hawk_pipelines.video.sampling import uniform

PART = 64
"""Frames that are sampled, kept and encoded together."""


class Look(NamedTuple):
    """A sampled frame, and where it is kept."""

    frame: int
    item_id: str
    """The part that it is of."""
    row: int
    """In the part's arrays."""


class Windows(NamedTuple):
    """How windows are laid along a video."""

    lengths_s: Sequence[float]
    """Seconds; a video that is shorter than one is one window."""
    stride: float
    """From one window to the next, as a share of their length, at most 1."""
    most: int
    """Windows of a length; those of a longer video are as long as it takes."""


def windows_of(video: Video, laid: Windows) -> list[Window]:
    """The windows of a video: of each length, evenly from its beginning to its end.

    Returns:
        In order of length and time. Every frame lies in a window of each length.
    """
    return [
        Window(item_id=f"{video.id}-{start}-{start + length}", video_id=video.id, **_span(video, start, start + length))
        for length in _lengths(video, laid)
        for start in _starts(video.frames, length, laid.stride)
    ]


def parts_of(video: Video, laid: Windows, looks: int) -> list[WindowPart]:
    """The parts of a video that are sampled: so densely that its shortest windows hold some `looks` sampled frames, or all.

    Args:
        video: of known length.
        laid: its windows; none where they have no length.
        looks: T, frames of a window.
    """
    lengths = _lengths(video, laid)
    if not lengths:
        return []
    together = math.ceil(video.frames / max(1.0, lengths[0] / looks))
    count = math.ceil(together / PART)
    edges = [round(number * together / count) for number in range(count + 1)]
    frames = [edge * video.frames // together for edge in edges]
    return [
        WindowPart(
            item_id=f"{video.id}-{start}-{end}-{last - first}",
            video_id=video.id,
            looks=last - first,
            **_span(video, start, end),
        )
        for (first, last), (start, end) in zip(pairwise(edges), pairwise(frames), strict=True)
    ]


def looks_in(window: Window, looks: Sequence[Look], count: int) -> list[Look]:
    """The sampled frames of a window: `count` of them, spread evenly, or all there are.

    Args:
        window: of the video.
        looks: its sampled frames, in order.
        count: T.
    """
    start, end = (bisect_left(looks, frame, key=lambda look: look.frame) for frame in (window.start_frame, window.end_frame))
    return [looks[number] for number in uniform(start, end, count).tolist()] if end > start else []


def _lengths(video: Video, laid: Windows) -> list[int]:
    """In frames, each once, the shortest first. Frame 0 shows no motion, so a window has at least two."""
    least = max(2, math.ceil(video.frames / (1 + (laid.most - 1) * laid.stride)))
    return sorted({min(video.frames, max(round(length_s * video.fps), least)) for length_s in laid.lengths_s})


def _starts(frames: int, length: int, stride: float) -> Iterator[int]:
    steps = math.ceil((frames - length) / max(1.0, stride * length))
    yield from (round(step * (frames - length) / steps) for step in range(steps))
    yield frames - length


def _span(video: Video, start: int, end: int) -> dict:
    return {"start_frame": start, "end_frame": end, "start_s": start / video.fps, "end_s": end / video.fps}


def shown_between(span: FrameSpan, fps: float) -> tuple[float, float]:
    """Seconds [start, end) between which exactly these frames are shown, however the times of frames are rounded."""
    return max(0.0, (span.start_frame - 0.5) / fps), (span.end_frame - 0.5) / fps


def frame_scores(windows: Sequence[Window], scores: ArrayLike, frames: int) -> NDArray:
    """The score of each frame of a video.

    Args:
        windows: of the video.
        scores: one for each of them.
        frames: of the video.

    Returns:
        float64 [frames]; nan where no window of some length covers a frame.
    """
    sums: dict[int, NDArray] = {}
    for window, score in zip(windows, np.asarray(scores, np.float64), strict=True):
        of_length = sums.setdefault(window.end_frame - window.start_frame, np.zeros((2, frames)))
        of_length[:, window.start_frame : window.end_frame] += [[score], [1.0]]
    if not sums:
        return np.full(frames, np.nan)
    return np.mean([np.where(count > 0, total / np.maximum(count, 1), np.nan) for total, count in sums.values()], axis=0)


def smoothed(scores: NDArray, smoothing_s: float, fps: float) -> NDArray:
    """The scores of a video's frames, each as a mean of those around it, weighted by a Gaussian.

    Args:
        scores: [F].
        smoothing_s: the Gaussian's standard deviation in seconds; 0 leaves the scores as they are.
        fps: frames a second.
    """
    from scipy.ndimage import gaussian_filter1d  # no start of `kedro` has to wait for it

    return gaussian_filter1d(scores, smoothing_s * fps, mode="nearest") if smoothing_s else scores


def spans_of(video: Video, scores: NDArray, threshold: float) -> list[FrameSpan]:
    """Where the scores of a video's frames are at or above a threshold."""
    from hawk_pipelines.sources.frame_labels import runs

    return [FrameSpan(**_span(video, start, end)) for start, end in runs(scores >= threshold)]
