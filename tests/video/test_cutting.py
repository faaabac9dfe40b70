import runpy
from itertools import pairwise

import numpy as np
import pytest
from pydantic import ValidationError

from hawk_pipelines.schema import Video
from hawk_pipelines.video.cutting import SplitParameters, cut, unusual
from hawk_pipelines.video.motion_signal import COLUMNS, ROWS, Signal, activity
from tests.conftest import ROOT


def video(frames, fps=10.0):
    return Video(
        id="v",
        source="test",
        path="v.mp4",
        name="v.mp4",
        frames=frames,
        fps=fps,
        width=96,
        height=72,
        duration_s=frames / fps,
        label=None,
        spans=[],
        split="test",
        split_by="seeded",
    )


def signal(moves, frames, fps=10.0, shots=()):
    """A signal of L looks, evenly over the frames: `moves` [L] or [L, R, C] is the speed of cells that move as a whole."""
    moves = np.asarray(moves, np.float32)
    L = len(moves)
    if moves.ndim == 1:  # one cell moves
        moves = moves[:, None, None] * np.eye(1, ROWS * COLUMNS, 20, dtype=np.float32).reshape(1, ROWS, COLUMNS)
    numbers = np.arange(L) * frames // L
    begins = np.zeros(L, bool)
    for frame in shots:
        place = np.searchsorted(numbers, frame)
        numbers[place], begins[place] = frame, True
    direction = np.zeros((*moves.shape, 2), np.float32)
    return Signal(numbers, numbers / fps, moves, (moves > 0).astype(np.float32), direction, np.zeros(L, np.float32), begins)


def ends(clips):
    return [clip.end_s for clip in clips]


@pytest.mark.parametrize("by", ["motion", "shots", "stride"])
@pytest.mark.parametrize("seed", range(40))
def test_clips_cover_a_video_and_have_allowed_lengths(by, seed):
    rng = np.random.default_rng(seed)
    fps = float(rng.choice([0.4, 1.0, 5.0, 12.5, 29.97, 60.0]))
    frames = int(rng.integers(1, 3000))
    min_s = float(rng.uniform(0.1, 5))
    parameters = SplitParameters(by=by, min_s=min_s, max_s=min_s * float(rng.uniform(2, 6)))
    looks = int(rng.integers(1, frames + 1))
    moves = rng.exponential(0.1, (looks, ROWS, COLUMNS)) * (rng.random((looks, 1, 1)) < 0.5)
    shots = rng.choice(frames - 1, min(frames - 1, 3), replace=False) + 1 if frames == looks and frames > 1 else ()
    clips = cut(video(frames, fps), signal(moves, frames, fps, shots), parameters)
    assert (clips[0].start_frame, clips[-1].end_frame) == (0, frames)
    assert all(one.end_frame == other.start_frame for one, other in pairwise(clips))
    assert all((clip.start_s, clip.end_s) == (clip.start_frame / fps, clip.end_frame / fps) for clip in clips)
    assert len({clip.id for clip in clips}) == len(clips)
    assert [clip.cut_by == "end" for clip in clips] == [False] * (len(clips) - 1) + [True]
    lengths = np.array([clip.end_s - clip.start_s for clip in clips])
    if by != "stride":
        assert lengths.max() < parameters.max_s + 1 / fps
        assert lengths.min() > min(min_s, frames / fps) - 1e-6
        if fps >= 5:  # frames are short enough for every length
            assert lengths.max() <= parameters.max_s + 1e-6


def test_where_frames_last_long_a_clip_may_be_too_long_by_one():
    clips = cut(video(3, fps=1.0), signal(np.zeros(3), 3, fps=1.0), SplitParameters(min_s=1.1, max_s=2.2))
    assert ends(clips) == [3.0]  # two frames and one, or one and two, would be too short


def test_cuts_fall_into_the_middle_of_lulls():
    moves = np.zeros(112)
    moves[12:44] = moves[52:96] = 0.3  # four looks a second: a lull from 11 to 13 s
    clips = cut(video(280), signal(moves, 280), SplitParameters())
    assert [clip.cut_by for clip in clips] == ["lull", "end"]
    assert ends(clips) == pytest.approx([12.0, 28.0], abs=0.3)


@pytest.mark.parametrize("seed", range(10))
def test_events_that_fit_are_not_cut(seed):
    rng = np.random.default_rng(seed)
    moves = rng.exponential(0.002, 1200)
    events, now = [], 0.0
    while now < 285:
        start = now + rng.uniform(2, 10)
        now = start + rng.uniform(1, 8)
        events.append((start, now))
        moves[round(start * 4) : round(now * 4)] += rng.uniform(0.05, 0.5)
    clips = cut(video(3000), signal(moves, 3000), SplitParameters())
    inside = [end for end in ends(clips) for start, stop in events if start + 0.25 < end < stop - 0.25]
    assert inside == []


def test_an_event_that_is_too_long_is_cut_and_told_so():
    moves = np.zeros(200)
    moves[20:180] = 0.3
    clips = cut(video(500), signal(moves, 500), SplitParameters(max_s=12))
    assert [clip.cut_by for clip in clips] == ["lull", "longest", "longest", "longest", "end"]
    assert max(clip.end_s - clip.start_s for clip in clips) <= 12


def test_an_event_that_fills_half_of_a_video_is_not_cut():
    moves = np.zeros(80)
    moves[12:68] = 0.3
    clips = cut(video(200), signal(moves, 200), SplitParameters())
    assert not any(3.25 < end < 16.75 for end in ends(clips))


def test_what_moves_all_the_time_is_no_event():
    rng = np.random.default_rng(0)
    moves = np.zeros((400, ROWS, COLUMNS))
    moves[:, :2] = rng.uniform(0.3, 0.5, (400, 2, COLUMNS))  # leaves in the wind
    moves[100:124, 4, 3] = 0.2  # a person, at 25 to 31 s
    assert activity(signal(moves, 1000)).std() < 0.1 * activity(signal(moves, 1000)).mean()
    extra = unusual(signal(moves, 1000))
    assert extra[100:124].min() > 3 * extra[:100].max()
    clips = cut(video(1000), signal(moves, 1000), SplitParameters())
    assert not any(25.25 < end < 30.75 for end in ends(clips))


@pytest.mark.parametrize("by", ["motion", "shots"])
def test_a_new_shot_begins_a_clip(by):
    moves = np.full(160, 0.3)
    clips = cut(video(400), signal(moves, 400, shots=[97, 203, 210]), SplitParameters(by=by))
    at_shots = [clip.end_frame for clip in clips if clip.cut_by == "shot"]
    assert at_shots[0] == 97
    assert at_shots[1:] in ([203], [210])  # both would leave a clip of 0.7 s
    assert max(clip.end_s - clip.start_s for clip in clips) <= 16


def test_a_quiet_video_is_cut_no_more_than_it_must_be_and_evenly():
    clips = cut(video(400), signal(np.zeros(160), 400), SplitParameters())
    assert ends(clips) == pytest.approx([13.3, 26.7, 40.0], abs=0.11)
    assert [clip.activity for clip in clips] == [0, 0, 0]


def test_a_clip_is_scored_by_what_moves_in_it():
    moves = np.zeros(160)
    moves[80:] = 0.48
    clips = cut(video(400), signal(moves, 400), SplitParameters(by="stride", stride_s=10))
    assert [clip.cut_by for clip in clips] == ["stride", "stride", "stride", "end"]
    assert [clip.activity for clip in clips] == pytest.approx([0, 0, 0.01, 0.01], rel=1e-4)


@pytest.mark.parametrize("seed", range(20))
def test_no_other_cuts_are_better(seed):
    from hawk_pipelines.video.cutting import CLIP_COST, EVENNESS_COST, _cheapest

    rng = np.random.default_rng(seed)
    costs, shortest, longest = rng.random(14), 2, 5

    def price(pieces):
        return sum(CLIP_COST + EVENNESS_COST * (length / longest) ** 2 for length in pieces) + sum(
            costs[end] for end in np.cumsum(pieces)[:-1]
        )

    def ways(left):
        if left == 0:
            yield []
        for length in range(shortest, min(longest, left) + 1):
            for rest in ways(left - length):
                yield [length, *rest]

    found = _cheapest(costs, shortest, longest)
    assert price(np.diff([0, *found])) == pytest.approx(min(price(way) for way in ways(14)))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"min_s": 4, "max_s": 7}, "max_s is at least twice min_s"),
        ({"min_s": 0}, "greater than 0"),
        ({"max_s": float("inf")}, "finite"),
        ({"by": "scenes"}, "'motion', 'shots' or 'stride'"),
        ({"look": {"size": 10}}, "greater than or equal to 64"),
        ({"window_s": 8}, "Extra inputs"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings, words):
    with pytest.raises(ValidationError, match=words):
        SplitParameters(**settings)


def test_rendered_events_stay_whole_through_the_real_look(tmp_path):
    benchmark = runpy.run_path(str(ROOT / "benchmarks" / "split.py"))
    condition = benchmark["CONDITIONS"]["as in the sample"]
    happened = wrong = by_stride = 0
    for number in range(3):
        seen, looked, events = benchmark["look"](number, condition, tmp_path, duration_s=40.0)
        clips = cut(seen, looked, SplitParameters())
        stride = cut(seen, looked, SplitParameters(by="stride", stride_s=seen.duration_s / len(clips)))
        happened += len(events)
        wrong += sum(benchmark["is_cut"](event, clips) for event in events)
        by_stride += sum(benchmark["is_cut"](event, stride) for event in events)
    assert happened >= 8
    assert wrong == 0
    assert by_stride > 0
