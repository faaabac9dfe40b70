"""What is kept of an item: its streams, without loss and small, so that nothing is decoded twice.

The frames of an item are stacked into one tall PNG, their motion (in steps) into another. Masks are applied when the item is
read, so another mask or another encoder of the same size needs nothing else.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from hawk_pipelines.video.content import content_id
from hawk_pipelines.video.errors import UnreadableVideo
from hawk_pipelines.video.flow import from_steps
from hawk_pipelines.video.pictures import PICTURES_FPS
from hawk_pipelines.video.streams import StreamParameters, Streams, read_streams

# Higher levels take four times as long for a tenth of the bytes; trying every filter on every row, half as long again for none.
_PNG = [cv2.IMWRITE_PNG_COMPRESSION, 1, cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_SUB]


class ItemPlace(NamedTuple):
    """Where an item is to be seen, and the seed of its random draws."""

    path: Path
    video_id: str | None = None
    """The content that is expected there; None takes whatever is."""
    span: tuple[float, float] | None = None
    seed: int = 0
    pictures_fps: float = PICTURES_FPS


def frame_item(place: ItemPlace, parameters: StreamParameters, size: int) -> tuple[dict[str, np.ndarray], dict[str, object]]:
    """Arrays and facts of one item for the frame store.

    Raises:
        UnreadableVideo: see `read_streams`; or the video is another one than is expected there.
    """
    streams = read_streams(place.path, parameters, size, place.span, place.seed, place.pictures_fps)
    if place.video_id and content_id(place.path) != place.video_id:
        msg = f"{place.path} has changed since it was listed; run `kedro run --pipelines=ingest` and what follows it again."
        raise UnreadableVideo(msg)
    arrays, facts = pack(streams)
    return arrays, facts | {"flow": parameters.flow}


def pack(streams: Streams) -> tuple[dict[str, np.ndarray], dict[str, object]]:
    """Streams to arrays (two PNGs, uint8 [bytes]) and facts."""
    size = streams.frames.shape[3]
    frames = cv2.cvtColor(streams.frames.reshape(-1, size, 3), cv2.COLOR_RGB2BGR)
    arrays = {"frames": _png(frames), "steps": _png(streams.steps.reshape(-1, size))}
    return arrays, {"indices": streams.indices.tolist(), "times_s": streams.times_s.tolist()}


def unpack(arrays: Mapping[str, np.ndarray], facts: Mapping[str, object]) -> Streams:
    """The streams that were packed, bit by bit the same."""
    indices = np.asarray(facts["indices"], np.int64)
    frames, steps = _picture(arrays["frames"], cv2.IMREAD_COLOR_RGB), _steps(arrays, facts)
    return Streams(frames.reshape(*steps.shape, 3), steps, indices, np.asarray(facts["times_s"], np.float64))


def unpack_magnitude(arrays: Mapping[str, np.ndarray], facts: Mapping[str, object]) -> np.ndarray:
    """Only how much moves, where the frames are not looked at: float32 [P, T, H, W], pixels a frame."""
    return from_steps(_steps(arrays, facts))


def _steps(arrays: Mapping[str, np.ndarray], facts: Mapping[str, object]) -> np.ndarray:
    steps = _picture(arrays["steps"], cv2.IMREAD_UNCHANGED)
    side = steps.shape[1]
    return steps.reshape(*np.asarray(facts["indices"], np.int64).shape, side, side)


def _picture(png: np.ndarray, form: int) -> np.ndarray:
    picture = cv2.imdecode(png, form)
    if picture is None:
        msg = "A stored item holds no pictures that can be read; remove its store and run `kedro run --pipelines=motion` again."
        raise UnreadableVideo(msg)
    return picture


def _png(picture: np.ndarray) -> np.ndarray:
    return cv2.imencode(".png", picture, _PNG)[1]
