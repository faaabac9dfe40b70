"""The pictures of a clip that a captioner looks at."""

from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from hawk_pipelines.perception.captioner import Seen
from hawk_pipelines.video.clock import clock_of
from hawk_pipelines.video.content import content_id
from hawk_pipelines.video.decode import read_pairs
from hawk_pipelines.video.errors import UnreadableVideo
from hawk_pipelines.video.index import FrameIndex
from hawk_pipelines.video.pictures import numbered_pictures, read_picture
from hawk_pipelines.video.probe import verified_index
from hawk_pipelines.video.sampling import uniform


class Frames(NamedTuple):
    """Frames of a clip."""

    pictures: list[np.ndarray]
    """T times uint8 [H, W, 3], RGB."""
    times_s: list[float]
    """Seconds from the beginning of the video."""


def read_squares(seen: Seen, count: int, size: int) -> Frames:
    """Frames spread evenly over a clip, squeezed to squares.

    Args:
        seen: the clip.
        count: how many; fewer where the clip has fewer.
        size: width and height in pixels.

    Raises:
        UnreadableVideo: the video cannot be decoded, or is not the one that was listed.
    """
    clip, path = seen.clip, Path(seen.video.path)
    numbers = uniform(clip.start_frame, clip.end_frame, count).tolist()
    if path.is_dir():
        pictures = _pictures(path, seen.video.id)
        found = [cv2.resize(read_picture(pictures[number]), (size, size), interpolation=cv2.INTER_AREA) for number in numbers]
    else:
        index = _index(path, seen.video.id, path.stat().st_mtime_ns if path.exists() else 0)
        # Frame 0 has no neighbour before it, and a decoder of pairs gives it to none but a video of one frame.
        wanted = sorted({max(number, min(1, index.frames - 1)) for number in numbers})
        numbers, found = wanted, read_pairs(path, index, wanted, size).current
    clock = clock_of(seen.video)
    return Frames(found, [clock.seconds_of(number) for number in numbers])


def read_frames(seen: Seen, count: int, longest: int) -> Frames:
    """As `read_squares`, but in the shape of the video, the longer side of so many pixels."""
    squares = read_squares(seen, count, longest)
    width, height = seen.video.width, seen.video.height
    scale = longest / max(width, height)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return Frames([cv2.resize(square, size, interpolation=cv2.INTER_AREA) for square in squares.pictures], squares.times_s)


@lru_cache(maxsize=2)
def _index(path: Path, video_id: str, _changed_ns: int) -> FrameIndex:
    """Where the frames of a file are. Its clips follow each other."""
    _insist_on(path, video_id)
    return verified_index(path)


@lru_cache(maxsize=2)
def _pictures(folder: Path, video_id: str) -> list[Path]:
    _insist_on(folder, video_id)
    return numbered_pictures(folder)


def _insist_on(path: Path, video_id: str) -> None:
    """Refuse a video that is not there, or another one than was listed."""
    if not path.exists() or content_id(path) != video_id:
        msg = f"{path} has changed since it was listed; run `kedro run --pipelines=ingest` and what follows it again."
        raise UnreadableVideo(msg)
