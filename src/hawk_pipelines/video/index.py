"""Where the frames of a file are, read from its packets without decoding any."""

from array import array
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
from av.container import InputContainer
from av.video.stream import VideoStream

from hawk_pipelines.video.media import open_media, told, video_stream

FULLY_INDEXED = {"mov,mp4,m4a,3gp,3g2,mj2", "avi"}
"""Containers that list every frame at their beginning or end; others list key frames or nothing."""
UNTIMED = {"avi"}
"""Containers that do not say when a frame is shown, only in which order frames are decoded."""
SEEKABLE = {"mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm", "avi", "flv"}
"""Containers that stamp every packet, so that packets carry the same stamps after a seek. Others let the reader guess some."""
HIDDEN_PACKETS = {"vp8", "mpeg2video", "mpeg1video", "vc1", "wmv3"}
"""Codecs of which a packet may hold no picture of its own (reference pictures, single fields)."""


class FrameIndex(NamedTuple):
    """The frames of a file in the order in which they are shown."""

    frames: int
    """Packets that promise a frame."""
    pts: np.ndarray | None
    """int64 [frames], ascending time stamps; None where the file does not give every frame one of its own."""
    key: np.ndarray
    """bool [frames] in the same order: decoding can begin here, and seeking leads here."""
    time_base: Fraction
    """Seconds a time stamp."""
    rate: Fraction | None
    """Frames a second, as the file says it."""
    doubt: str | None
    """Why the count cannot be believed without decoding, or None."""

    def times(self) -> np.ndarray:
        """float64 [frames], seconds from the first frame: by time stamp, or evenly where there are none."""
        if self.pts is None:
            return np.arange(self.frames) / float(self.rate or 25)
        return (self.pts - self.pts[0]) * float(self.time_base)


class _Packets(NamedTuple):
    """What was read of a stream."""

    pts: array
    key: array
    unstamped: int
    fault: str | None


def read_index(path: str | Path) -> FrameIndex:
    """Read the packets of a video file.

    A count is doubted where packets, the container's index and its header disagree, where a packet is flagged as damaged,
    and where the kind of stream lets packets and pictures differ.

    Raises:
        UnreadableVideo: the file cannot be opened.
    """
    with open_media(path) as container:
        stream = video_stream(container, path)
        packets = _read_packets(container, stream)
        frames = len(packets.pts) + packets.unstamped
        rate = stream.average_rate or stream.guessed_rate
        time_base = stream.time_base or Fraction(1, 1)
        doubt = packets.fault or _disagreement(container, stream, frames, rate)
        seekable = container.format.name in SEEKABLE
        timed = not (container.format.name in UNTIMED and stream.codec_context.has_b_frames)
    pts, key = np.array(packets.pts, np.int64), np.array(packets.key, bool)
    if len(key) and not key[0]:
        doubt = doubt or "the first frame is no key frame"
    order = np.argsort(pts, kind="stable")
    pts, key = pts[order], key[order]
    if not timed or packets.unstamped or not len(pts) or (np.diff(pts) <= 0).any():
        return FrameIndex(frames, None, np.zeros(frames, bool), time_base, rate, doubt)
    return FrameIndex(frames, pts, key & seekable, time_base, rate, doubt)


def _read_packets(container: InputContainer, stream: VideoStream) -> _Packets:
    pts, key, unstamped, fault = array("q"), array("b"), 0, None
    try:
        for packet in container.demux(stream):
            if packet.is_corrupt:
                fault = "a packet is damaged"
            if not packet.size or packet.is_discard:  # the end, or cut away by the container's edit list
                continue
            if packet.pts is None:
                unstamped += 1
            else:
                pts.append(packet.pts)
                key.append(packet.is_keyframe)
    except av.FFmpegError as error:
        fault = f"reading stops early ({told(error)})"
    return _Packets(pts, key, unstamped, fault)


def _disagreement(container: InputContainer, stream: VideoStream, frames: int, rate: Fraction | None) -> str | None:
    """What the file says of itself that its packets do not bear out."""
    promised = {stream.frames} - {0}
    if container.format.name in FULLY_INDEXED:
        promised.add(len(stream.index_entries))
    if promised - {frames}:
        return f"the file promises {max(promised - {frames})} frames and holds {frames}"
    if promised:
        return None
    codec = stream.codec_context.name
    if codec in HIDDEN_PACKETS:
        return f"packets of {codec} may hold no picture"
    lasts = (container.duration or 0) / av.time_base
    if rate and lasts and abs(lasts * rate - frames) > 2:
        return f"{lasts:.2f} s at {float(rate):g} frames a second are promised, and {frames} frames are there"
    return None
