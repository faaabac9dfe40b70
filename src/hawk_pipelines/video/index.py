"""Where the frames of a file are, read from its packets without decoding any."""

from array import array
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
from av.container import InputContainer
from av.video.stream import VideoStream

from hawk_pipelines.video.clock import Clock
from hawk_pipelines.video.media import moving_streams, open_media, other_streams, told, video_stream
from hawk_pipelines.video.timestamps import REORDERED, check_duration, even_clock, read_stamps

FULLY_INDEXED = {"mov,mp4,m4a,3gp,3g2,mj2", "avi"}
"""Containers that list every frame at their beginning or end; others list key frames or nothing."""
UNTIMED = {"avi"}
"""Containers that do not say when a frame is shown, only in which order frames are decoded."""
SEEKABLE = {"mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm", "avi", "flv"}
"""Containers that stamp every packet, so that packets carry the same stamps after a seek. Others let the reader guess some."""
HIDDEN_PACKETS = {"vp8", "mpeg2video", "mpeg1video", "vc1", "wmv3"}
"""Codecs of which a packet may hold no picture of its own (reference pictures, single fields)."""


EARLY_TICKS = 2**40
"""Ticks before its time stamp that a first frame is taken to be decoded where nothing says when."""


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
    timed: bool
    """Whether the container says when its frames are shown."""
    clock: Clock
    """When each frame is shown."""
    mended: bool = False
    """Whether the clock says something else than the time stamps, because they make no sense."""
    notes: tuple[str, ...] = ()
    """What a person should know of how the file is read."""

    def times(self) -> np.ndarray:
        """float64 [frames], seconds from the first frame: as the file's time stamps have them, where they make sense."""
        if self.pts is None or self.mended or not self.clock.even:
            return self.clock.times
        return (self.pts - self.pts[0]) * float(self.time_base)

    def of_decoded(self, path: str | Path, stamps: list[int | None]) -> "FrameIndex":
        """The index of the frames that a decoder really gives, where they are not those that the packets promise.

        Args:
            path: of the file, for messages.
            stamps: of every frame that is decoded, in order.

        Raises:
            UnreadableVideo: see `read_stamps`.
        """
        frames = len(stamps)
        counted = self._replace(
            frames=frames, pts=None, key=np.zeros(frames, bool), clock=even_clock(frames, self.rate), mended=False
        )
        if not self.timed or frames < 2 or any(stamp is None for stamp in stamps):
            return counted
        pts = np.array(stamps, np.int64)
        known = read_stamps(path, pts, pts, self.time_base, (self.rate, self.clock.rate))
        return counted._replace(clock=known.clock, mended=known.mended, notes=tuple(dict.fromkeys((*self.notes, *known.notes))))


LATE_S = 1.0
"""Seconds by which a video begins after its sound from which on that is said: people time to the second at best."""


class _Packets(NamedTuple):
    """What was read of a stream."""

    pts: array
    dts: array
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
        rates = (stream.average_rate or stream.guessed_rate, stream.guessed_rate)
        time_base = stream.time_base or Fraction(1, 1)
        doubt = packets.fault or _disagreement(container, stream, frames, rates[0])
        seekable = container.format.name in SEEKABLE
        timed = not (container.format.name in UNTIMED and stream.codec_context.has_b_frames)
        notes = [*other_streams(container, stream, path), *_late(container, stream, packets, path)]
    pts, key = np.array(packets.pts, np.int64), np.array(packets.key, bool)
    if len(key) and not key[0]:
        doubt = doubt or "the first frame is no key frame"
    index = FrameIndex(
        frames, None, np.zeros(frames, bool), time_base, rates[0], doubt, timed, even_clock(frames, rates[0]), notes=tuple(notes)
    )
    if packets.unstamped and len(pts) and seekable:
        what = f"{packets.unstamped} frame(s) of {path} have no time stamp"
        notes.append(f"{what}; all are timed evenly, at the rate that the file says.")
        index = index._replace(notes=tuple(notes))
    if timed and frames == len(pts) == 1:
        index = index._replace(pts=pts, key=key & seekable)
    if not timed or packets.unstamped or len(pts) < 2:
        check_duration(path, index.clock)
        return index
    stamps = read_stamps(path, pts, np.array(packets.dts, np.int64), time_base, rates)
    if stamps.distinct:
        index = index._replace(pts=pts[stamps.order], key=(key & seekable)[stamps.order])
    return index._replace(clock=stamps.clock, mended=stamps.mended, notes=(*notes, *stamps.notes))


def _read_packets(container: InputContainer, stream: VideoStream) -> _Packets:
    pts, dts, key, unstamped, fault = array("q"), array("q"), array("b"), 0, None
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
                # A packet whose time of decoding is not known is decoded no earlier than the one before it.
                dts.append(packet.dts if packet.dts is not None else dts[-1] if dts else packet.pts - EARLY_TICKS)
                key.append(packet.is_keyframe)
    except av.FFmpegError as error:
        fault = f"reading stops early ({told(error)})"
    return _Packets(pts, dts, key, unstamped, fault)


def _late(container: InputContainer, stream: VideoStream, packets: _Packets, path: str | Path) -> list[str]:
    """A word about a video that begins after the file's other streams do: seconds are counted from its first frame.

    FFmpeg looks only at a file's first seconds; of a Matroska track that begins later it says that it begins at 0.
    """
    if not packets.pts or container.start_time is None or stream.time_base is None:
        return []
    begins_s = float(min(packets.pts[:REORDERED]) * stream.time_base)
    if begins_s - container.start_time / av.time_base < LATE_S:
        return []
    others_begin_s = _beginning_of_others(path, stream.index)
    if others_begin_s is None or begins_s - others_begin_s < LATE_S:
        return []
    what = f"The video of {path} begins {begins_s - others_begin_s:.2f} s after the file's other streams"
    return [f"{what}; its seconds are counted from its first frame."]


def _beginning_of_others(path: str | Path, video: int) -> float | None:
    """The seconds at which the first packet of another stream than the video begins; None where there is none."""
    with open_media(path) as container:
        streams = [stream for stream in (*container.streams.audio, *moving_streams(container)) if stream.index != video]
        try:
            for packet in container.demux(streams) if streams else ():
                if packet.size and packet.pts is not None and packet.time_base is not None:
                    return float(packet.pts * packet.time_base)
        except av.FFmpegError:
            pass  # what is wrong with the file was said where its video was read
    return None


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
