import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from hawk_pipelines.engine.run import EngineParameters
from hawk_pipelines.engine.store import ItemStore
from hawk_pipelines.pipelines.split.nodes import cut_clips, look_along_videos
from hawk_pipelines.schema import Video
from hawk_pipelines.video.content import content_id
from hawk_pipelines.video.cutting import SplitParameters
from hawk_pipelines.video.errors import UnreadableVideo
from hawk_pipelines.video.motion_signal import (
    COLUMNS,
    ROWS,
    LookParameters,
    LookPlace,
    activity,
    between,
    look_along,
    pack_signal,
    unpack_signal,
)
from tests.video.numbered import picture
from tests.video.odd_inputs import make_readable, make_refused

W, H, FPS = 160, 120, 12


def scene(rng=None, noise=0.0, lightness=0.0):
    """A textured wall: uint8 [H, W, 3]."""
    wall = cv2.resize(np.random.default_rng(1).normal(110, 25, (H // 8, W // 8)).astype(np.float32), (W, H))
    wall = np.repeat(wall[..., None], 3, axis=2) + lightness
    if noise:
        wall = wall + rng.normal(0, noise, wall.shape)
    return np.clip(wall, 0, 255).astype(np.uint8)


def walking(frames, dx, dy, *, start=(20, 40), noise=0.0, seed=0):
    """A dark square of 16 pixels that goes dx, dy pixels a frame."""
    rng = np.random.default_rng(seed)
    for number in range(frames):
        frame = scene(rng, noise)
        x, y = round(start[0] + dx * number), round(start[1] + dy * number)
        cv2.rectangle(frame, (x, y), (x + 16, y + 16), (20, 20, 20), -1)
        cv2.circle(frame, (x + 8, y + 8), 4, (240, 240, 240), -1)
        yield frame


def write(path, frames, *, pts=None, time_base=Fraction(1, FPS), prepare=None):
    """Encode frames at a quality that real cameras have."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=FPS, options={"crf": "23", "preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = W, H, "yuv420p"
        stream.codec_context.time_base = time_base
        if prepare:
            prepare(out, stream)
        for number, pixels in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts, frame.time_base = number if pts is None else pts[number], time_base
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def look(path, fps=FPS, **parameters):
    return unpack_signal(look_along(LookPlace(path, fps), LookParameters(**parameters))[0])


@pytest.mark.parametrize(("dx", "dy"), [(2, 0), (-2, 0), (0, 1.5), (1.5, -1)])
def test_what_moves_is_measured_where_it_is(tmp_path, dx, dy):
    start = (20 if dx >= 0 else 120, 20 if dy >= 0 else 90)
    signal = look(write(tmp_path / "a.mp4", walking(30, dx, dy, start=start)))
    assert signal.frames.tolist() == list(range(0, 30, 3))
    for number, moving, speed, direction in zip(signal.frames, signal.moving, signal.speed, signal.direction, strict=True):
        row, column = np.unravel_index(moving.argmax(), moving.shape)
        x, y = (start[axis] + 8 + step * min(number, 26) for axis, step in enumerate((dx, dy)))
        assert abs(row - y * ROWS / H) < 2
        assert abs(column - x * COLUMNS / W) < 2
        assert speed[row, column] == pytest.approx(np.hypot(dx, dy) * FPS / W, rel=0.35)
        assert direction[row, column] @ (dx, dy) / np.hypot(dx, dy) > 0.8
    assert 0.2 < signal.moving.max(axis=(1, 2)).mean() <= 1
    assert (signal.moving == 0).mean() > 0.7


@pytest.mark.parametrize("noise", [0, 6, 15])
def test_camera_noise_is_no_motion(tmp_path, noise):
    rng = np.random.default_rng(0)
    still = look(write(tmp_path / "still.mp4", (scene(rng, noise) for _ in range(48))))
    moves = look(write(tmp_path / "moves.mp4", walking(48, 2, 0, noise=noise)))
    assert activity(still).max() < 0.05 * activity(moves).min()


def test_a_light_that_is_switched_on_is_no_motion(tmp_path):
    rng = np.random.default_rng(0)
    signal = look(write(tmp_path / "a.mp4", (scene(rng, 20, lightness=25 * (number > 20)) for number in range(48))))
    assert activity(signal).max() < 4e-4
    assert signal.change.max() > 15


def test_a_new_shot_is_known_to_the_frame_and_is_no_motion(tmp_path):
    frames = [*walking(25, 2, 0), *(255 - frame for frame in walking(23, 2, 0))]
    signal = look(write(tmp_path / "a.mp4", frames))
    (place,) = np.flatnonzero(signal.shots)
    assert signal.frames[place] == 25
    assert (np.diff(signal.frames) > 0).all()
    moves = activity(signal) > 0
    assert moves.sum() == len(moves) - 1
    assert not moves[place - 1]


def test_a_camera_that_is_moved_shows_no_new_shots(tmp_path):
    wide = cv2.resize(np.random.default_rng(2).normal(110, 60, (15, 60)).astype(np.float32), (480, H)).clip(0, 255)
    views = (np.repeat(wide[:, x : x + W, None], 3, axis=2).astype(np.uint8) for x in range(0, 300, 6))
    signal = look(write(tmp_path / "a.mp4", views))
    assert not signal.shots.any()
    assert signal.moving.mean() > 0.5
    assert np.average(signal.direction[..., 0], weights=signal.moving) < -0.7


def test_a_signal_is_kept_small_and_read_again(tmp_path):
    arrays, facts = look_along(LookPlace(write(tmp_path / "a.mp4", walking(30, 2, 0)), FPS), LookParameters())
    assert facts == {}
    signal = unpack_signal(arrays)
    assert sum(array.nbytes for array in arrays.values()) <= 256 * len(signal.frames)
    again = pack_signal(signal)
    assert again.keys() == arrays.keys()
    for name, array in arrays.items():
        assert again[name].dtype == array.dtype
        np.testing.assert_array_equal(again[name], array)


def test_looks_between_two_moments(tmp_path):
    signal = look(write(tmp_path / "a.mp4", walking(30, 2, 0)))
    assert between(signal, 0.5, 1.25).times_s.tolist() == [0.5, 0.75, 1.0]
    assert between(signal, 0.3, 0.4).speed.shape == (0, ROWS, COLUMNS)


@pytest.mark.parametrize("frames", [1, 2])
def test_a_video_of_a_few_frames(tmp_path, frames):
    signal = look(write(tmp_path / "a.mp4", walking(frames, 6, 0)), looks_per_s=12)
    assert len(signal.frames) == frames
    assert (activity(signal) > 0).tolist() == [frames > 1] * frames


def test_speed_and_looks_are_told_by_true_time(tmp_path):
    pts = [*range(0, 20, 2), *range(20, 80, 6)]  # a camera that takes three times as long between frames in its second half
    path = write(tmp_path / "a.mkv", walking(20, 3, 0), pts=pts, time_base=Fraction(1, 24))
    signal = look(path, looks_per_s=12)
    assert signal.times_s == pytest.approx(np.array(pts)[signal.frames] / 24, abs=1e-3)
    fast, slow = (signal.speed[span][signal.moving[span] > 0].mean() for span in (slice(0, 9), slice(11, 19)))
    assert fast / slow == pytest.approx(3, rel=0.2)


def test_a_turned_video_moves_as_it_is_shown(tmp_path):
    path = write(tmp_path / "a.mp4", walking(24, 2, 0), prepare=lambda _, stream: stream.set_display_rotation(90))
    signal = look(path)
    assert np.average(signal.direction[..., 1], weights=signal.moving) < -0.7
    assert signal.speed[signal.moving > 0.3].mean() == pytest.approx(2 * FPS / H, rel=0.3)  # what was its height is its width now


def test_a_folder_of_pictures_is_a_video(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number, frame in enumerate(walking(20, 3, 0)):
        cv2.imwrite(str(folder / f"{number:03d}.png"), frame[..., ::-1])
    signal = look(folder, fps=8.0)
    assert signal.frames.tolist() == list(range(0, 20, 2))
    assert signal.times_s[-1] == 18 / 8
    assert signal.speed[signal.moving > 0.3].mean() == pytest.approx(3 * 8 / W, rel=0.3)


@pytest.mark.parametrize(
    "name",
    ["b-frames.mp4", "open gop.ts", "h264 without times.avi", "interlaced.ts", "vp8 with hidden frames.webm", "10 bit.mp4"],
)
def test_odd_files_are_looked_along_frame_by_frame(tmp_path, name):
    path, frames = make_readable(tmp_path, name)
    signal = look(path, looks_per_s=60)
    expected = [np.abs(picture(n + 1).astype(float) - picture(n)).mean() for n in range(frames - 1)]
    assert signal.frames.tolist() == list(range(frames))
    assert signal.change[:-1] == pytest.approx(np.array(expected), abs=4)


@pytest.mark.parametrize("size", [(960, 16), (16, 960), (8, 8)])
def test_pictures_of_any_shape(tmp_path, size):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(4):
        cv2.imwrite(str(folder / f"{number}.png"), picture(number, size))
    assert len(look(folder, fps=4.0).frames) == 4


def test_a_signal_does_not_depend_on_what_was_looked_along_before(tmp_path):
    path = write(tmp_path / "a.mp4", walking(30, 2, 0))
    folder = tmp_path / "small"
    folder.mkdir()
    for number in range(4):
        cv2.imwrite(str(folder / f"{number}.png"), picture(number, (16, 16)))
    first = look_along(LookPlace(path, FPS), LookParameters())[0]
    look(folder, fps=4.0)
    again = look_along(LookPlace(path, FPS), LookParameters())[0]
    assert all((array == again[name]).all() for name, array in first.items())


def test_a_video_that_has_changed_is_refused(tmp_path):
    path = write(tmp_path / "a.mp4", walking(5, 2, 0))
    with pytest.raises(UnreadableVideo, match="has changed since it was listed"):
        look_along(LookPlace(path, FPS, "another"), LookParameters())


def _videos(paths):
    return [
        Video(
            id=content_id(path),
            source="test",
            path=str(path),
            name=path.name,
            frames=48,
            fps=FPS,
            width=W,
            height=H,
            duration_s=4.0,
            label=None,
            spans=[],
            split="test",
            split_by="seeded",
        )
        for path in paths
    ]


def test_a_damaged_video_is_told_of_and_the_others_are_cut(tmp_path, caplog):
    good = write(tmp_path / "good.mp4", walking(48, 2, 0))
    damaged = tmp_path / "damaged.mp4"
    content = bytearray(good.read_bytes())
    middle = content.find(b"mdat") + 2000
    content[middle : middle + 3000] = bytes(3000)
    damaged.write_bytes(content)
    videos, store, parameters = _videos([good, damaged]), ItemStore(tmp_path / "store"), SplitParameters()
    looked, refused = look_along_videos(videos, parameters, EngineParameters(workers=0), store)
    assert [row.video_id for row in looked] == [videos[0].id]
    assert [(row.step, row.item) for row in refused] == [("motion_signal", "damaged.mp4")]
    assert "damaged at frame" in refused[0].reason
    assert "1 videos could not be looked along and have no clips" in caplog.text
    assert (looked[0].looks, looked[0].looks_per_s, looked[0].shots, looked[0].moving_share) == (16, 4.0, 1, 1.0)
    assert {clip.video_id for clip in cut_clips(videos, looked, parameters, store)} == {videos[0].id}


def test_another_cut_needs_no_other_look(tmp_path):
    videos = _videos([write(tmp_path / "a.mp4", walking(48, 2, 0))])
    store, engine = ItemStore(tmp_path / "store"), EngineParameters(workers=0)
    first, _ = look_along_videos(videos, SplitParameters(), engine, store)
    Path(videos[0].path).unlink()
    changed = SplitParameters(by="stride", stride_s=1.0)
    again, refused = look_along_videos(videos, changed, engine, store)
    assert (again, refused) == (first, [])
    assert len(cut_clips(videos, again, changed, store)) == 4


PEAKS = """
import sys
from pathlib import Path
from hawk_pipelines.video.motion_signal import LookParameters, LookPlace, look_along
for path in sys.argv[1:]:
    look_along(LookPlace(Path(path), 12.0), LookParameters())
    print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


def test_hours_take_little_more_memory_than_minutes(tmp_path):
    short = write(tmp_path / "short.mp4", walking(60, 1, 0))
    long = write(tmp_path / "long.mp4", list(walking(60, 1, 0)) * 15)
    done = subprocess.run([sys.executable, "-c", PEAKS, short, long], capture_output=True, text=True, check=True)
    first, second = map(int, done.stdout.split())
    assert second - first < 15_000  # kB; 900 frames of 57 kB each would take 51,000


def test_what_is_no_video_is_refused(tmp_path):
    with pytest.raises(UnreadableVideo):
        look(make_refused(tmp_path, "zero bytes.mp4"))
