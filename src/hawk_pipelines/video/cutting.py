"""From videos to clips: cut where little moves, where shots change, or at a fixed stride.

Cuts by motion and by shots are the best ones among all that leave clips of allowed lengths: those of the least sum of

- what each cut costs: the motion that it cuts through, beyond what is usual in that part of the picture. Where the shot changes a
  cut is welcome instead.
- a little for each clip, so that nothing is cut needlessly, and less still for clips of unequal length.

The sum is minimised exactly, by dynamic programming over the frames.

So an event, a stretch in which more moves than is usual, is cut only where allowed lengths leave no other way: one that is longer
than `max_s` must be. What stops moving is no event any more: a clip may end while a fallen person lies still.
"""

from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator
from scipy.ndimage import uniform_filter1d

from hawk_pipelines.schema import Clip, Video
from hawk_pipelines.video.clock import ROUNDING_S, Clock, clock_of, smooth_in_time
from hawk_pipelines.video.motion_signal import LookParameters, Signal, activity

CutBy = Literal["motion", "shots", "stride"]

MARGIN_S = 1.0
"""Seconds. A cut this near to motion costs something, too: it falls into the middle of a lull, and in a long one rather than in
a short pause of an event."""
USUAL_SPREADS = 3.0
"""Motion beyond its median by so many standard deviations is more than usual."""
USUAL_WEIGHT = 0.1
"""Of motion that is usual, against what is beyond it: where much moves all the time, or an event fills half of the video."""
LEAST_MOTION = 1e-5
"""Picture widths a second, mean over the picture; a video in which no more moves is quiet."""
LULL_COST = 0.05
"""A cut that costs no more is in a lull, as is one that costs less than most places of the video."""
SHORT_COST = 1e3
"""Of a clip that is too short, where frames of a varying rate leave no other way."""
CLIP_COST, EVENNESS_COST, SHOT_GAIN = 1e-3, 1e-4, 10.0
"""Against 1 for a cut through as much motion as the video has where it has most (99 % of it has less)."""


LONGEST_CLIP_S = 86_400.0
"""A day: what a setting asks for beyond that is a slip of the pen."""


class SplitParameters(BaseModel):
    """How videos are cut into clips."""

    model_config = ConfigDict(extra="forbid")

    by: CutBy = "motion"
    min_s: float = Field(default=2.0, gt=0, le=LONGEST_CLIP_S, allow_inf_nan=False)
    """Shortest clip by motion or shots; a shorter video is one clip."""
    max_s: float = Field(default=16.0, gt=0, le=LONGEST_CLIP_S, allow_inf_nan=False)
    """Longest clip by motion or shots."""
    stride_s: float = Field(default=8.0, gt=0, le=LONGEST_CLIP_S, allow_inf_nan=False)
    """Length of a clip by stride; the last one of a video may be shorter."""
    look: LookParameters = LookParameters()

    @model_validator(mode="after")
    def _room(self) -> "SplitParameters":
        if self.max_s < 2 * self.min_s:
            msg = (
                f"max_s is at least twice min_s, or else some videos cannot be cut into clips of allowed lengths, but max_s is "
                f"{self.max_s:g} and min_s {self.min_s:g}"
            )
            raise ValueError(msg)
        return self


def cut(video: Video, signal: Signal, parameters: SplitParameters) -> list[Clip]:
    """Cut a video into clips, which cover it without gap or overlap.

    By motion or shots a clip is `min_s` to `max_s` long, to within a frame (where frames last so long that it matters); a video
    that is shorter than `min_s` is one clip. Where the rate varies, a frame that is shown longer than `max_s`, as before a pause
    of the recording, is a clip of its own, and one beside it may be shorter than `min_s`.

    Args:
        video: what to cut.
        signal: the dense look along it.
        parameters: how to cut.
    """
    clock = clock_of(video)
    if parameters.by == "stride":
        ends = _strides(clock, parameters.stride_s)
        reasons = ["stride"] * (len(ends) - 1)
    else:
        ends, reasons = _best(clock, signal, parameters)
    moved = _by_frame(signal, activity(signal), video.frames)
    starts = [0, *ends[:-1]]
    return [
        Clip(
            id=f"{video.id}_{start:07d}",
            video_id=video.id,
            **clock.span(start, end).model_dump(),
            cut_by=reason,
            activity=_mean(moved, start, end, clock),
        )
        for start, end, reason in zip(starts, ends, [*reasons, "end"], strict=True)
    ]


def unusual(signal: Signal) -> np.ndarray:
    """How much more moves than is usual at its place in this video: float32 [L], mean over the cells."""
    motion = signal.moving * signal.speed
    usual = np.median(motion, axis=0)
    spread = 1.4826 * np.median(np.abs(motion - usual), axis=0)
    return np.maximum(motion - usual - USUAL_SPREADS * spread, 0).mean(axis=(1, 2))


def _strides(clock: Clock, stride_s: float) -> list[int]:
    """The first frame after each stride of so many seconds; strides in which no frame begins are passed over."""
    if clock.even:
        length = max(1, round(stride_s * float(clock.rate)))
        return [*range(length, clock.frames, length), clock.frames]
    strides = np.floor((clock.times + ROUNDING_S) / stride_s)
    return [*(np.flatnonzero(np.diff(strides)) + 1).tolist(), clock.frames]


def _mean(moved: np.ndarray, start: int, end: int, clock: Clock) -> float:
    """How much moves in the frames [start, end) on average, each as long as it is shown."""
    if clock.even:
        return float(moved[start:end].mean())
    return float(np.average(moved[start:end], weights=np.diff(clock.edges[start : end + 1])))


def _best(clock: Clock, signal: Signal, parameters: SplitParameters) -> tuple[list[int], list[str]]:
    """The first frame after each clip, and why all but the last end there."""
    costs = np.zeros(clock.frames)
    lull = np.zeros(clock.frames, bool)
    if parameters.by == "motion":
        extra = _by_frame(signal, unusual(signal) + USUAL_WEIGHT * activity(signal), clock.frames)
        smooth = _widened(_widened(extra, clock), clock)
        costs = smooth / max(float(np.quantile(smooth, 0.99)), LEAST_MOTION)
        lull = (costs < np.median(costs)) | (costs <= LULL_COST)
    shots = signal.frames[signal.shots]
    costs[shots] = -SHOT_GAIN
    if clock.even:
        fps = float(clock.rate)
        shortest = max(1, int(np.ceil(parameters.min_s * fps - 1e-6)))
        longest = max(int(parameters.max_s * fps + 1e-6), 2 * shortest - 1)
        ends = _cheapest(costs, shortest, longest)
    else:
        ends = _cheapest_by_clock(costs, clock.edges, parameters.min_s, parameters.max_s)
    at_shot = set(shots.tolist())
    inner = ends[:-1]
    return ends, ["shot" if end in at_shot else "lull" if lull[end] else "longest" for end in inner]


def _widened(extra: np.ndarray, clock: Clock) -> np.ndarray:
    """Motion [frames], spread over `MARGIN_S` seconds."""
    if clock.even:
        return uniform_filter1d(extra, max(1, round(MARGIN_S * float(clock.rate))), mode="nearest")
    return smooth_in_time(extra, clock, MARGIN_S)


def _by_frame(signal: Signal, looks: np.ndarray, frames: int) -> np.ndarray:
    """A value of each look, for each frame of the video: float64 [frames]."""
    return np.repeat(looks.astype(np.float64), np.diff(signal.frames, append=frames))


def _cheapest(costs: np.ndarray, shortest: int, longest: int) -> list[int]:
    """Cuts of the least cost among those that leave pieces of allowed lengths.

    Args:
        costs: float64 [N], of a cut before each frame.
        shortest, longest: frames of a piece; `longest` is at least twice `shortest` less one, so that there is always a way.

    Returns:
        The first frame after each piece; the last is N.
    """
    N = len(costs)
    if shortest >= N:
        return [N]
    lengths = np.arange(longest, shortest - 1, -1)
    price = CLIP_COST + EVENNESS_COST * (lengths / longest) ** 2
    # best[longest + n] is the least cost of the first n frames; before the video there is no way.
    best = np.full(longest + N + 1, np.inf)
    best[longest] = 0
    length = np.zeros(N + 1, np.int64)
    costs = np.append(costs, 0.0)
    # No piece is shorter than `shortest`, so as many ends at a time depend on nothing but those before them.
    for first in range(shortest, N + 1, shortest):
        last = min(first + shortest, N + 1)
        windows = np.lib.stride_tricks.sliding_window_view(best[first : last + longest - shortest], len(lengths))
        sums = windows + price
        chosen = sums.argmin(axis=1)
        best[longest + first : longest + last] = sums[np.arange(last - first), chosen] + costs[first:last]
        length[first:last] = lengths[chosen]
    ends = [N]
    while ends[-1] > length[ends[-1]]:
        ends.append(int(ends[-1] - length[ends[-1]]))
    return ends[::-1]


def _cheapest_by_clock(costs: np.ndarray, edges: np.ndarray, min_s: float, max_s: float) -> list[int]:
    """The same where frames are not evenly spaced, so that lengths are measured in seconds.

    Args:
        costs: float64 [N], of a cut before each frame.
        edges: float64 [N + 1], when frames begin, and when the last one ends.
        min_s, max_s: seconds of a piece. One frame alone may last longer, and a piece for which nothing else is left be shorter.
    """
    N = len(costs)
    if edges[N] < min_s:
        return [N]
    best = np.zeros(N + 1)
    start_of = np.zeros(N + 1, np.int64)
    # Where a piece that ends before frame n may begin at the earliest; one frame always makes a piece.
    earliest = np.minimum(np.searchsorted(edges, edges - max_s - ROUNDING_S), np.arange(N + 1) - 1)
    for end in range(1, N + 1):
        starts = slice(earliest[end], end)
        lengths = edges[end] - edges[starts]
        sums = best[starts] + CLIP_COST + EVENNESS_COST * np.minimum(lengths / max_s, 1) ** 2
        sums += np.where(lengths < min_s - ROUNDING_S, SHORT_COST, 0.0)
        chosen = int(sums.argmin())
        start_of[end] = earliest[end] + chosen
        best[end] = sums[chosen] + (costs[end] if end < N else 0.0)
    ends = [N]
    while start_of[ends[-1]] > 0:
        ends.append(int(start_of[ends[-1]]))
    return ends[::-1]
