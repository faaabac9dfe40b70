import numpy as np
import pytest
from av.video.reformatter import Colorspace, VideoReformatter

from hawk_pipelines.video import decode
from hawk_pipelines.video.decode import read_pairs
from hawk_pipelines.video.encode import write_h264
from hawk_pipelines.video.index import read_index
from tests.video.numbered import number_of, write


@pytest.fixture
def decoded(monkeypatch):
    """How many frames each reading has decoded."""
    counts = []
    inner = decode._decoded

    def counting(*arguments):
        counts.append(0)
        for frame in inner(*arguments):
            counts[-1] += 1
            yield frame

    monkeypatch.setattr(decode, "_decoded", counting)
    return counts


def test_only_the_neighbourhood_of_distant_frames_is_decoded(tmp_path, decoded):
    path = write(tmp_path / "a.mp4", 400, options={"x264-params": "keyint=50:min-keyint=50:scenecut=0"})
    pairs = read_pairs(path, read_index(path), [5, 210, 215, 390], 48)
    assert [number_of(frame) for frame in pairs.current] == [5, 210, 215, 390]
    assert len(decoded) == 3
    assert sum(decoded) < 80


def test_near_frames_are_reached_without_seeking(tmp_path, decoded):
    path = write(tmp_path / "a.mp4", 60, options={"x264-params": "keyint=3:min-keyint=3:scenecut=0"})
    read_pairs(path, read_index(path), [5, 9, 13], 48)
    assert len(decoded) == 1


def test_frames_that_no_other_needs_are_not_decoded(tmp_path, decoded):
    path = write(tmp_path / "a.mp4", 120, options={"x264-params": "keyint=300:bframes=3:b-adapt=0:b-pyramid=none"})
    pairs = read_pairs(path, read_index(path), [3, 110], 48)
    assert [number_of(frame) for frame in pairs.current] == [3, 110]
    assert sum(decoded) < 50


def test_a_frame_that_is_wanted_twice_is_given_twice(tmp_path):
    path = write(tmp_path / "a.mp4", 10)
    assert [number_of(frame) for frame in read_pairs(path, read_index(path), [1, 1, 4], 48).current] == [1, 1, 4]


@pytest.mark.parametrize(("space", "full"), [(Colorspace.ITU709, False), (Colorspace.ITU601, False), (Colorspace.ITU709, True)])
def test_colours_are_those_that_the_file_means(tmp_path, monkeypatch, space, full):
    colour, levels = (200, 60, 30), 2 if full else 1
    monkeypatch.setattr("tests.video.numbered.picture", lambda *_: np.full((96, 96, 3), colour, np.uint8))
    inner = VideoReformatter.reformat

    class Meaning:
        def reformat(self, frame, **asked):
            return inner(VideoReformatter(), frame, **asked, dst_colorspace=space, dst_color_range=levels)

    def prepare(_, stream):
        stream.codec_context.colorspace, stream.codec_context.color_range = space, levels

    monkeypatch.setattr("tests.video.numbered.VideoReformatter", Meaning)
    path = write(tmp_path / "a.mp4", 3, prepare=prepare)
    seen = read_pairs(path, read_index(path), [1], 48).current[0].mean(axis=(0, 1))
    assert np.abs(seen - colour).max() < 6


def test_red_comes_first(tmp_path):
    write_h264(np.full((3, 64, 64, 3), (220, 30, 30), np.uint8), 10, tmp_path / "red.mp4")
    colour = read_pairs(tmp_path / "red.mp4", read_index(tmp_path / "red.mp4"), [1], 32).current[0].mean(axis=(0, 1))
    assert np.abs(colour - (220, 30, 30)).max() < 6


def test_real_clips_give_the_same_frames_by_seeking_and_by_counting(real_data):
    for path in sorted((real_data / "videos").rglob("*.mp4"))[:6]:
        index = read_index(path)
        wanted = list(range(1, index.frames, index.frames // 7))
        sought, counted = read_pairs(path, index, wanted, 64), read_pairs(path, index._replace(pts=None), wanted, 64)
        assert np.array_equal(sought.current, counted.current)
        assert np.array_equal(sought.previous, counted.previous)
