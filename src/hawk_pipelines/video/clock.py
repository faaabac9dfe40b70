"""The clock of a video: from seconds to frames and back, by the times at which frames are really shown.

Second 0 is the first frame. Frame `n` is shown from its own time until that of frame `n + 1`. Spans are half-open: a span
[start, end) has the frame that is on screen at its start, and every frame that begins before its end.

Most videos are *even*: frame `n` is shown at `n / rate`, to within the rounding of time stamps. Their clock is two numbers. A
video of variable rate has a clock with a time for each frame, which is kept as text (`Clock.intervals`). An average rate is for
showing to people; nothing is computed with it, unless the clock is even.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hawk_pipelines.schema import FrameSpan, Video

ROUNDING_S = 1e-3
"""Seconds by which two ways to write the same moment may differ: Matroska, FLV and people round to milliseconds."""
ROUNDING_FRAMES = 1e-3
"""The same as a part of a frame, where frames are evenly spaced."""
LAST_FRAMES = 9
"""Nobody says how long the last frame is shown: as long as the middle one of so many before it, of two the shorter."""


@dataclass(frozen=True, eq=False)
class Clock:
    """When the frames of a video are shown."""

    frames: int
    rate: Fraction
    """Frames a second: exact where the clock is even, otherwise the average."""
    ticks: NDArray | None = None
    """int64 [frames], ascending from 0: when each frame is shown, in units of `tick_s`. None: frame n is shown at n / rate."""
    tick_s: Fraction = Fraction(1)

    @property
    def even(self) -> bool:
        """Whether frames are evenly spaced."""
        return self.ticks is None

    @cached_property
    def times(self) -> NDArray:
        """float64 [frames], seconds."""
        return np.arange(self.frames) / float(self.rate) if self.ticks is None else self.ticks * float(self.tick_s)

    @cached_property
    def duration_s(self) -> float:
        """From the first frame to the end of the last."""
        if self.ticks is None or self.frames < 2:
            return float(self.frames / self.rate)
        steps = np.diff(self.times[-LAST_FRAMES - 1 :])
        return float(self.times[-1] + (np.median(steps) if len(steps) > 2 else steps.min()))

    @cached_property
    def edges(self) -> NDArray:
        """float64 [frames + 1], seconds: when each frame begins, and when the last one ends."""
        return np.append(self.times, self.seconds_of(self.frames))

    def seconds_of(self, frame: int) -> float:
        """When a frame begins. `frames` gives the end of the video; the clock goes on beyond it at the average rate."""
        if self.ticks is not None and 0 <= frame < self.frames:
            return float(self.times[frame])
        if self.ticks is not None and frame >= self.frames:
            return self.duration_s + (frame - self.frames) / float(self.rate)
        return frame / float(self.rate)

    def first_frame_at(self, seconds: float) -> int:
        """The frame that is on screen at a time; beyond the end a number that no frame has."""
        if self.ticks is None:
            return math.floor(seconds * float(self.rate) + ROUNDING_FRAMES)
        if seconds >= self.duration_s:
            return self.frames + math.floor((seconds - self.duration_s) * float(self.rate) + ROUNDING_FRAMES)
        frame = int(np.searchsorted(self.times, seconds, side="right")) - 1
        until_next = self.seconds_of(frame + 1) - seconds
        # The next frame is meant where the time is but a rounding before it, and nearer to it than to this one.
        return frame + bool(until_next <= ROUNDING_S and until_next < seconds - self.seconds_of(max(0, frame)))

    def end_frame_at(self, seconds: float) -> int:
        """The first frame that is not shown before a time."""
        if self.ticks is None:
            return math.ceil(seconds * float(self.rate) - ROUNDING_FRAMES)
        if seconds > self.duration_s + ROUNDING_S:
            return self.frames + math.ceil((seconds - self.duration_s) * float(self.rate) - ROUNDING_FRAMES)
        frame = int(np.searchsorted(self.times, seconds, side="left"))
        since_last = seconds - self.seconds_of(frame - 1) if frame else math.inf
        return frame - bool(since_last <= ROUNDING_S and since_last < self.seconds_of(frame) - seconds)

    def frames_within(self, start_s: float, end_s: float) -> tuple[int, int]:
        """The frames that begin within a span of seconds, half-open; where none does, the one that is on screen.

        Frames are sampled from these: of a frame that was on screen before the span, no more than the rest lies in it.

        Returns:
            Two equal numbers where the span shows no frame.
        """
        if not (math.isfinite(start_s) and start_s < end_s) or start_s >= self.duration_s or end_s <= 0:
            return 0, 0
        start = max(0, self.end_frame_at(start_s))
        end = self.frames if end_s >= self.duration_s else self.end_frame_at(end_s)
        if start < end:
            return start, end
        shown = min(max(0, self.first_frame_at(start_s)), self.frames - 1)
        return shown, shown + 1

    def span(self, start: int, end: int) -> FrameSpan:
        """The frames [start, end), with the seconds at which the first of them and the one after the last begin."""
        return FrameSpan(start_s=self.seconds_of(start), end_s=self.seconds_of(end), start_frame=start, end_frame=end)

    def between(self, start: int, end: int) -> tuple[float, float]:
        """Seconds [start, end) between which exactly the frames [start, end) begin, however times are rounded: the middles
        between frames.
        """
        if self.ticks is None:
            return max(0.0, (start - 0.5) / float(self.rate)), (end - 0.5) / float(self.rate)
        middles = (self.edges[:-1] + self.edges[1:]) / 2
        return float(middles[start - 1]) if start else 0.0, float(middles[end - 1])

    @property
    def intervals(self) -> str | None:
        """The clock as text: the unit in seconds, then how long each frame but the last is shown, repeats counted.

        ``1/1000: 250*40 49*1000`` is 250 times 40 ms, then 49 times one second. None where the clock is even.
        """
        if self.ticks is None:
            return None
        steps = np.diff(self.ticks)
        firsts = np.flatnonzero(np.diff(steps, prepend=-1))
        counts = np.diff(firsts, append=len(steps))
        runs = [f"{count}*{step}" if count > 1 else f"{step}" for count, step in zip(counts, steps[firsts], strict=True)]
        return f"{self.tick_s}: {' '.join(runs)}"


def clock_of(video: Video) -> Clock:
    """The clock of a video that was ingested."""
    return read_clock(video.frames, video.fps, video.frame_intervals)


@lru_cache(maxsize=16)
def read_clock(frames: int, fps: float, intervals: str | None = None) -> Clock:
    """A clock from its parts: the number of frames, frames a second, and `Clock.intervals`."""
    if intervals is None:
        return Clock(frames, Fraction(fps))
    unit, _, text = intervals.partition(": ")
    runs = [run.rpartition("*") for run in text.split()]
    steps = np.repeat([int(step) for *_, step in runs], [int(count or 1) for count, *_ in runs])
    return Clock(frames, Fraction(fps), np.concatenate([[0], np.cumsum(steps)]).astype(np.int64), Fraction(unit))


def clock_from(ticks: NDArray, tick_s: Fraction, rates: Sequence[Fraction]) -> Clock:
    """The clock of frames that are shown at these times; an even one where the times are even, to within their rounding.

    Args:
        ticks: int64 [frames], ascending, two at least.
        tick_s: seconds a tick.
        rates: what the file says of its rate; the first that agrees with the times is taken, otherwise the average.
    """
    ticks = ticks - ticks[0]
    measured = Fraction(len(ticks) - 1) / (int(ticks[-1]) * tick_s)
    # The rounding of time stamps (whole milliseconds in Matroska) is taken out where the file's word agrees with them.
    rate = next((rate for rate in rates if abs(rate - measured) < measured / 100), measured)
    off_s = np.abs(ticks * float(tick_s) - np.arange(len(ticks)) / float(rate)).max()
    # A stamp is at most a tick beside its moment; where a tick is nearly a frame, a frame that is missing shows all the same.
    rounding_s = min(max(ROUNDING_S, float(tick_s)), 0.25 / float(rate))
    even = off_s <= rounding_s * (1 + 1e-6)
    return Clock(len(ticks), rate) if even else Clock(len(ticks), rate, ticks, tick_s)


def smooth_in_time(values: ArrayLike, clock: Clock, width_s: float) -> NDArray:
    """The mean of a value, which each frame has as long as it is shown, over the seconds around the beginning of each frame.

    Args:
        values: [frames].
        clock: when they are shown.
        width_s: over how many seconds; at the ends over those that are there.
    """
    edges = clock.edges
    sums = np.concatenate([[0.0], np.cumsum(np.asarray(values, np.float64) * np.diff(edges))])
    starts = np.maximum(clock.times - width_s / 2, 0.0)
    ends = np.minimum(clock.times + width_s / 2, edges[-1])
    return (np.interp(ends, edges, sums) - np.interp(starts, edges, sums)) / (ends - starts)
