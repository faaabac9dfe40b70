"""From a file to the few frames that are wanted."""

from pathlib import Path
from typing import NamedTuple

import av
import cv2
import numpy as np

from hawk_pipelines.video.errors import UnreadableVideo


class Probe(NamedTuple):
    """What a video file is."""

    frames: int
    fps: float
    width: int
    height: int
    duration_s: float


class Pairs(NamedTuple):
    """The sampled frames and, for each, its true neighbour before it; both uint8 [T, H, W, 3] RGB."""

    current: np.ndarray
    previous: np.ndarray
    indices: np.ndarray
    """int64 [T], the frame numbers actually taken."""


def probe(path: str | Path) -> Probe:
    """Read what a video file says of itself; frames are counted from its packets.

    Raises:
        UnreadableVideo: the file is missing, is no video, or holds no frame that can be decoded.
    """
    try:
        with _open(path) as container:
            stream = _video_stream(container, path)
            first = next(container.decode(stream))
            fps = float(stream.average_rate or stream.guessed_rate or 0)
        with _open(path) as container:  # opened anew: not every container can be sought in
            stream = _video_stream(container, path)
            frames = sum(1 for packet in container.demux(stream) if packet.size and not packet.is_discard)
    except (StopIteration, av.FFmpegError) as error:
        msg = f"{path} holds no frame that can be decoded ({error or 'the stream is empty'}); replace or remove the file."
        raise UnreadableVideo(msg) from error
    if fps <= 0:
        msg = f"{path} does not say how many frames a second it has; re-encode it with a frame rate."
        raise UnreadableVideo(msg)
    return Probe(frames, fps, first.width, first.height, frames / fps)


def read_pairs(path: str | Path, indices: np.ndarray, size: int) -> Pairs:
    """Decode the wanted frames and the neighbour before each, scaled to `size` × `size`.

    Frame 0 has no neighbour: frame 1 stands in for it, as in the reference (and frame 0 for itself in a picture-long video).

    Args:
        path: a video file.
        indices: ascending frame numbers, int [T].
        size: width and height in pixels.

    Raises:
        UnreadableVideo: the file cannot be opened, or ends before the last wanted frame.
    """
    wanted = [max(1, int(i)) for i in indices]
    needed = set(wanted) | {i - 1 for i in wanted}
    found: dict[int, np.ndarray] = {}
    with _open(path) as container:
        stream = _video_stream(container, path)
        stream.thread_type = "NONE"
        try:
            for number, frame in enumerate(container.decode(stream)):
                if number in needed:
                    rgb = frame.to_ndarray(format="rgb24")
                    found[number] = cv2.resize(rgb, (size, size), interpolation=cv2.INTER_AREA)
                if number >= wanted[-1]:
                    break
        except av.FFmpegError as error:
            msg = f"{path} could not be decoded beyond frame {max(found, default=0)} ({error}); replace or remove the file."
            raise UnreadableVideo(msg) from error
    if list(indices) == [0] and list(found) == [0]:
        found[1] = found[0]
    missing = sorted(needed - set(found))
    if missing:
        msg = f"{path} ends before frame {missing[0]}, which its packets promise; replace or remove the file."
        raise UnreadableVideo(msg)
    return Pairs(np.stack([found[i] for i in wanted]), np.stack([found[i - 1] for i in wanted]), np.asarray(wanted, np.int64))


def _open(path: str | Path) -> "av.container.InputContainer":
    if not Path(path).is_file():
        msg = f"{path} is not a file; check the path."
        raise UnreadableVideo(msg)
    try:
        return av.open(f"file:{path}", "r")
    except (av.FFmpegError, ValueError) as error:
        msg = f"{path} cannot be opened as a video ({error}); replace or remove the file."
        raise UnreadableVideo(msg) from error


def _video_stream(container: "av.container.InputContainer", path: str | Path) -> "av.VideoStream":
    if not container.streams.video:
        msg = f"{path} has no video stream; replace or remove the file."
        raise UnreadableVideo(msg)
    return container.streams.video[0]
