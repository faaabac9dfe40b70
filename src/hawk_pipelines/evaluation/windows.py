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

from hawk_pipelines.evaluation.windows_in_time import Windows, gaussian_in_time, laid_in_time, sampling_steps
from hawk_pipelines.schema import FrameSpan, Video, Window, WindowPart
from hawk_pipelines.video.clock import Clock, clock_of
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


def windows_of(video: Video, laid: Windows) -> list[Window]:
    """The windows of a video: of each length, from its beginning to its end.

    Returns:
        In order of length and time. Every frame lies in a window of each length.
    """
    clock = clock_of(video)
    if clock.even:
        stretches = [
            (start, start + length, "")
            for length in _lengths(clock, laid)
            for start in _starts(clock.frames, length, laid.stride)
        ]
    else:  # windows of several lengths may have the same frames
        of_lengths = enumerate(laid_in_time(clock, laid))
        stretches = [(start, end, f"-{number}") for number, edges in of_lengths for start, end in edges]
    return [
        Window(item_id=f"{video.id}-{start}-{end}{which}", video_id=video.id, **clock.span(start, end).model_dump())
        for start, end, which in stretches
    ]


def parts_of(video: Video, laid: Windows, looks: int) -> list[WindowPart]:
    """The parts of a video that are sampled: so densely that its shortest windows hold some `looks` sampled frames, or all.

    Args:
        video: of known length.
        laid: its windows; none where they have no length.
        looks: T, frames of a window.
    """
    clock = clock_of(video)
    if not laid.lengths_s:
        return []
    if clock.even:
        stretches = [(0, clock.frames, max(1.0, _lengths(clock, laid)[0] / looks))]
    else:
        stretches = sampling_steps(clock, laid, looks)
    return [
        WindowPart(
            item_id=f"{video.id}-{start}-{end}-{count}",
            video_id=video.id,
            looks=count,
            **clock.span(start, end).model_dump(),
        )
        for stretch in stretches
        for start, end, count in _parts(*stretch)
    ]


def _parts(start: int, end: int, step: float) -> Iterator[tuple[int, int, int]]:
    """A stretch of frames of which every so-manyth is sampled, in parts: first frame, the one after the last, sampled frames."""
    together = math.ceil((end - start) / step)
    count = math.ceil(together / PART)
    edges = [round(number * together / count) for number in range(count + 1)]
    frames = [start + edge * (end - start) // together for edge in edges]
    for (first, last), (begin, stop) in zip(pairwise(edges), pairwise(frames), strict=True):
        yield begin, stop, last - first


def looks_in(window: Window, looks: Sequence[Look], count: int) -> list[Look]:
    """The sampled frames of a window: `count` of them, spread evenly, or all there are.

    Args:
        window: of the video.
        looks: its sampled frames, in order.
        count: T.
    """
    start, end = (bisect_left(looks, frame, key=lambda look: look.frame) for frame in (window.start_frame, window.end_frame))
    return [looks[number] for number in uniform(start, end, count).tolist()] if end > start else []


def _lengths(clock: Clock, laid: Windows) -> list[int]:
    """In frames, each once, the shortest first. Frame 0 shows no motion, so a window has at least two."""
    least = max(2, math.ceil(clock.frames / (1 + (laid.most - 1) * laid.stride)))
    return sorted({min(clock.frames, max(round(length_s * float(clock.rate)), least)) for length_s in laid.lengths_s})


def _starts(frames: int, length: int, stride: float) -> Iterator[int]:
    steps = math.ceil((frames - length) / max(1.0, stride * length))
    yield from (round(step * (frames - length) / steps) for step in range(steps))
    yield frames - length


def frame_scores(windows: Sequence[Window], scores: ArrayLike, frames: int) -> NDArray:
    """The score of each frame of a video.

    Args:
        windows: of the video, in order of length and time, as `windows_of` gives them.
        scores: one for each of them.
        frames: of the video.

    Returns:
        float64 [frames]; nan where no window of some length covers a frame.
    """
    sums: list[NDArray] = []
    last_start = frames
    for window, score in zip(windows, np.asarray(scores, np.float64), strict=True):
        if window.start_frame <= last_start:  # another length begins
            sums.append(np.zeros((2, frames)))
        last_start = window.start_frame
        sums[-1][:, window.start_frame : window.end_frame] += [[score], [1.0]]
    if not sums:
        return np.full(frames, np.nan)
    return np.mean([np.where(count > 0, total / np.maximum(count, 1), np.nan) for total, count in sums], axis=0)


def smoothed(scores: NDArray, smoothing_s: float, clock: Clock) -> NDArray:
    """The scores of a video's frames, each as a mean of those around it, weighted by a Gaussian.

    Args:
        scores: [F].
        smoothing_s: the Gaussian's standard deviation in seconds; 0 leaves the scores as they are.
        clock: of the video.
    """
    from scipy.ndimage import gaussian_filter1d  # no start of `kedro` has to wait for it

    if not smoothing_s:
        return scores
    if clock.even:
        return gaussian_filter1d(scores, smoothing_s * float(clock.rate), mode="nearest")
    return gaussian_in_time(scores, clock, smoothing_s)


def spans_of(video: Video, scores: NDArray, threshold: float) -> list[FrameSpan]:
    """Where the scores of a video's frames are at or above a threshold."""
    from hawk_pipelines.sources.frame_labels import runs

    clock = clock_of(video)
    return [clock.span(start, end) for start, end in runs(scores >= threshold)]
