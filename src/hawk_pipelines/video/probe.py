"""What a video is: how many frames, how fast, how large."""

from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np

from hawk_pipelines.video.errors import UnreadableVideo
from hawk_pipelines.video.index import FrameIndex, read_index
from hawk_pipelines.video.media import open_media, told, video_stream
from hawk_pipelines.video.orientation import shown_size
from hawk_pipelines.video.pictures import PICTURES_FPS, check_pictures

PROBE_VERSION = 2
"""Raised whenever the same file gives another answer."""
CHEAP_PIXELS = 300_000_000
"""Pixels of all frames together that are decoded in about a second at most."""


class Probe(NamedTuple):
    """What a video is."""

    frames: int
    """What a decoder delivers."""
    fps: float
    width: int
    """As shown: after the rotation that the file asks for."""
    height: int
    duration_s: float
    """From the first frame to the end of the last."""


def probe(path: str | Path, pictures_fps: float = PICTURES_FPS) -> Probe:
    """Say what a video file or a folder of numbered pictures is.

    Frames are counted from packets. They are all decoded and counted where that count is in doubt, where a strict decoder of the
    key frames stumbles, and in short videos, where it costs next to nothing and finds damage that nothing else tells of. Every
    picture of a folder is decoded.

    Args:
        path: a video file, or a folder of numbered pictures.
        pictures_fps: frames a second of a folder of pictures, which cannot say it.

    Raises:
        UnreadableVideo: it is missing, no video, or damaged.
    """
    if Path(path).is_dir():
        found = check_pictures(Path(path))
        return Probe(found.frames, pictures_fps, found.width, found.height, found.frames / pictures_fps)
    index = read_index(path)
    width, height = _first_frame(path)
    frames = index.frames
    if index.doubt or index.frames * width * height <= CHEAP_PIXELS or _stumbles(path):
        frames = _count(path)
    fps, duration_s = _rate(path, frames, index.pts if frames == index.frames else None, index)
    return Probe(frames, fps, width, height, duration_s)


def verified_index(path: str | Path) -> FrameIndex:
    """The index of a file. Where its count is in doubt, the frames are counted by decoding; another count has no time stamps.

    Raises:
        UnreadableVideo: the file cannot be opened or is damaged.
    """
    index = read_index(path)
    if index.doubt is None:
        return index
    frames = _count(path)
    if frames == index.frames:
        return index
    return index._replace(frames=frames, pts=None, key=np.zeros(frames, bool))


def _first_frame(path: str | Path) -> tuple[int, int]:
    """Width and height as shown."""
    with open_media(path) as container:
        stream = video_stream(container, path)
        try:
            return shown_size(next(container.decode(stream)))
        except (StopIteration, av.FFmpegError) as error:
            msg = (
                f"{path} holds no frame that can be decoded ({told(error) or 'the stream is empty'}); replace or remove the file."
            )
            raise UnreadableVideo(msg) from error


def _stumbles(path: str | Path) -> bool:
    """Whether a strict decoder finds a fault in a key frame."""
    with open_media(path) as container:
        stream = video_stream(container, path)
        stream.codec_context.skip_frame = "NONKEY"
        stream.codec_context.options = {"err_detect": "explode"}
        try:
            for _ in container.decode(stream):
                pass
        except av.FFmpegError:
            return True
    return False


def _count(path: str | Path) -> int:
    """Decode everything."""
    frames = 0
    with open_media(path) as container:
        stream = video_stream(container, path)
        stream.thread_type, stream.codec_context.thread_count = "SLICE", 2  # VP8's decoder notices damage only in slices
        try:
            for _ in container.decode(stream):
                frames += 1
        except av.FFmpegError as error:
            msg = f"{path} is damaged after frame {frames} ({told(error)}); repair, re-encode or remove the file."
            raise UnreadableVideo(msg) from error
    return frames


def _rate(path: str | Path, frames: int, pts: np.ndarray | None, index: FrameIndex) -> tuple[float, float]:
    """Frames a second and seconds: from the time stamps where there are any, otherwise from what the file says.

    The last frame lasts as long as the others do on average.
    """
    if pts is None or len(pts) < 2:
        if not index.rate or index.rate <= 0:
            msg = f"{path} does not say how many frames a second it has; re-encode it with a frame rate."
            raise UnreadableVideo(msg)
        return float(index.rate), float(frames / index.rate)
    measured = Fraction(len(pts) - 1) / (int(pts[-1] - pts[0]) * index.time_base)
    # The rounding of time stamps (whole milliseconds in Matroska) is taken out where the file's word agrees with them.
    agreed = index.rate if index.rate and abs(index.rate - measured) < measured / 100 else measured
    return float(agreed), float(frames / agreed)
