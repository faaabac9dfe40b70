import numpy as np
import pytest

from hawk_pipelines.video.decode import probe, read_pairs
from hawk_pipelines.video.encode import write_h264
from hawk_pipelines.video.errors import UnreadableVideo
from hawk_pipelines.video.streams import read_streams


@pytest.fixture
def counting(tmp_path):
    """A video whose frame number can be read off its brightness."""

    def make(count):
        path = tmp_path / f"{count}.mp4"
        write_h264(np.stack([np.full((64, 64, 3), 20 + 6 * n, np.uint8) for n in range(count)]), 10, path)
        return path

    return make


def _numbers(frames):
    return [round((float(frame.mean()) - 20) / 6) for frame in frames]


def test_the_wanted_frames_and_their_true_neighbours_are_read(counting):
    pairs = read_pairs(counting(30), np.array([0, 3, 4, 29]), 32)
    assert pairs.indices.tolist() == [1, 3, 4, 29]
    assert _numbers(pairs.current) == [1, 3, 4, 29]
    assert _numbers(pairs.previous) == [0, 2, 3, 28]
    assert pairs.current.shape == (4, 32, 32, 3)


def test_probe_counts_frames(counting):
    assert probe(counting(30)) == (30, 10.0, 64, 64, 3.0)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_video_of_a_few_frames(counting, count):
    streams = read_streams(counting(count), 8, 32)
    assert len(streams.frames) == len(streams.magnitude) == count
    assert np.isfinite(streams.magnitude.astype(np.float32)).all()


def test_colours_are_right_and_red_is_first(tmp_path):
    write_h264(np.full((3, 64, 64, 3), (220, 30, 30), np.uint8), 10, tmp_path / "red.mp4")
    colour = read_pairs(tmp_path / "red.mp4", np.array([1]), 32).current.mean(axis=(0, 1, 2))
    assert np.abs(colour - (220, 30, 30)).max() < 6


@pytest.mark.parametrize(
    ("content", "says"), [(b"", "cannot be opened"), (b"text" * 100, "cannot be opened"), (None, "is not a file")]
)
def test_what_is_no_video_is_refused(tmp_path, content, says):
    path = tmp_path / "x.mp4"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UnreadableVideo, match=says):
        probe(path)


def test_a_video_cut_in_the_middle_is_refused(counting, tmp_path):
    whole = counting(30).read_bytes()
    (tmp_path / "cut.mp4").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UnreadableVideo):
        read_streams(tmp_path / "cut.mp4", 8, 32)
