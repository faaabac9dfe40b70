"""Both streams of a video in one pass: the sampled frames and how much moves in each."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from hawk_pipelines.video.decode import probe, read_pairs
from hawk_pipelines.video.flow import magnitude
from hawk_pipelines.video.sampling import uniform

STREAMS_VERSION = 1
"""Raised whenever the same video and parameters give other arrays."""


class Streams(NamedTuple):
    """The sampled frames of a video; the motion stream is made of them with a mask."""

    frames: np.ndarray
    """uint8 [T, H, W, 3], RGB."""
    magnitude: np.ndarray
    """float16 [T, H, W], pixels a frame, between each frame and its true neighbour before it."""
    indices: np.ndarray
    """int64 [T], which frames they are."""


def read_streams(path: Path, frames: int, size: int) -> Streams:
    """Sample a video evenly.

    Args:
        path: a video file.
        frames: T; a shorter video gives all its frames.
        size: width and height in pixels.

    Raises:
        UnreadableVideo: the video cannot be decoded.
    """
    pairs = read_pairs(path, uniform(probe(path).frames, frames), size)
    moved = [magnitude(before, frame) for before, frame in zip(pairs.previous, pairs.current, strict=True)]
    return Streams(pairs.current, np.stack(moved).astype(np.float16), pairs.indices)
