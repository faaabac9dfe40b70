import subprocess
import sys

import cv2
import numpy as np
import pytest

from hawk_pipelines.video.crops import Box, crop, draw_box
from hawk_pipelines.video.flow import magnitude, motion_mask

SIZE = 64


def _texture(size=SIZE):
    noise = np.random.default_rng(0).integers(0, 255, (size, size, 3), dtype=np.uint8)
    return cv2.GaussianBlur(noise, (0, 0), 1.5)


def test_view_0_is_the_whole_frame():
    assert draw_box(SIZE, 0.5, seed=1, key="a", view=0) == Box(0, 0, SIZE)
    frames, moved = _texture()[None], np.ones((1, SIZE, SIZE), np.float32)
    assert all(np.array_equal(*pair) for pair in zip(crop(frames, moved, Box(0, 0, SIZE)), (frames, moved), strict=True))


def test_boxes_are_decided_by_seed_key_and_view_and_by_nothing_else():
    drawn = [(seed, key, view) for seed in (-1, 0, 1) for key in "ab" for view in (1, 2, 3)]
    boxes = [draw_box(224, 0.5, *one) for one in drawn]
    assert boxes == [draw_box(224, 0.5, *one) for one in drawn]
    assert len(set(boxes)) == len(boxes)


@pytest.mark.parametrize("smallest", [0.01, 0.7, 0.999, 1.0])
def test_boxes_lie_within_the_frame_keep_the_share_and_reach_every_corner(smallest):
    boxes = [draw_box(SIZE, smallest, 0, str(number), 1) for number in range(2000)]
    sides = [box.side for box in boxes]
    assert all(0 <= place <= SIZE - box.side for box in boxes for place in box[:2])
    assert min(sides) == np.ceil(SIZE * smallest)
    assert max(sides) == SIZE
    if smallest == 0.7:
        assert {box.top for box in boxes} == {box.left for box in boxes} == set(range(SIZE - min(sides) + 1))


def test_a_crop_shows_its_part_at_the_frames_size_in_both_streams():
    """A bright square that moves: where the crop shows it bright, there it moves."""
    frames, moved = np.zeros((2, 3, SIZE, SIZE, 3), np.uint8), np.zeros((2, 3, SIZE, SIZE), np.float32)
    for place, (top, left) in zip(np.ndindex(2, 3), [(20, 20), (20, 24), (24, 24), (28, 24), (28, 28), (30, 30)], strict=True):
        frames[place][top : top + 16, left : left + 16] = 200
        moved[place][top : top + 16, left : left + 16] = 1.5
    seen, motion = crop(frames, moved, Box(top=16, left=8, side=48))
    assert (seen.shape, seen.dtype, motion.shape, motion.dtype) == (frames.shape, np.uint8, moved.shape, np.float32)
    assert np.array_equal(seen[..., 0] > 100, motion > 1)
    rows, columns = (np.flatnonzero((seen[0, 0, ..., 0] > 100).any(axis)) for axis in (1, 0))
    assert (rows[0], columns[0]) == pytest.approx(((20 - 16) * 64 / 48, (20 - 8) * 64 / 48), abs=1)
    assert len(rows) == pytest.approx(16 * 64 / 48, abs=1)
    assert seen[0, 0].max() == 200


def test_the_magnitude_of_a_crop_is_what_would_be_measured_in_it():
    large = _texture(SIZE + 8)
    before, after = large[4:-4, 4:-4], large[4:-4, 2:-6]  # moved by two pixels to the right
    frames, moved = np.stack([before, after]), np.stack([np.zeros((SIZE, SIZE), np.float32), magnitude(before, after)])
    box = Box(top=8, left=12, side=40)
    (was, now), (_, motion) = crop(frames, moved, box)
    assert np.median(motion) == pytest.approx(2 * SIZE / box.side, rel=0.05)
    assert np.median(motion) == pytest.approx(np.median(magnitude(was, now)), rel=0.1)


def test_the_hard_limit_means_the_same_number_of_pixels_in_every_view():
    moved = np.full((1, SIZE, SIZE), 0.15, np.float32)  # 0.3 px in a crop of half the side
    frames = np.zeros((1, SIZE, SIZE, 3), np.uint8)
    assert [motion_mask(crop(frames, moved, Box(0, 0, side))[1], "hard").mean() for side in (64, 56, 32)] == [0, 0, 1]


def test_what_is_still_stays_still():
    moved = np.zeros((1, SIZE, SIZE), np.float32)
    assert crop(np.zeros((1, SIZE, SIZE, 3), np.uint8), moved, Box(3, 5, 47))[1].max() == 0


def test_no_torch_is_imported():
    code = "import sys, hawk_pipelines.video.crops; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
