"""Time stamps that make no sense are mended and noted, or refused; unusual ones are left as they are."""

import numpy as np
import pytest

from hawk_pipelines.sources.inspection import inspect
from hawk_pipelines.video.decode import read_pairs
from hawk_pipelines.video.errors import UnreadableVideo
from hawk_pipelines.video.motion_signal import LookParameters, LookPlace, look_along
from hawk_pipelines.video.probe import probe, verified_index
from hawk_pipelines.video.streams import StreamParameters, read_streams
from tests.video.clocks import (
    DAY,
    fast_then_slow,
    joined,
    late_beside,
    late_video,
    overflowing,
    stamped,
    two_streams,
    with_jump,
    with_poster,
)
from tests.video.numbered import number_of, write

HOUR = 3600
FALLS_AND_RISES = [0.04 * n for n in range(50)] + [2.0 + n for n in range(30)]


def _numbers(path, frames):
    """What every frame shows, as it is found by its number."""
    wanted = list(range(1, frames))
    return [number_of(frame) for frame in read_pairs(path, verified_index(path), wanted, 48).current]


# name: what makes it, and words of the note
MENDED = {
    "hole of hours.mp4": (lambda path: with_jump(path, 30, 2 * HOUR), "ahead by 2.0 hours from frame 29 to frame 30"),
    "hole of hours.mkv": (lambda path: with_jump(path, 31, 5 * HOUR), "ahead by 5.0 hours from frame 30 to frame 31"),
    "hole of hours.ts": (lambda path: with_jump(path, 30, 2 * HOUR), "ahead by 2.0 hours"),
    "hole of hours.flv": (lambda path: with_jump(path, 30, 2 * HOUR), "have no time stamp"),
    "a frame that lasts days.mkv": (lambda path: with_jump(path, 5, 3 * DAY), "ahead by 3.0 days from frame 4 to frame 5"),
    "last frame years later.mkv": (lambda path: with_jump(path, 59, 1095 * DAY), "ahead by 1095.0 days"),
    "two holes.mkv": (lambda path: stamped(path, [n / 10 + n // 20 * 9999 for n in range(60)]), "and 1 more jump(s)"),
    "clock set to zero.ts": (lambda path: joined(path, [1000, 0]), "jump ahead by 26.5 hours from frame 29"),
    "the same twice.ts": (lambda path: joined(path, [0, 0]), "jump back by 2.9 s from frame 29 to frame 30"),
    "clock set back a little.ts": (lambda path: joined(path, [0, 15]), "jump back by 1.6 s from frame 29 to frame 30"),
    "clock set to zero.mkv": (lambda path: joined(path, [1000, 0]), "jump back by 102.9 s from frame 29 to frame 30"),
}


@pytest.mark.parametrize("name", MENDED)
def test_a_jump_in_a_recording_of_one_rate_is_closed_and_noted(tmp_path, name):
    make, words = MENDED[name]
    path = make(tmp_path / name)
    known = probe(path)
    assert (known.frames, known.fps, known.duration_s, known.frame_intervals) == (60, 10.0, 6.0, None)
    assert words in " ".join(known.notes)
    assert _numbers(path, 60) == list(range(1, 60))
    streams = read_streams(path, StreamParameters(frames=4), 48, span=(3.5, 4.5))
    assert streams.indices.tolist() == [[35, 37, 40, 42]]
    assert streams.times_s == pytest.approx(streams.indices / 10)
    signal = look_along(LookPlace(path, 10.0), LookParameters())[0]
    assert signal["times_s"] == pytest.approx(signal["frames"] / 10)
    assert len(signal["frames"]) == 24


@pytest.mark.parametrize("before", [5, 30, 700])
def test_a_counter_that_overflows_is_counted_on(tmp_path, before):
    frames = max(60, before + 30)
    path = overflowing(tmp_path / "a.ts", before, frames)
    known = probe(path)
    assert (known.frames, known.fps, known.duration_s) == (frames, 10.0, frames / 10)
    assert _numbers(path, frames) == [number % 512 for number in range(1, frames)]


def test_an_overflow_that_the_reader_passes_on_is_counted_on_exactly():
    """FFmpeg undoes most of them itself."""
    from fractions import Fraction

    from hawk_pipelines.video.timestamps import read_stamps

    stamps = (np.array([0, 3600, 7200, 90_000, 93_600]) + 2**33 - 50_000) % 2**33
    known = read_stamps("a", stamps, stamps, Fraction(1, 90000), [])
    assert known.clock.times.tolist() == pytest.approx([0, 0.04, 0.08, 1.0, 1.04])
    assert "overflow at frame 3" in known.notes[0]


# name: what makes it, its times (None: even), and its rate on average
LEFT = {
    "one rate, then another.mkv": (lambda path: fast_then_slow(path, 50, 30), FALLS_AND_RISES),
    "a picture a minute.mp4": (lambda path: stamped(path, [60 * n for n in range(20)]), None),
    "a picture in ten minutes, not at night.mp4": (
        lambda path: stamped(path, [600 * n + (12 * HOUR if n > 9 else 0) for n in range(20)]),
        [600 * n + (12 * HOUR if n > 9 else 0) for n in range(20)],
    ),
    "pauses of minutes.mkv": (
        lambda path: stamped(path, [n / 10 + n // 20 * 600 for n in range(60)]),
        [n / 10 + n // 20 * 600 for n in range(60)],
    ),
    "pauses of minutes and of hours.mkv": (
        lambda path: stamped(path, [n / 10 + (0, 300, 20000)[n // 20] for n in range(60)]),
        [n / 10 + (0, 300, 20000)[n // 20] for n in range(60)],
    ),
    "many pauses of hours.mkv": (
        lambda path: stamped(path, [n / 10 + n // 10 * 9000 for n in range(60)]),
        [n / 10 + n // 10 * 9000 for n in range(60)],
    ),
    "a pause below an hour.mkv": (
        lambda path: stamped(path, [n / 10 + (3540 if n > 29 else 0) for n in range(60)]),
        [n / 10 + (3540 if n > 29 else 0) for n in range(60)],
    ),
    "three pictures.mkv": (lambda path: stamped(path, [0, 0.1, 18000]), [0, 0.1, 18000]),
    "two pictures.mkv": (lambda path: stamped(path, [0, 18000]), None),
    "short pauses.mkv": (
        lambda path: stamped(path, [n / 10 + n // 20 * 30 for n in range(60)]),
        [n / 10 + n // 20 * 30 for n in range(60)],
    ),
    "a lost frame.mkv": (
        lambda path: stamped(path, [n / 10 + (n >= 30) / 10 for n in range(60)]),
        [n / 10 + (n >= 30) / 10 for n in range(60)],
    ),
}

# what stands in the notes all the same: pauses that stand alone in a recording of one rate
FAR_PAUSES = {
    "pauses of minutes.mkv": "a pause of 10.0 minutes from frame 19 to frame 20 (and one more)",
    "pauses of minutes and of hours.mkv": "a pause of 5.0 minutes from frame 19 to frame 20 (and one more)",
    "a pause below an hour.mkv": "a pause of 59.0 minutes from frame 29 to frame 30, though its frames are otherwise about 0.1 s",
    "three pictures.mkv": "a pause of 5.0 hours from frame 1 to frame 2, though its frames are otherwise about 0.1 s apart",
    "two pictures.mkv": "a pause of 5.0 hours from frame 0 to frame 1, though it says 10 frames a second",
}


@pytest.mark.parametrize("name", LEFT)
def test_what_is_merely_unusual_is_left_as_it_is(tmp_path, name):
    make, times = LEFT[name]
    path = make(tmp_path / name)
    known = probe(path)
    assert len(known.notes) == (name in FAR_PAUSES)
    assert FAR_PAUSES.get(name, "") in " ".join(known.notes)
    assert (known.frame_intervals is None) == (times is None)
    index = verified_index(path)
    assert index.clock.times == pytest.approx(times if times is not None else np.arange(known.frames) / known.fps, abs=1e-3)
    assert _numbers(path, known.frames) == list(range(1, known.frames))


@pytest.mark.parametrize("name", ["negative.mkv", "negative.ts"])
def test_times_before_zero_are_counted_from_the_first_frame(tmp_path, name):
    path = write(tmp_path / name, 30, pts=range(-15, 15), container={"avoid_negative_ts": "disabled"})
    assert probe(path)[:6] == (30, 10.0, 96, 96, 3.0, None)
    streams = read_streams(path, StreamParameters(frames=2), 48, span=(1.0, 2.0))
    assert [number_of(frame) for frame in streams.frames[0]] == [10, 15]


@pytest.mark.parametrize(
    ("name", "times", "words"),
    [
        ("two pictures.mkv", [0, 3 * DAY], "ahead by 3.0 days from frame 0 to frame 1"),
        (
            "varied.mkv",
            [t + (2 * DAY if n > 40 else 0) for n, t in enumerate(FALLS_AND_RISES)],
            "ahead by 2.0 days from frame 40 to frame 41",
        ),
    ],
)
def test_a_jump_that_nothing_explains_is_refused_with_its_frame_and_size(tmp_path, name, times, words):
    path = stamped(tmp_path / name, times)
    with pytest.raises(UnreadableVideo, match=words):
        probe(path)
    (row,) = inspect([str(path)], 0)
    assert (row.status, words in str(row.reason)) == ("rejected", True)


def test_a_clock_that_goes_back_where_the_rate_varies_is_refused(tmp_path):
    parts = [fast_then_slow(tmp_path / f"{n}.ts", 50, 30) for n in range(2)]
    (tmp_path / "joined.ts").write_bytes(b"".join(part.read_bytes() for part in parts))
    with pytest.raises(UnreadableVideo, match=r"jump back by .* from frame 79 to frame 80"):
        probe(tmp_path / "joined.ts")


@pytest.mark.parametrize(
    ("doubled", "times"),
    [([30], None), ([30, 31, 45], None), ([0], None)],
)
def test_frames_at_one_time_are_put_between_their_neighbors(doubled, times):
    from fractions import Fraction

    from hawk_pipelines.video.timestamps import read_stamps

    stamps = np.arange(60) * 100
    for frame in doubled:
        stamps[frame + 1] = stamps[frame]
    known = read_stamps("a", stamps, np.arange(60), Fraction(1, 1000), [Fraction(10)])
    assert (known.distinct, known.clock.even, known.clock.rate) == (False, True, 10)
    assert f"{len(doubled)} frame(s) of a bear the time stamp of the frame before them" in known.notes[0]


def test_frames_at_one_time_do_not_unsettle_the_others():
    from fractions import Fraction

    from hawk_pipelines.video.timestamps import read_stamps

    stamps = np.array([0, 40, 80, 80, 160, 1000, 2000, 600_000, 600_000])
    clock = read_stamps("a", stamps, np.arange(9), Fraction(1, 1000), [Fraction(25)]).clock
    assert clock.times[[0, 1, 2, 4, 5, 6, 7]] == pytest.approx([0, 0.04, 0.08, 0.16, 1, 2, 600])
    assert 0.08 < clock.times[3] < 0.16
    assert 600 < clock.times[8] < 602


def test_stamps_that_are_all_the_same_give_way_to_the_rate_that_the_file_says():
    from fractions import Fraction

    from hawk_pipelines.video.timestamps import read_stamps

    known = read_stamps("a", np.zeros(20, np.int64), np.arange(20), Fraction(1, 1000), [Fraction(10)])
    assert known.clock.times.tolist() == (np.arange(20) / 10).tolist()
    assert "Most frames of a" in known.notes[0]


@pytest.mark.parametrize(
    ("name", "sizes", "note"),
    [
        ("second.mkv", ((48, 48), (96, 96)), "number 2, the largest (96×96), is read"),
        ("second.mp4", ((48, 48), (96, 96)), "number 2, the largest (96×96), is read"),
        ("third.mkv", ((64, 64), (48, 48), (96, 96)), "has 3 video streams; number 3"),
    ],
)
def test_the_largest_of_several_video_streams_is_read_everywhere(tmp_path, name, sizes, note):
    path = two_streams(tmp_path / name, sizes)
    known = probe(path)
    assert known[:5] == (30, 10.0, 96, 96, 3.0)
    assert note in known.notes[0]
    assert _numbers(path, 30) == list(range(1, 30))
    assert [number_of(frame) for frame in read_streams(path, StreamParameters(frames=3), 48).frames[0]] == [1, 10, 20]
    assert look_along(LookPlace(path, 10.0), LookParameters())[0]["change"].max() > 1  # the others are black


@pytest.mark.parametrize("pictures", [1, 2])
@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
def test_a_poster_that_nothing_marks_as_a_cover_is_no_video(tmp_path, name, pictures):
    path = with_poster(tmp_path / name, pictures)
    known = probe(path)
    assert known[:5] == (30, 10.0, 96, 96, 3.0)
    assert "number 2 (96×96) is read, since number 1 (320×320) has but few frames" in known.notes[0]
    assert _numbers(path, 30) == list(range(1, 30))


@pytest.mark.parametrize("name", ["late.mp4", "late.mkv", "late.ts"])
def test_second_0_is_the_first_frame_of_a_video_that_begins_after_its_sound(tmp_path, name):
    path = late_video(tmp_path / name, 2.0)
    known = probe(path)
    assert (known.frames, known.duration_s) == (30, 3.0)
    assert "begins 2." in known.notes[0]
    streams = read_streams(path, StreamParameters(frames=4), 48, span=(1.0, 2.0))
    assert [number_of(frame) for frame in streams.frames[0]] == [10, 12, 15, 17]
    assert probe(late_video(tmp_path / f"a little {name}", 0.3)).notes == ()


@pytest.mark.parametrize(
    ("name", "sounds", "words"),
    [
        ("late.mkv", [0], ["begins 7.0"]),
        ("late.mp4", [0], ["begins 7.0"]),
        ("late by half.mkv", [4.5], ["begins 2.5"]),
        ("both late.mkv", [7], []),
        ("without sound.mkv", [], []),
    ],
)
def test_how_late_a_video_is_comes_from_its_packets(tmp_path, name, sounds, words):
    """FFmpeg looks at the first seconds of a file; of a track that begins later it may say that it begins at 0."""
    notes = probe(late_beside(tmp_path / name, 7, sounds)).notes
    assert [word in note for word, note in zip(words, notes, strict=True)] == [True] * len(words)


def test_what_a_reported_file_of_varied_rate_is(real_data):
    for name in ("vfr.mkv", "vfr.mp4"):
        known = probe(real_data / "reported/variable_rate" / name)
        assert (known.frames, known.duration_s, known.notes) == (300, 60.0, ())
        assert known.frame_intervals.partition(": ")[2].count(" ") == 1  # two rates
