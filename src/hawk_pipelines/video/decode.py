"""From a file to the few frames that are wanted: each decoded once, none of the others where that can be helped."""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter
from av.video.stream import VideoStream

from hawk_pipelines.video.errors import UnreadableVideo
from hawk_pipelines.video.index import FrameIndex
from hawk_pipelines.video.media import open_media, told, video_stream
from hawk_pipelines.video.orientation import turned

SEEK_COST = 4
"""Frames that could be decoded in the time of one seek: a key frame nearer than that is reached by going on."""
DROPPABLE = {"h264", "mpeg4", "mpeg2video"}
"""Codecs whose unreferenced frames are never needed by another frame, so that they need not be decoded."""
# Area averaging, and the same bytes from every processor.
_SCALING = Interpolation.AREA | Interpolation.ACCURATE_RND | Interpolation.BITEXACT


class Pairs(NamedTuple):
    """The wanted frames and, for each, its true neighbour before it: T times uint8 [size, size, 3], RGB."""

    current: list[np.ndarray]
    previous: list[np.ndarray]


class _Run(NamedTuple):
    """Frames that are decoded in one go, beginning at a key frame."""

    start: int
    wanted: list[int]


def read_pairs(path: str | Path, index: FrameIndex, wanted: Sequence[int], size: int) -> Pairs:
    """Decode the wanted frames and the neighbour before each.

    Args:
        path: the file.
        index: its frames.
        wanted: frame numbers of 1 or more, ascending; repeats are allowed. In a video of one frame 0 is its own neighbour.
        size: width and height in pixels.

    Raises:
        UnreadableVideo: the file cannot be opened, is damaged, or ends before the last wanted frame.
    """
    needed = sorted({i for number in wanted for i in (max(0, number - 1), number)})
    with open_media(path) as container:
        stream = video_stream(container, path)
        try:
            found = _by_time(container, stream, index.pts, index.key, needed, size) if index.pts is not None else {}
        except av.FFmpegError as error:
            msg = (
                f"{path} is damaged between frame {needed[0]} and frame {needed[-1]} ({told(error)}); repair or remove the file."
            )
            raise UnreadableVideo(msg) from error
    if len(found) < len(needed):  # no time stamps, or a container that cannot be sought in
        found = _by_counting(path, index, needed, size)
    return Pairs([found[i] for i in wanted], [found[max(0, i - 1)] for i in wanted])


def _by_time(
    container: InputContainer, stream: VideoStream, pts: np.ndarray, key: np.ndarray, needed: list[int], size: int
) -> dict[int, np.ndarray]:
    """The needed frames, known by their time stamps; fewer where seeking does not lead to them."""
    number_of = {int(pts[i]): i for i in needed}
    found: dict[int, np.ndarray] = {}
    scale = _Scaler(size)
    for run in _runs(key, needed):
        start = int(pts[run.start])
        if run.start > 0:
            container.seek(start, stream=stream)
        last = -math.inf
        for frame in _decoded(container, stream, start, number_of):
            if frame.pts is None or frame.pts <= last:  # the time stamps are not those of the frames
                return {}
            last, number = frame.pts, number_of.get(frame.pts)
            if number is not None and number >= run.wanted[0] and not frame.is_corrupt:
                found[number] = scale(frame)
            if run.wanted[-1] in found:
                break
    return found


def _runs(key: np.ndarray, needed: list[int]) -> list[_Run]:
    """Where to begin decoding, and for which frames."""
    keys = np.flatnonzero(key)
    runs: list[_Run] = []
    for number in needed:
        before = int(np.searchsorted(keys, number, side="right")) - 1
        start = int(keys[before]) if before >= 0 else 0
        if not runs or start > runs[-1].wanted[-1] + SEEK_COST:
            runs.append(_Run(start if start > SEEK_COST else 0, []))
        runs[-1].wanted.append(number)
    return runs


def _decoded(container: InputContainer, stream: VideoStream, start: int, needed: dict[int, int]) -> Iterator[VideoFrame]:
    """Frames from the key frame at the time stamp `start` on; nothing if the container has gone beyond it."""
    codec = stream.codec_context
    droppable = codec.name in DROPPABLE
    at_key = dropping = False
    for packet in container.demux(stream):
        if not at_key:
            if not packet.is_keyframe:
                continue
            if packet.pts is None or packet.pts > start:
                return
            at_key = True
        if droppable and (packet.pts not in needed) != dropping:
            dropping = not dropping
            codec.skip_frame = "NONREF" if dropping else "DEFAULT"
        yield from codec.decode(packet if packet.size else None)


def _by_counting(path: str | Path, index: FrameIndex, needed: list[int], size: int) -> dict[int, np.ndarray]:
    """The needed frames, found by decoding from the beginning."""
    found: dict[int, np.ndarray] = {}
    wanted = set(needed)
    scale = _Scaler(size)
    number = 0
    with open_media(path) as container:
        try:
            for frame in container.decode(video_stream(container, path)):
                if index.pts is not None and frame.pts is not None and frame.pts > index.pts[min(number, index.frames - 1)]:
                    break  # the frame that should stand here was lost
                if number in wanted:
                    found[number] = scale(frame)
                if number == needed[-1]:
                    return found
                number += 1
        except av.FFmpegError as error:
            msg = f"{path} is damaged at frame {number} ({told(error)}); repair, re-encode or remove the file."
            raise UnreadableVideo(msg) from error
    msg = f"{path} is damaged: its decoder gives no frame {number}, which its packets promise; repair or remove the file."
    raise UnreadableVideo(msg)


class _Scaler:
    """Frames to uint8 [size, size, 3], RGB, upright, in the colours that the file means."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._reformatter = VideoReformatter()

    def __call__(self, frame: VideoFrame) -> np.ndarray:
        small = self._reformatter.reformat(frame, self._size, self._size, "rgb24", interpolation=_SCALING, threads=1)
        return np.ascontiguousarray(turned(frame, small.to_ndarray()))
