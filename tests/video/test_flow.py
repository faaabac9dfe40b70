import cv2
import numpy as np
import pytest

from hawk_pipelines.video.flow import from_steps, magnitude, motion_frames, motion_mask, optical_flow, to_steps
from hawk_pipelines.video.streams import StreamParameters, read_streams

CLIPS = ["Fighting033_x264_570_841", "RoadAccidents133_x264_270_451"]


@pytest.fixture
def pair():
    """A textured picture and the same picture moved by two pixels to the right."""
    rng = np.random.default_rng(0)
    texture = cv2.GaussianBlur(rng.integers(0, 255, (64, 96, 3), dtype=np.uint8), (0, 0), 2)
    return texture[:, 2:66], texture[:, :64]


@pytest.mark.parametrize("method", ["farneback", "dis"])
def test_the_flow_of_a_moved_picture_is_how_far_it_moved(pair, method):
    length = magnitude(*pair, method)
    assert length.dtype == np.float32
    assert np.median(length[8:-8, 8:-8]) == pytest.approx(2.0, abs=0.1)


@pytest.mark.parametrize("clip", [*CLIPS, "car"])
def test_flow_and_mask_are_the_references(golden, clip):
    case = np.load(golden / f"e_motion_{clip}.npz")
    for (before, after), flow, masked in zip(case["pair_rgb"], case["pair_flow"], case["pair_masked_rgb"], strict=True):
        wanted = flow.astype(np.float32)
        assert (np.abs(optical_flow(before, after) - wanted) <= 2e-3 + 1e-3 * np.abs(wanted)).all()
        ours = motion_frames(after, magnitude(before, after), "hard")
        assert (ours != masked).any(axis=-1).mean() <= 0.001


@pytest.mark.parametrize("clip", CLIPS)
def test_motion_of_real_clips_through_our_own_decoder_is_the_references(golden, real_data, clip):
    case = np.load(golden / f"e_motion_{clip}.npz")
    streams = read_streams(real_data / "videos/ucf_crime" / f"{clip}.mp4", StreamParameters(frames=32), 224)
    frames, moved = streams.frames[0], streams.magnitude[0]
    assert streams.indices[0].tolist() == case["indices_motion"].tolist()
    assert np.abs((moved > 0.2).mean(axis=(1, 2)) - case["moving_fraction"]).max() <= 0.02
    assert np.abs(motion_frames(frames, moved, "hard").mean(axis=(1, 2)) - case["masked_frame_mean_rgb"]).max() <= 2


def test_the_soft_mask_is_the_normalised_magnitude():
    given = np.array([[[0.0, 2.0], [1.0, 4.0]]])
    assert motion_mask(given, "soft").tolist() == [[[0.0, 0.5], [0.25, 1.0]]]


def test_noise_in_a_still_scene_is_not_blown_up():
    assert motion_mask(np.full((1, 4, 4), 0.1), "soft").max() == pytest.approx(0.1)


def test_the_hard_mask_is_one_above_a_fifth_of_a_pixel():
    assert motion_mask(np.array([[0.1, 0.2, 0.21]]), "hard").tolist() == [[0, 0, 1]]


def test_the_motion_stream_is_the_masked_frame():
    frames = np.full((1, 1, 2, 3), 200, np.uint8)
    assert motion_frames(frames, np.array([[[1.0, 2.0]]]), "soft")[0, 0, :, 0].tolist() == [100, 200]


def test_steps_keep_stillness_and_every_pixels_side_of_the_threshold():
    rng = np.random.default_rng(0)
    moved = np.concatenate([rng.exponential(0.3, 10_000), [0.0, 0.2, np.nextafter(0.2, 1), 500.0]]).astype(np.float32)
    steps = to_steps(moved)
    assert steps.dtype == np.uint16
    assert from_steps(steps)[-4] == 0
    assert np.abs(from_steps(steps) - moved).max() <= 0.0101
    assert np.array_equal(motion_mask(from_steps(steps), "hard")[:-3], motion_mask(moved, "hard")[:-3])
