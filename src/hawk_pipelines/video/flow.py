"""How much moves: optical flow between neighbouring frames, and the motion mask made of it (HAWK, equations 3 and 4)."""

from typing import Literal

import cv2
import numpy as np

Mask = Literal["soft", "hard"]

HARD_THRESHOLD = 0.2
"""Pixels a frame; the public code's limit between still and moving."""
SOFT_FLOOR = 1.0
"""Pixels a frame. A frame whose largest motion is below this is normalised by it, so that noise in a still scene stays small."""


def magnitude(previous: np.ndarray, current: np.ndarray) -> np.ndarray:
    """Length of the Farneback flow from one frame to the next.

    Args:
        previous, current: uint8 [H, W, 3] RGB, true neighbours in the video.

    Returns:
        float32 [H, W], pixels a frame.
    """
    grey = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in (previous, current)]
    flow = cv2.calcOpticalFlowFarneback(
        grey[0],
        grey[1],
        None,  # type: ignore[call-overload]
        pyr_scale=0.5,
        levels=3,
        winsize=10,
        iterations=3,
        poly_n=5,
        poly_sigma=1.2,
        flags=0,
    )
    return np.hypot(flow[..., 0], flow[..., 1])


def motion_mask(magnitude: np.ndarray, mask: Mask = "soft") -> np.ndarray:
    """Weight of each pixel in the motion stream.

    Args:
        magnitude: [..., H, W], pixels a frame.
        mask: `soft` divides by the frame's largest magnitude (the paper); `hard` is 1 above 0.2 px (the public code).

    Returns:
        float32 [..., H, W] in [0, 1].
    """
    magnitude = np.asarray(magnitude, np.float32)
    if mask == "hard":
        return (magnitude > HARD_THRESHOLD).astype(np.float32)
    return magnitude / np.maximum(magnitude.max(axis=(-2, -1), keepdims=True), SOFT_FLOOR)


def motion_frames(frames: np.ndarray, magnitude: np.ndarray, mask: Mask = "soft") -> np.ndarray:
    """The motion stream: each frame weighted by what moves in it.

    Args:
        frames: uint8 [T, H, W, 3].
        magnitude: [T, H, W], pixels a frame.

    Returns:
        uint8 [T, H, W, 3].
    """
    return np.rint(frames * motion_mask(magnitude, mask)[..., None]).astype(np.uint8)
