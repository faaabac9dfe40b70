"""Further views of an item: crops, the same one for all frames and for both streams."""

import hashlib
import math
from typing import NamedTuple

import cv2
import numpy as np


class Box(NamedTuple):
    """A square within square frames, in pixels."""

    top: int
    left: int
    side: int


def draw_box(size: int, smallest: float, seed: int, key: str, view: int) -> Box:
    """What a view of an item shows.

    Args:
        size: width and height of the frames.
        smallest: share of each side that is kept at least, in (0, 1].
        seed, key, view: the run's seed, the item's key and the number of the view; together they decide the box. View 0 is the
            whole frame.
    """
    if view == 0:
        return Box(0, 0, size)
    drawn = np.random.default_rng(list(hashlib.sha256(f"{seed}/{key}/{view}".encode()).digest()))
    side = int(drawn.integers(math.ceil(size * smallest), size, endpoint=True))
    top, left = drawn.integers(0, size - side, 2, endpoint=True).tolist()
    return Box(top, left, side)


def crop(frames: np.ndarray, magnitude: np.ndarray, box: Box) -> tuple[np.ndarray, np.ndarray]:
    """Look at a part of every frame, at the size of the whole.

    What moves by a pixel moves by more in the larger picture: the magnitude grows with it, so that limits in pixels mean the
    same in every view.

    Args:
        frames: uint8 [..., S, S, 3].
        magnitude: float32 [..., S, S], pixels a frame.
        box: the part.

    Returns:
        Both in the shapes that they came in.
    """
    size = frames.shape[-2]
    if box.side == size:
        return frames, magnitude
    seen, moved = np.empty_like(frames), np.empty_like(magnitude)
    for place in np.ndindex(magnitude.shape[:-2]):
        seen[place] = cv2.resize(_part(frames[place], box), (size, size), interpolation=cv2.INTER_LINEAR_EXACT)
        moved[place] = cv2.resize(_part(magnitude[place], box), (size, size), interpolation=cv2.INTER_LINEAR)
    return seen, moved * np.float32(size / box.side)


def _part(picture: np.ndarray, box: Box) -> np.ndarray:
    return picture[box.top : box.top + box.side, box.left : box.left + box.side]
