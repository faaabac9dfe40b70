"""Which frames of a video to look at."""

import numpy as np


def uniform(frames: int, count: int) -> np.ndarray:
    """Indices of `count` frames spread evenly over a video of `frames` frames.

    The step is `frames / count` and indices are truncated (HAWK, uniform sampling). A video shorter than `count` gives
    every frame once.

    Args:
        frames: number of frames in the video, at least 1.
        count: number of frames wanted, T.

    Returns:
        int64 [min(T, frames)], ascending, without repeats.
    """
    if frames < 1 or count < 1:
        msg = f"Sampling needs at least one frame and one place to put it, but got {frames} frames and {count} places."
        raise ValueError(msg)
    if frames <= count:
        return np.arange(frames)
    return np.arange(count) * frames // count
