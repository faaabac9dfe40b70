from pathlib import Path

import numpy as np
import pytest

from hawk_pipelines.evaluation.windows import (
    PART,
    Look,
    Windows,
    frame_scores,
    looks_in,
    parts_of,
    smoothed,
    spans_of,
    windows_of,
)
from hawk_pipelines.video.clock import read_clock
from hawk_pipelines.video.stored import ItemPlace, frame_item, unpack
from hawk_pipelines.video.streams import StreamParameters
from tests.evaluation.test_localisation import span, video
from tests.video.numbered import number_of, write


def _with(frames, fps=10.0):
    return video("v", frames).model_copy(update={"fps": fps, "duration_s": frames / fps})


VIDEOS = [_with(frames, fps) for frames in (1, 2, 3, 33, 100, 1009, 20_000) for fps in (1.0, 12.0, 29.97)]
LAID = [
    Windows([0.35, 4.0], 0.5, 500),
    Windows([1.0], 1.0, 500),
    Windows([0.01, 2.0, 1e6], 0.3, 7),
    Windows([2.0, 2.01], 1.0, 1),
]


@pytest.mark.parametrize("laid", LAID, ids=str)
def test_every_frame_lies_in_a_window_of_each_length(laid):
    for one in VIDEOS:
        windows = windows_of(one, laid)
        lengths = {window.end_frame - window.start_frame for window in windows}
        assert len(lengths) <= len(laid.lengths_s)
        for length in lengths:
            ours = [window for window in windows if window.end_frame - window.start_frame == length]
            covered = {frame for window in ours for frame in range(window.start_frame, window.end_frame)}
            assert covered == set(range(one.frames))
            assert len(ours) <= laid.most
            steps = np.diff([window.start_frame for window in ours])
            assert (steps <= max(1, int(np.ceil(laid.stride * length)))).all()
        assert len({window.item_id for window in windows}) == len(windows)


def test_windows_are_as_long_as_is_said():
    windows = windows_of(_with(33, 12.0), Windows([0.35, 1.0, 4.0], 0.5, 500))
    short = [(window.start_frame, window.end_frame) for window in windows if window.end_frame - window.start_frame == 4]
    assert (short[0], short[1], short[-1], len(short)) == ((0, 4), (2, 6), (29, 33), 16)
    assert sum(window.end_frame - window.start_frame == 12 for window in windows) == 5
    assert windows[-1].model_dump(include={"start_s", "end_s", "end_frame"}) == {"start_s": 0, "end_s": 2.75, "end_frame": 33}


@pytest.mark.parametrize("laid", LAID, ids=str)
@pytest.mark.parametrize("count", [1, 8, 32])
def test_parts_hold_every_frame_once_and_enough_of_them(laid, count):
    for one in VIDEOS:
        parts = parts_of(one, laid, count)
        edges = [(part.start_frame, part.end_frame) for part in parts]
        assert [start for start, _ in edges] == [0, *(end for _, end in edges[:-1])]
        assert edges[-1][1] == one.frames
        assert all(1 <= part.looks <= min(PART, part.end_frame - part.start_frame) for part in parts)
        sampled = [p.start_frame + (i * (p.end_frame - p.start_frame)) // p.looks for p in parts for i in range(p.looks)]
        looks = [Look(frame, "", 0) for frame in sampled]
        for window in windows_of(one, laid):
            within = looks_in(window, looks, count)
            there = window.end_frame - window.start_frame
            assert min(there, count) - 1 <= len(within) <= count
            assert within
            assert all(window.start_frame <= look.frame < window.end_frame for look in within)


def test_without_a_length_nothing_is_looked_at():
    nothing = Windows([], 0.5, 500)
    assert (windows_of(_with(33), nothing), parts_of(_with(33), nothing, 8)) == ([], [])


def test_the_looks_of_a_window_are_spread_over_it():
    looks = [Look(frame, f"p{frame // 10}", frame % 10) for frame in range(0, 40, 2)]
    (window,) = windows_of(_with(40), Windows([99.0], 0.5, 9))
    assert [look.frame for look in looks_in(window, looks, 4)] == [0, 10, 20, 30]
    assert looks_in(window.model_copy(update={"start_frame": 9, "end_frame": 13}), looks, 4) == [
        Look(10, "p1", 0),
        Look(12, "p1", 2),
    ]
    assert looks_in(window.model_copy(update={"start_frame": 9, "end_frame": 10}), looks, 4) == []


@pytest.mark.parametrize("rate", [10, 12, 30])
def test_parts_of_a_real_file_are_sampled_where_they_say(tmp_path, rate):
    """At every rate, whatever it comes to in seconds."""
    path = write(tmp_path / "v.mp4", 150, rate=rate)
    parts = parts_of(_with(150, float(rate)), Windows([0.25], 0.5, 500), 4)
    assert len(parts) > 1
    seen = []
    for part in parts:
        place = ItemPlace(Path(path), None, read_clock(150, rate).between(part.start_frame, part.end_frame))
        streams = unpack(*frame_item(place, StreamParameters(frames=part.looks), 64))
        assert len(streams.indices[0]) == part.looks
        assert [number_of(frame) for frame in streams.frames[0]] == streams.indices[0].tolist()
        assert part.start_frame <= streams.indices[0][0]
        assert streams.indices[0][-1] < part.end_frame
        seen += streams.indices[0].tolist()
    steps = np.diff(seen)
    assert (seen[0], max(steps) - min(steps[1:]) <= 1) == (1, True)  # frame 1 stands in for frame 0, which shows no motion


def test_a_frames_score_is_the_mean_over_lengths_of_the_windows_that_cover_it():
    windows = windows_of(_with(6), Windows([0.4, 9.0], 0.5, 500))
    assert [(window.start_frame, window.end_frame) for window in windows] == [(0, 4), (2, 6), (0, 6)]
    assert frame_scores(windows, [0.2, 0.6, 1.0], 6).tolist() == pytest.approx([0.6, 0.6, 0.7, 0.7, 0.8, 0.8])
    assert np.isnan(frame_scores(windows[:1], [0.2], 6)).tolist() == [False] * 4 + [True] * 2
    assert np.isnan(frame_scores([], [], 3)).all()


def test_smoothing_is_in_seconds():
    step = np.repeat([0.0, 1.0], 100)
    blur = lambda smoothing_s, fps: smoothed(step, smoothing_s, read_clock(200, fps))  # noqa: E731
    assert (blur(0, 10.0) == step).all()
    assert blur(0.4, 10.0) == pytest.approx(blur(0.2, 20.0))
    assert blur(0.4, 10.0)[104] == pytest.approx(0.87, abs=0.01)  # a standard deviation behind the step
    assert (blur(0.4, 10.0)[:80].max(), blur(0.4, 10.0)[-80:].min()) == pytest.approx((0, 1), abs=1e-4)


def test_spans_are_where_the_threshold_is_reached():
    scores = np.array([0.5, 0.5, 0.1, 0.4, 0.9, 0.49])
    assert spans_of(_with(6), scores, 0.5) == [span(0, 2), span(4, 5)]
    assert spans_of(_with(6), scores, 0.95) == []
    assert spans_of(_with(6), scores, 0.0) == [span(0, 6)]
