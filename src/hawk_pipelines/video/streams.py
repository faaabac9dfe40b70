"""Both streams of an item in one pass: the sampled frames, and how much moves in each."""

from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from hawk_pipelines.video.clock import Clock, read_clock
from hawk_pipelines.video.decode import Pairs, read_pairs
from hawk_pipelines.video.errors import UnreadableVideo
from hawk_pipelines.video.flow import FlowMethod, from_steps, magnitude, to_steps
from hawk_pipelines.video.media import is_folder
from hawk_pipelines.video.pictures import PICTURES_FPS, numbered_pictures, read_picture
from hawk_pipelines.video.probe import verified_index
from hawk_pipelines.video.sampling import Sampling, random_halves, uniform

STREAMS_VERSION = 4
"""Raised whenever the same video and parameters give other arrays."""


class StreamParameters(BaseModel):
    """Which frames of an item are looked at, and how motion is measured."""

    model_config = ConfigDict(extra="forbid")

    frames: int = Field(default=8, ge=1)
    """T, frames of an item."""
    sampling: Sampling = "uniform"
    phases: int = Field(default=1, ge=1)
    """P, how often an item is sampled: evenly at P offsets within a step, or P random draws."""
    flow: FlowMethod = "farneback"


class Streams(NamedTuple):
    """The sampled frames of an item; the motion stream is made of them with a mask."""

    frames: np.ndarray
    """uint8 [P, T, H, W, 3], RGB."""
    steps: np.ndarray
    """uint16 [P, T, H, W]: motion between each frame and its true neighbour before it, in steps of `flow.STEP` pixels."""
    indices: np.ndarray
    """int64 [P, T], which frames they are."""
    times_s: np.ndarray
    """float64 [P, T], when they are shown, from the first frame of the video."""

    @property
    def magnitude(self) -> np.ndarray:
        """float32 [P, T, H, W], pixels a frame."""
        return from_steps(self.steps)


def read_streams(
    path: str | Path,
    parameters: StreamParameters,
    size: int,
    span: tuple[float, float] | None = None,
    seed: int = 0,
    pictures_fps: float = PICTURES_FPS,
) -> Streams:
    """Sample an item: a video, or a span of one.

    Frame 0 has no neighbour before it: frame 1 stands in for it, as in the reference.

    Args:
        path: a video file, or a folder of numbered pictures, as it was typed.
        parameters: how to sample.
        size: width and height in pixels.
        span: seconds [start, end) from the first frame; None for the whole video. T shrinks to the frames that are there.
        seed: of random draws.
        pictures_fps: frames a second of a folder of pictures.

    Raises:
        UnreadableVideo: the video cannot be decoded, or no frame is shown within the span.
    """
    folder, path = is_folder(path), Path(path)
    if folder:
        pictures = numbered_pictures(path)
        clock = read_clock(len(pictures), pictures_fps)
        times = clock.times
    else:
        index = verified_index(path)
        clock, times = index.clock, index.times()
    start, end = _frames_within(path, clock, span)
    indices = np.stack(_draws(start, end, parameters, seed))
    if len(times) > 1:
        indices = np.maximum(indices, 1)
    wanted = np.unique(indices)
    pairs = _picture_pairs(pictures, wanted, size) if folder else read_pairs(path, index, wanted.tolist(), size)
    moved = [to_steps(magnitude(*pair, parameters.flow)) for pair in zip(pairs.previous, pairs.current, strict=True)]
    place = np.searchsorted(wanted, indices)
    frames, steps = (np.stack([taken[i] for i in place.flat]) for taken in (pairs.current, moved))
    shape = (*indices.shape, size, size)
    return Streams(frames.reshape(*shape, 3), steps.reshape(shape), indices, times[indices])


def _frames_within(path: Path, clock: Clock, span: tuple[float, float] | None) -> tuple[int, int]:
    """The frames of the span, half-open."""
    if span is None:
        return 0, clock.frames
    start, end = clock.frames_within(*span)
    if start >= end:
        what = f"{path} shows no frame from {span[0]} s to {span[1]} s"
        msg = f"{what}: it has {clock.frames} until {clock.times[-1]:.2f} s; mend the span."
        raise UnreadableVideo(msg)
    return start, end


def _draws(start: int, end: int, parameters: StreamParameters, seed: int) -> list[np.ndarray]:
    phases = range(parameters.phases)
    if parameters.sampling == "random_halves":
        return [random_halves(start, end, parameters.frames, np.random.default_rng([seed, phase])) for phase in phases]
    return [uniform(start, end, parameters.frames, phase / parameters.phases) for phase in phases]


def _picture_pairs(pictures: list[Path], wanted: np.ndarray, size: int) -> Pairs:
    """The wanted pictures and the neighbour before each, each read once."""
    small = {
        number: cv2.resize(read_picture(pictures[number]), (size, size), interpolation=cv2.INTER_AREA)
        for number in sorted({i for n in wanted.tolist() for i in (max(0, n - 1), n)})
    }
    return Pairs([small[n] for n in wanted.tolist()], [small[max(0, n - 1)] for n in wanted.tolist()])
