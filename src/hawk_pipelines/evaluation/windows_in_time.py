"""Windows of videos whose frames are not evenly spaced: laid and smoothed by their clock, in seconds.

A second of such a video has many frames in one place and one in another. So windows of one length have different numbers of
frames, always two at least, and are sampled at different steps.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hawk_pipelines.video.clock import ROUNDING_S, Clock

REACH = 4.0
"""Standard deviations of a Gaussian beyond which it is nothing."""


class Windows(NamedTuple):
    """How windows are laid along a video."""

    lengths_s: Sequence[float]
    """Seconds; a video that is shorter than one is one window."""
    stride: float
    """From one window to the next, as a share of their length, at most 1."""
    most: int
    """Windows of a length; those of a longer video are as long as it takes."""


def laid_in_time(clock: Clock, laid: Windows) -> list[list[tuple[int, int]]]:
    """The frames [start, end) of every window, for each length, the shortest first."""
    of_lengths: list[list[tuple[int, int]]] = []
    for length_s in sorted(set(laid.lengths_s)):
        edges = _windows(clock, length_s, laid.stride)
        while len(edges) > laid.most:
            length_s *= max(1.1, len(edges) / laid.most)
            edges = _windows(clock, length_s, laid.stride)
        if edges not in of_lengths:
            of_lengths.append(edges)
    return of_lengths


def sampling_steps(clock: Clock, laid: Windows, looks: int) -> list[tuple[int, int, float]]:
    """Stretches of frames [start, end), and every which of their frames is sampled, so that the shortest windows hold `looks`.

    Steps are powers of two, so that small differences make no stretches of their own.
    """
    fewest = np.full(clock.frames, clock.frames)
    for start, end in laid_in_time(clock, laid)[0]:
        fewest[start:end] = np.minimum(fewest[start:end], end - start)
    steps = 2.0 ** np.floor(np.log2(np.maximum(1.0, fewest / looks)))
    starts = np.flatnonzero(np.diff(steps, prepend=0)).tolist()
    return [(start, end, float(steps[start])) for start, end in zip(starts, [*starts[1:], clock.frames], strict=True)]


def gaussian_in_time(scores: NDArray, clock: Clock, deviation_s: float) -> NDArray:
    """The scores [F] of frames, each as a mean of those around it, weighted by a Gaussian of their distance in seconds."""
    totals, weights = scores.astype(np.float64), np.ones(clock.frames)
    for distance in range(1, clock.frames):
        apart = (clock.times[distance:] - clock.times[:-distance]) / deviation_s
        if apart.min() > REACH:
            break
        weight = np.where(apart > REACH, 0.0, np.exp(-(apart**2) / 2))
        totals[distance:] += weight * scores[:-distance]
        totals[:-distance] += weight * scores[distance:]
        weights[distance:] += weight
        weights[:-distance] += weight
    return totals / weights


def _windows(clock: Clock, length_s: float, stride: float) -> list[tuple[int, int]]:
    """The frames of windows of one length. A window begins with a frame; the last one ends with the video."""
    N, times = clock.frames, clock.times
    numbers = np.arange(N)
    ends = np.minimum(np.maximum(np.searchsorted(times, times + length_s - ROUNDING_S), numbers + 2), N)
    following = np.maximum(np.searchsorted(times, times + stride * length_s - ROUNDING_S), numbers + 1)
    starts = [0]
    while ends[starts[-1]] < N:
        starts.append(int(following[starts[-1]]))
    if len(starts) > 1:  # not a shorter one, but one that begins earlier
        whole = int(np.searchsorted(times, clock.duration_s - length_s + ROUNDING_S, side="right")) - 1
        starts[-1] = max(starts[-2] + 1, min(starts[-1], max(0, whole), N - 2))
    return [(start, int(ends[start])) for start in starts[:-1]] + [(starts[-1], N)]
