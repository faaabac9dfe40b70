"""From seconds to frames and back."""

from fractions import Fraction

import numpy as np
import pytest

from hawk_pipelines.video.clock import Clock, clock_from, read_clock, smooth_in_time

MS = Fraction(1, 1000)
# 25 frames a second for ten seconds, then one a second for fifty
VARIED = clock_from(np.array([40 * n for n in range(250)] + [10_000 + 1000 * n for n in range(50)]), MS, [Fraction(25)])
EVEN = read_clock(300, 25.0)


def at(*seconds):
    return Clock(len(seconds), Fraction(1), np.array([round(1000 * second) for second in seconds]), MS)


@pytest.mark.parametrize(
    ("start_s", "end_s", "frames"),
    [
        (4.0, 8.0, (100, 200)),
        (4.01, 8.01, (100, 201)),  # a frame that is shown in part belongs to it
        (3.9999, 8.0001, (100, 200)),  # rounding
        (9.0, 12.0, (225, 252)),
        (20.5, 20.7, (260, 261)),  # within one frame
        (59.5, 60.0, (299, 300)),
        (0.0, 60.0, (0, 300)),
        (0.0, 75.0, (0, 377)),  # past the end: by the average, so that it can be seen how far
    ],
)
def test_seconds_become_the_frames_that_are_shown_then(start_s, end_s, frames):
    assert (VARIED.first_frame_at(start_s), VARIED.end_frame_at(end_s)) == frames


@pytest.mark.parametrize(
    ("seconds", "duration_s"),
    [((0, 0.04, 18000), 18000.04), ((0, 18000, 18000.04), 18000.08), ((0, 0.04, 0.08, 18000), 18000.04), ((0, 1, 3, 6), 8.0)],
)
def test_the_last_frame_is_as_long_as_others_before_it(seconds, duration_s):
    assert at(*seconds).duration_s == pytest.approx(duration_s)


def test_frames_become_the_seconds_at_which_they_begin():
    assert [VARIED.seconds_of(frame) for frame in (0, 100, 250, 260, 299, 300)] == [0, 4.0, 10.0, 20.0, 59.0, 60.0]
    assert VARIED.duration_s == 60.0
    assert VARIED.span(100, 200).model_dump() == {"start_s": 4.0, "end_s": 8.0, "start_frame": 100, "end_frame": 200}
    assert [EVEN.seconds_of(frame) for frame in (0, 100, 300, 400)] == [0.0, 4.0, 12.0, 16.0]


@pytest.mark.parametrize("clock", [VARIED, EVEN, at(0, 0.3, 0.301, 5, 5.001, 5.002, 90), read_clock(500, 30000 / 1001)])
def test_a_frames_own_seconds_lead_back_to_it(clock):
    for frame in range(clock.frames):
        for noise in (0.0, 1e-9, -1e-9):
            seconds = max(0.0, clock.seconds_of(frame) + noise)
            assert (clock.first_frame_at(seconds), clock.end_frame_at(seconds)) == (frame, frame)
    assert clock.end_frame_at(clock.duration_s) == clock.frames


@pytest.mark.parametrize("clock", [VARIED, EVEN, at(0, 0.3, 0.304, 5, 5.004, 9), read_clock(500, 29.97)])
def test_between_the_middles_lie_exactly_the_frames(clock):
    for start, end in ((0, 1), (0, clock.frames), (2, 3), (clock.frames - 1, clock.frames), (1, 4)):
        assert clock.frames_within(*clock.between(start, end)) == (start, end)


def test_what_begins_in_a_span_is_sampled_or_else_what_is_on_screen():
    assert VARIED.frames_within(4.0, 8.0) == (100, 200)
    assert VARIED.frames_within(4.01, 8.0) == (101, 200)
    assert VARIED.frames_within(20.2, 20.9) == (260, 261)
    assert VARIED.frames_within(58.5, 1e9) == (299, 300)
    for nothing in ((60.0, 61.0), (5.0, 5.0), (8.0, 4.0), (float("nan"), 4.0), (-3.0, -1.0)):
        start, end = VARIED.frames_within(*nothing)
        assert start == end


@pytest.mark.parametrize("clock", [VARIED, at(0, 0.3, 0.301, 5), at(0, 1, 2, 4)])
def test_a_clock_is_kept_as_text(clock):
    again = read_clock(clock.frames, float(clock.rate), clock.intervals)
    assert (again.times == clock.times).all()
    assert (again.frames, again.duration_s) == (clock.frames, clock.duration_s)
    assert EVEN.intervals is None
    assert VARIED.intervals == "1/1000: 250*40 49*1000"


@pytest.mark.parametrize(
    ("ticks", "tick_s", "rates", "even"),
    [
        (np.rint(np.arange(900) * 1000 / 30), MS, [Fraction(30)], True),  # rounded to milliseconds
        (np.floor(np.arange(900) * 1001 / 30), MS, [Fraction(30000, 1001)], True),  # cut off
        (np.arange(100) * 3600, Fraction(1, 90000), [], True),  # the file says nothing of its rate
        (np.delete(np.arange(100), 50), Fraction(1, 25), [Fraction(25)], False),  # a frame is missing
        (np.delete(np.arange(100) * 40, 50), MS, [Fraction(25)], False),
        (np.concatenate([[0], 80 + np.arange(410) * 1000]), Fraction(1, 30000), [Fraction(30)], False),  # the first is short
    ],
)
def test_a_clock_is_even_to_within_the_rounding_of_time_stamps(ticks, tick_s, rates, even):
    clock = clock_from(ticks.astype(np.int64), tick_s, rates)
    assert clock.even == even
    assert np.abs(clock.times - ticks * float(tick_s)).max() < 2e-3


def test_smoothing_in_time_gives_each_frame_its_time():
    values = (np.arange(300) >= 250).astype(float)
    smooth = smooth_in_time(values, VARIED, 2.0)
    assert smooth[[0, 200, 251, 299]] == pytest.approx([0, 0, 1, 1])
    assert smooth[250] == pytest.approx(0.5)
