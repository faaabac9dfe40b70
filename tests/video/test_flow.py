import cv2
import numpy as np
import pytest

from hawk_pipelines.video.flow import magnitude, motion_frames, motion_mask


@pytest.fixture
def pair():
    """A textured picture and the same picture moved by two pixels to the right."""
    rng = np.random.default_rng(0)
    texture = cv2.GaussianBlur(rng.integers(0, 255, (64, 96, 3), dtype=np.uint8), (0, 0), 2)
    return texture[:, 2:66], texture[:, :64]


def test_the_flow_of_a_moved_picture_is_how_far_it_moved(pair):
    length = magnitude(*pair)
    assert length.dtype == np.float32
    assert np.median(length[8:-8, 8:-8]) == pytest.approx(2.0, abs=0.1)


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
