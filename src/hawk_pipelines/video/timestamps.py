"""From the time stamps of a file's packets to the clock of its frames: stamps are checked for sense, not only for order.

Stamps go wrong in known ways: a counter that overflows, a camera whose clock is set anew while it records, recordings that were
joined byte by byte, a stray stamp. Where the rest of a file is plainly of one rate, such a jump is closed with one frame's time
and noted: there is no doubt what was meant. Elsewhere it is refused, since nobody knows how much time really passed.

What is merely unusual is left as it is: one frame a minute, one rate and then another, pauses of a camera that records only when
something moves.
"""

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hawk_pipelines.video.clock import Clock, clock_from
from hawk_pipelines.video.errors import UnreadableVideo

HOLE_S = 3600.0
"""Seconds between two frames from which on a pause is doubted in a recording that has no other. Recorders begin a new file after
an hour at most, and no pause between two movements goes on longer within one file."""
HOLE_FRAMES = 1000
"""Frames that would have fitted into a hole; in a time-lapse of a picture every ten minutes a night is none."""
MOST_HOLES = 2
"""A recording with more pauses of hours is one with pauses."""
FAR_PAUSE_S = 60.0
"""Seconds from which on a pause that stands alone in a recording of one rate is noted."""
LONGEST_FRAME_S = 24 * 3600.0
"""Seconds. No recorder that is awake waits longer for its next picture."""
LONGEST_VIDEO_S = 366 * 24 * 3600.0
"""Seconds; a time-lapse of a building site goes on for a year."""
REGULAR_SHARE, REGULAR_SPREAD = 0.9, 0.5
"""Of all frames so many last as long as the middle one, to within half of it, where a recording is of one rate: cameras over a
network are not exact, and lose frames."""
PAUSE_S, PAUSE_FRAMES = 1.0, 10
"""Frames that are further apart than both have a pause between them."""
OVERFLOWS = (2**33, 2**32)
"""Ticks after which counters begin anew: MPEG's time stamps, and those of 32 bits."""
REORDERED = 16
"""Frames that may be decoded before a frame that is shown earlier, at most, in any codec."""
DEFAULT_RATE = Fraction(25)
"""Frames a second where a file says nothing."""
FINE = Fraction(1, 1_000_000)
"""Seconds a tick of stamps that were mended."""


class Stamps(NamedTuple):
    """What the time stamps of a file come to."""

    order: NDArray
    """int64 [frames], the packets in the order in which their frames are shown."""
    distinct: bool
    """Whether every frame has a stamp of its own, ascending in that order, so that it can be found by it."""
    mended: bool
    """Whether the clock says something else than the stamps."""
    clock: Clock
    notes: list[str]


def even_clock(frames: int, rate: Fraction | None) -> Clock:
    """The clock of a file that does not say when its frames are shown."""
    return Clock(frames, rate if rate and rate > 0 else DEFAULT_RATE)


def read_stamps(path: object, pts: NDArray, dts: NDArray, tick_s: Fraction, rates: Sequence[Fraction | None]) -> Stamps:
    """Make sense of the time stamps of a file.

    Args:
        path: of the file, for messages.
        pts: int64 [frames], when each packet's frame is shown, in the order of the packets; two at least.
        dts: int64 [frames], when it is decoded: falls where the clock begins anew.
        tick_s: seconds a tick.
        rates: frames a second, as the file says it in one way and another; the first is the one that is believed.

    Raises:
        UnreadableVideo: they make no sense, and what was meant is not plain.
    """
    known = [rate for rate in rates if rate and rate > 0]
    pts, rewound, notes = _unwound(path, pts, dts, tick_s)
    order, backwards = _display_order(pts, rewound)
    shown = pts[order]
    steps = np.diff(shown)
    seconds = steps * float(tick_s)
    forward = (steps > 0) & ~backwards
    if 2 * forward.sum() < max(1, len(steps)):
        notes += [f"Most frames of {path} bear the time stamp of another; they are timed evenly, at the rate that the file says."]
        return Stamps(order, False, True, even_clock(len(pts), known[0] if known else None), notes)
    typical_s = float(np.median(seconds[forward]))
    holes = forward & (seconds >= HOLE_S) & (seconds > HOLE_FRAMES * typical_s)
    rest = seconds[forward & ~holes]
    frame_s = _regular_frame_s(rest)
    paused = frame_s is None or rest.max() > max(PAUSE_S, PAUSE_FRAMES * typical_s)
    faulty = backwards | (forward & (seconds > LONGEST_FRAME_S))
    if not paused and holes.sum() <= MOST_HOLES:
        faulty |= holes
    faults = np.flatnonzero(faulty)
    notes += _far_pauses(path, np.where(forward & ~faulty, seconds, 0.0), known)
    if len(faults) and frame_s is None:
        raise UnreadableVideo(_refusal(path, int(faults[0]), float(seconds[faults[0]])))
    if len(faults) and frame_s is not None:
        # Of several rates that a file says, its average has the jump in it.
        agreeing = next((rate for rate in known if abs(float(rate) * frame_s - 1) < 0.01), None)
        step_s = 1 / float(agreeing) if agreeing else frame_s
        notes += [_jump(path, faults, seconds, step_s)]
        seconds[faults] = step_s
    same = np.flatnonzero((steps == 0) & ~faulty)
    if len(same):
        seconds = _spread_out(seconds, typical_s)
        what = f"{len(same)} frame(s) of {path} bear the time stamp of the frame before them, first frame {same[0] + 1}"
        notes += [f"{what}; they are put between their neighbors."]
    mended = bool(len(faults) or len(same))
    if mended:
        ticks = np.rint(np.concatenate([[0.0], np.cumsum(seconds)]) / float(FINE)).astype(np.int64)
        clock = clock_from(ticks, FINE, known)
    else:
        clock = clock_from(shown, tick_s, known[:1])
    check_duration(path, clock)
    return Stamps(order, bool((steps > 0).all()), mended, clock, notes)


def check_duration(path: object, clock: Clock) -> None:
    """Refuse a video that lasts longer than any recording.

    Raises:
        UnreadableVideo: it does, or each of its frames does.
    """
    frame_s = clock.duration_s / max(1, clock.frames)
    if clock.duration_s > LONGEST_VIDEO_S or frame_s > LONGEST_FRAME_S:
        what = f"{path} is said to last {_length(clock.duration_s)} with {clock.frames} frame(s), which no recording does"
        msg = f"{what}; write it anew with right times."
        raise UnreadableVideo(msg)


def _unwound(path: object, pts: NDArray, dts: NDArray, tick_s: Fraction) -> tuple[NDArray, NDArray, list[str]]:
    """Stamps whose counter overflowed, with what it lost; and the packets at which the clock goes back all the same."""
    pts, dts = pts.copy(), dts.copy()
    notes = []
    usual = np.median(np.abs(np.diff(dts)))
    for place in np.flatnonzero(np.diff(dts) < 0) + 1:
        fell = int(dts[place - 1] - dts[place])
        lost = next((size for size in OVERFLOWS if 0 < size - fell <= max(PAUSE_FRAMES * usual, PAUSE_S / float(tick_s))), 0)
        if lost:
            pts[place:] += lost
            dts[place:] += lost
            notes += [f"The time stamps of {path} overflow at frame {place}; they are counted on."]
    return pts, _rewound(dts), notes


def _rewound(dts: NDArray) -> NDArray:
    """The packets at which the clock begins anew.

    Where a container does not say when frames are decoded, FFmpeg guesses, and after a new beginning takes the time at which a
    frame is shown: that falls all the time where frames are shown in another order than they are decoded in.
    """
    falls = np.flatnonzero(np.diff(dts) < 0) + 1
    apart = np.diff(falls, prepend=-REORDERED, append=len(dts) + REORDERED) > REORDERED
    alone = apart[:-1] & apart[1:]
    kept: list[int] = []
    for fall, surely in zip(falls.tolist(), alone.tolist(), strict=True):
        first = max(kept[-1] if kept else 0, fall - REORDERED)
        if surely or dts[fall] < dts[first:fall].min():
            kept.append(fall)
    return np.array(kept, np.int64)


def _display_order(pts: NDArray, rewound: NDArray) -> tuple[NDArray, NDArray]:
    """The packets in the order in which their frames are shown; and bool [frames - 1], after which of them the clock goes
    back: what comes after is shown after.
    """
    backwards = np.zeros(len(pts) - 1, bool)
    pieces = np.split(np.arange(len(pts)), rewound)
    if all(pts[one].max() < pts[other].min() for one, other in pairwise(pieces)):
        return np.argsort(pts, kind="stable"), backwards
    order = np.concatenate([piece[np.argsort(pts[piece], kind="stable")] for piece in pieces])
    ends = rewound - 1
    backwards[ends] = np.diff(pts[order])[ends] <= 0
    return order, backwards


def _regular_frame_s(seconds: NDArray) -> float | None:
    """How long a frame of a recording of one rate lasts; None where it is of no one rate, or too short to tell.

    Args:
        seconds: [steps], from each frame to the next, without the jumps in question.
    """
    if len(seconds) < 2:
        return None
    typical_s = float(np.median(seconds))
    alike = np.abs(seconds - typical_s) <= REGULAR_SPREAD * typical_s
    return float(seconds[alike].mean()) if alike.mean() >= REGULAR_SHARE else None


def _far_pauses(path: object, seconds: NDArray, rates: Sequence[Fraction]) -> list[str]:
    """A word about one or two pauses that are far beyond the other steps of a recording of one rate; their stamps are kept.

    Args:
        path: of the file, for messages.
        seconds: [steps], from each frame to the next; 0 where a step does not count.
        rates: frames a second as the file says it, for a file of two frames.
    """
    counted = seconds[seconds > 0]
    if len(counted) == 1 and rates:
        usual_s = 1 / float(max(rates))
    else:  # of two steps none is the usual one: the shorter is
        usual_s = float(np.median(counted) if len(counted) > 2 else counted.min(initial=np.inf))
    far = (seconds >= FAR_PAUSE_S) & (seconds > HOLE_FRAMES * usual_s)
    rest = seconds[(seconds > 0) & ~far]
    if not 1 <= far.sum() <= MOST_HOLES or (len(rest) > 1 and _regular_frame_s(rest) is None):
        return []
    place, more = int(np.argmax(far)), " (and one more)" if far.sum() > 1 else ""
    what = f"{path} has a pause of {_length(float(seconds[place]))} from frame {place} to frame {place + 1}{more}"
    if not len(rest):
        return [f"{what}, though it says {1 / usual_s:.4g} frames a second; its last frame is taken to last as long."]
    return [f"{what}, though its frames are otherwise about {usual_s:.2g} s apart; all times after the pause include it."]


def _spread_out(seconds: NDArray, typical_s: float) -> NDArray:
    """Give steps of nothing a frame's usual time, or what there is of it until the next frame that has its own stamp."""
    seconds = seconds.copy()
    places = np.flatnonzero(seconds > 0)
    starts = np.concatenate([[0], places[:-1] + 1])
    for start, end in zip(starts.tolist(), places.tolist(), strict=True):
        if end > start:
            step = min(typical_s, seconds[end] / (end - start + 1))
            seconds[end] -= step * (end - start)
            seconds[start:end] = step
    seconds[places[-1] + 1 :] = typical_s  # the last frames: nothing comes after
    return seconds


def _jump(path: object, places: NDArray, seconds: NDArray, step_s: float) -> str:
    """A sentence about jumps that were closed."""
    place = int(places[0])
    more = f" (and {len(places) - 1} more jump(s))" if len(places) > 1 else ""
    what = f"The time stamps of {path} jump {_way(float(seconds[place]))} from frame {place} to frame {place + 1}{more}"
    return f"{what}; its other frames are {step_s:.4g} s apart, so these are taken to be as well."


def _refusal(path: object, place: int, seconds: float) -> str:
    what = f"The time stamps of {path} jump {_way(seconds)} from frame {place} to frame {place + 1}"
    why = "and its frames are of no one rate that would tell what was meant"
    return f"{what}, {why}; cut it there, or write it anew with right times."


def _way(seconds: float) -> str:
    return f"{'back' if seconds <= 0 else 'ahead'} by {_length(abs(seconds))}"


def _length(seconds: float) -> str:
    """A length of time, in the unit that suits it."""
    unit, name = next(
        ((u, n) for u, n in ((86400.0, "days"), (3600.0, "hours"), (60.0, "minutes")) if seconds >= 2 * u), (1.0, "s")
    )
    return f"{seconds / unit:.1f} {name}"
