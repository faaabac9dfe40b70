import pickle
import subprocess
import sys
from fractions import Fraction
from functools import partial

import numpy as np
import pytest

from hawk_pipelines.video.content import content_id
from hawk_pipelines.video.errors import UnreadableVideo
from hawk_pipelines.video.stored import ItemPlace, frame_item, pack, unpack
from hawk_pipelines.video.streams import StreamParameters, read_streams
from tests.video.numbered import number_of, write

EIGHT = StreamParameters(frames=8)


@pytest.fixture
def video(tmp_path):
    return write(tmp_path / "a.mp4", 80)


def _numbers(frames):
    return [number_of(frame) for frame in frames]


def test_both_streams_are_of_the_same_frames(video):
    streams = read_streams(video, EIGHT, 48)
    assert streams.frames.shape == (1, 8, 48, 48, 3)
    assert streams.steps.shape == streams.magnitude.shape == (1, 8, 48, 48)
    assert streams.indices.tolist() == [[1, 10, 20, 30, 40, 50, 60, 70]]
    assert _numbers(streams.frames[0]) == streams.indices[0].tolist()


@pytest.mark.parametrize("frames", [1, 2, 3])
def test_a_video_of_a_few_frames(tmp_path, frames):
    streams = read_streams(write(tmp_path / "a.mp4", frames), EIGHT, 48)
    assert streams.frames.shape[1] == frames
    assert (streams.steps.max() > 0) == (frames > 1)


def test_a_span_is_looked_at_alone(video):
    streams = read_streams(video, EIGHT, 48, span=(4.0, 5.6))
    assert streams.indices.tolist() == [[40, 42, 44, 46, 48, 50, 52, 54]]
    assert streams.times_s[0, :2].tolist() == [4.0, 4.2]


def test_a_span_without_a_frame_is_refused(video):
    with pytest.raises(UnreadableVideo, match=r"shows no frame from 8\.5 s to 9\.0 s"):
        read_streams(video, EIGHT, 48, span=(8.5, 9.0))


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
def test_times_of_a_variable_rate_are_right(tmp_path, name):
    path = write(tmp_path / name, 40, pts=[n * n for n in range(40)], time_base=Fraction(1, 100))
    streams = read_streams(path, EIGHT, 48)
    assert streams.times_s[0] == pytest.approx(streams.indices[0] ** 2 / 100, abs=1e-3)
    assert _numbers(read_streams(path, EIGHT, 48, span=(4.0, 9.0)).frames[0]) == [20, 21, 22, 23, 25, 26, 27, 28]


def test_phases_are_samplings_of_their_own(video):
    streams = read_streams(video, StreamParameters(frames=4, phases=2), 48)
    assert streams.indices.tolist() == [[1, 20, 40, 60], [10, 30, 50, 70]]
    assert [_numbers(phase) for phase in streams.frames] == streams.indices.tolist()


def test_random_halves_are_decided_by_the_seed(video):
    parameters = StreamParameters(frames=8, phases=2, sampling="random_halves")
    one, same, other = (read_streams(video, parameters, 48, seed=seed).indices for seed in (1, 1, 2))
    assert one.tolist() == same.tolist() != other.tolist()
    assert one[0].tolist() != one[1].tolist()
    assert (one < 40).sum() == 8


def test_what_is_stored_is_what_was_seen(video):
    for parameters in (EIGHT, StreamParameters(frames=4, phases=2, flow="dis")):
        streams = read_streams(video, parameters, 48)
        again = unpack(*pack(streams))
        assert all(np.array_equal(kept, seen) for kept, seen in zip(again, streams, strict=True))


def test_a_stored_item_is_small(real_data):
    clip = real_data / "videos/ucf_crime/Fighting033_x264_570_841.mp4"
    arrays, _ = frame_item(ItemPlace(clip), StreamParameters(frames=32), 224)
    raw = 32 * 224 * 224 * (3 + 2)
    assert sum(array.nbytes for array in arrays.values()) < raw / 3


def test_another_mask_decodes_nothing_again(video, monkeypatch):
    from hawk_pipelines.video.flow import motion_frames

    arrays, facts = frame_item(ItemPlace(video), EIGHT, 48)
    video.unlink()
    streams = unpack(arrays, facts)
    soft, hard = (motion_frames(streams.frames, streams.magnitude, mask) for mask in ("soft", "hard"))
    assert not np.array_equal(soft, hard)


def test_a_worker_imports_nothing_heavy():
    modules = "hawk_pipelines.video.stored, hawk_pipelines.engine.work"
    code = f"import sys, {modules}; print(sorted({{'torch', 'kedro', 'pyarrow', 'mlflow', 'rich'}} & set(sys.modules)))"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert told.strip() == "[]"


def test_the_partial_that_workers_get_can_be_pickled():
    pickle.loads(pickle.dumps(partial(frame_item, parameters=EIGHT, size=48)))  # noqa: S301 (our own)


def test_another_video_in_the_place_of_the_listed_one_is_refused(tmp_path):
    video = write(tmp_path / "camera.mp4", 30)
    place = ItemPlace(video, content_id(video))
    frame_item(place, EIGHT, 48)
    write(video, 31)
    with pytest.raises(UnreadableVideo, match="has changed since it was listed"):
        frame_item(place, EIGHT, 48)
