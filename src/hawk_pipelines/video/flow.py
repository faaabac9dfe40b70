"""How much moves: optical flow between neighbouring frames, and the motion mask made of it (HAWK, equations 3 and 4)."""

from typing import Literal

import cv2
import numpy as np

FlowMethod = Literal["farneback", "dis"]
Mask = Literal["soft", "hard"]

HARD_THRESHOLD = 0.2
"""Pixels a frame; the public code's limit between still and moving."""
SOFT_FLOOR = 1.0
"""Pixels a frame. A frame whose largest motion is below this is normalised by it, so that noise in a still scene stays small."""
STEP = 0.02
"""Pixels a frame; what a magnitude is stored in. The hard threshold is a whole number of steps, so no pixel changes sides."""


def optical_flow(previous: np.ndarray, current: np.ndarray, method: FlowMethod = "farneback") -> np.ndarray:
    """Dense flow from one frame to the next.

    Args:
        previous, current: uint8 [H, W, 3] RGB, true neighbours in the video.
        method: `farneback` with the reference's parameters, or `dis` (dense inverse search, fast preset), about ten times as
            fast and coarser.

    Returns:
        float32 [H, W, 2]: dx, dy in pixels.
    """
    before, after = (cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in (previous, current))
    if method == "dis":
        return _dis().calc(before, after, None)  # type: ignore[call-overload]
    return cv2.calcOpticalFlowFarneback(
        before,
        after,
        None,  # type: ignore[call-overload]
        pyr_scale=0.5,
        levels=3,
        winsize=10,
        iterations=3,
        poly_n=5,
        poly_sigma=1.2,
        flags=0,
    )


def magnitude(previous: np.ndarray, current: np.ndarray, method: FlowMethod = "farneback") -> np.ndarray:
    """Length of the flow from one frame to the next: float32 [H, W], pixels a frame. Arguments as for `optical_flow`."""
    flow = optical_flow(previous, current, method)
    return cv2.magnitude(flow[..., 0], flow[..., 1])


def to_steps(magnitude: np.ndarray) -> np.ndarray:
    """Pixels a frame, rounded up to whole steps: uint16, the compact form that is stored. 0 is exactly still."""
    return np.minimum(np.ceil(magnitude / np.float32(STEP)), np.iinfo(np.uint16).max).astype(np.uint16)


def from_steps(steps: np.ndarray) -> np.ndarray:
    """The middle of each step, float32, pixels a frame: at most half a step from what was measured."""
    return np.maximum(steps.astype(np.float32) - 0.5, 0) * np.float32(STEP)


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
        frames: uint8 [..., H, W, 3].
        magnitude: [..., H, W], pixels a frame.
        mask: see `motion_mask`.

    Returns:
        uint8 [..., H, W, 3].
    """
    return np.rint(frames * motion_mask(magnitude, mask)[..., None]).astype(np.uint8)


def _dis() -> "cv2.DISOpticalFlow":
    """A new one each time: one that has seen a smaller picture measures otherwise."""
    return cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
