"""What a video is: how many frames, how fast, how large."""

from pathlib import Path
from typing import NamedTuple

import av

from hawk_pipelines.video.errors import UnreadableVideo
from hawk_pipelines.video.index import FrameIndex, read_index
from hawk_pipelines.video.media import is_folder, open_media, told, video_stream
from hawk_pipelines.video.orientation import shown_size
from hawk_pipelines.video.pictures import PICTURES_FPS, check_pictures

PROBE_VERSION = 3
"""Raised whenever the same file gives another answer."""
CHEAP_PIXELS = 300_000_000
"""Pixels of all frames together that are decoded in about a second at most."""


class Probe(NamedTuple):
    """What a video is."""

    frames: int
    """What a decoder delivers."""
    fps: float
    """On average, to be shown to people: `frame_intervals` says when frames are shown."""
    width: int
    """As shown: after the rotation that the file asks for."""
    height: int
    duration_s: float
    """From the first frame to the end of the last."""
    frame_intervals: str | None = None
    """How long each frame is shown (`Clock.intervals`); None where they are evenly spaced, at `fps`."""
    notes: tuple[str, ...] = ()
    """What a person should know of how it is read."""


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
    if is_folder(path):
        found = check_pictures(Path(path))
        return Probe(found.frames, pictures_fps, found.width, found.height, found.frames / pictures_fps)
    index = read_index(path)
    width, height = _first_frame(path)
    if index.doubt or index.frames * width * height <= CHEAP_PIXELS or _stumbles(path):
        index = _as_decoded(path, index)
    clock = index.clock
    if not index.rate and ((clock.even and index.pts is None) or index.frames < 2):
        msg = f"{path} does not say how many frames a second it has; re-encode it with a frame rate."
        raise UnreadableVideo(msg)
    return Probe(clock.frames, float(clock.rate), width, height, clock.duration_s, clock.intervals, index.notes)


def verified_index(path: str | Path) -> FrameIndex:
    """The index of a file. Where its count is in doubt, the frames are counted by decoding; those of another count are not found
    by their time stamps.

    Raises:
        UnreadableVideo: the file cannot be opened or is damaged, or its times make no sense.
    """
    index = read_index(path)
    return index if index.doubt is None else _as_decoded(path, index)


def _as_decoded(path: str | Path, index: FrameIndex) -> FrameIndex:
    stamps = _decode_all(path)
    return index if len(stamps) == index.frames else index.of_decoded(path, stamps)


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


def _decode_all(path: str | Path) -> list[int | None]:
    """The time stamp of every frame that a decoder gives."""
    stamps: list[int | None] = []
    with open_media(path) as container:
        stream = video_stream(container, path)
        stream.thread_type, stream.codec_context.thread_count = "SLICE", 2  # VP8's decoder notices damage only in slices
        try:
            for frame in container.decode(stream):
                stamps.append(frame.pts)  # noqa: PERF401 - an error says how many there were
        except av.FFmpegError as error:
            msg = f"{path} is damaged after frame {len(stamps)} ({told(error)}); repair, re-encode or remove the file."
            raise UnreadableVideo(msg) from error
    return stamps
