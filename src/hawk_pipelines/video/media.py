"""Opening a file as a video, and as nothing else: no playlist, no list of other files, no network address."""

import errno
import os
import re
import stat
from collections import Counter
from functools import lru_cache
from pathlib import Path

import av
from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

from hawk_pipelines.video.errors import UnreadableVideo

FORMATS = (
    "3g2,3gp,apng,asf,av1,avi,dhav,dv,flv,gif,h264,hevc,hxvs,ivf,m4a,m4v,matroska,mj2,mjpeg,mov,mp4,mpeg,mpegts,mpegvideo,mxf,"
    "nut,obu,ogg,vc1,vc1test,vvc,webm,wtv,yuv4mpegpipe"
)
"""Containers that hold their own pictures. Those that point at other files (hls, concat, dash, image2 …) are not among them."""

FEW_FRAMES = 0.1
"""Share of the frames of a file's longest video stream: a stream with fewer is a poster or a preview, not the recording."""


LONGEST_NAME = 80
"""Characters that are shown of a name that is too long for a file."""

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


def is_folder(path: str | Path) -> bool:
    """Whether what is at a path, which anybody may have typed, is a folder and not a file.

    Args:
        path: as it was typed: a `Path` has lost a slash of an address, which is then told wrongly.

    Raises:
        UnreadableVideo: nothing is there, nothing can be there, or it is neither a file nor a folder.
        OSError: the machine does not let it be seen.
    """
    mode = _status(path).st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        msg = f"{path} is neither a file nor a folder of pictures; check the path."
        raise UnreadableVideo(msg)
    return stat.S_ISDIR(mode)


def _status(path: str | Path) -> os.stat_result:
    text = str(path).encode("utf-8", "backslashreplace").decode()  # half characters are shown as they are written
    try:
        return Path(path).stat()
    except UnicodeEncodeError as error:
        msg = f"{text} cannot be a file's name: it holds half a character (a lone surrogate); check the path."
        raise UnreadableVideo(msg) from error
    except ValueError as error:
        msg = f"{text} cannot be a file's name: it holds a null character; check the path."
        raise UnreadableVideo(msg) from error
    except OSError as error:
        if error.errno not in (errno.ENAMETOOLONG, errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
            raise  # the machine is to blame, and not the path
        if error.errno == errno.ENAMETOOLONG:
            shown = text if len(text) <= LONGEST_NAME else f"{text[:LONGEST_NAME]}…"
            msg = f"{shown} cannot be a file's name: with {len(text):,} characters it is too long; check the path."
        elif _ADDRESS.match(text):
            msg = f"{text} does not exist, and addresses are not opened; give the path of a file on this machine."
        else:
            msg = f"{text} does not exist; check the path."
        raise UnreadableVideo(msg) from error


def open_media(path: str | Path) -> InputContainer:
    """Open a regular file as a container of one of `FORMATS`; nothing but that file is ever opened.

    Raises:
        UnreadableVideo: it is no regular file, or no such container.
    """
    if is_folder(path):
        msg = f"{path} is a folder, and no file; check the path."
        raise UnreadableVideo(msg)
    if Path(path).stat().st_size == 0:
        msg = f"{path} is empty (0 bytes); replace or remove the file."
        raise UnreadableVideo(msg)
    try:
        return av.open(f"file:{path}", "r", options={"format_whitelist": FORMATS, "protocol_whitelist": "file"})
    except (av.FFmpegError, ValueError) as error:
        msg = f"{path} cannot be opened as a video ({told(error)}); replace or remove the file."
        raise UnreadableVideo(msg) from error


def video_stream(container: InputContainer, path: str | Path) -> VideoStream:
    """The video stream with the largest pictures, of several the first, to be decoded in one thread.

    Cover pictures are none, and neither are posters: streams with a small share of the frames of the longest one.

    Raises:
        UnreadableVideo: there is none, or no decoder for it.
    """
    streams = moving_streams(container)
    understood = [stream for stream in streams if stream.codec_context is not None]
    if not understood:
        what = "holds a video stream that no decoder here understands; convert the file"
        msg = f"{path} {what if streams else 'has no video stream; replace or remove the file'}."
        raise UnreadableVideo(msg)
    stream = max(_recordings(understood, path), key=_pixels)
    stream.thread_type = "NONE"  # videos are spread over processes
    return stream


def other_streams(container: InputContainer, stream: VideoStream, path: str | Path) -> list[str]:
    """A word about the video streams that are not read, where the one that is does not come first or is not the largest."""
    streams = moving_streams(container)
    larger = [other for other in streams if other.codec_context is not None and _pixels(other) > _pixels(stream)]
    if not larger and stream.index == streams[0].index:
        return []
    what = f"{path} has {len(streams)} video streams; number {streams.index(stream) + 1}"
    if not larger:
        return [f"{what}, the largest ({_size(stream)}), is read."]
    numbers = " and ".join(f"{streams.index(other) + 1} ({_size(other)})" for other in larger)
    return [f"{what} ({_size(stream)}) is read, since number {numbers} has but few frames."]


def _recordings(streams: list[VideoStream], path: str | Path) -> list[VideoStream]:
    """Those of the streams that are no poster, no preview and not empty; all, where none has more than one frame."""
    if len(streams) == 1:
        return streams
    counts = {stream.index: stream.frames for stream in streams}
    if not all(counts.values()):  # containers such as Matroska do not say how many frames there are
        file = Path(path).stat()
        counted = _packet_counts(str(path), file.st_size, file.st_mtime_ns)
        counts = {index: counted[index] for index in counts}
    least = max(2.0, FEW_FRAMES * max(counts.values()))
    return [stream for stream in streams if counts[stream.index] >= least] or streams


@lru_cache(maxsize=16)
def _packet_counts(path: str, size: int, changed_ns: int) -> Counter[int]:
    """How many packets each video stream of a file has, by its index, as far as the file can be read.

    Args:
        path: of the file.
        size: of the file in bytes; with `changed_ns` it sees to it that a file that was written anew is counted anew.
        changed_ns: when the file was last written.
    """
    counts: Counter[int] = Counter()
    with open_media(path) as container:
        try:
            for packet in container.demux(moving_streams(container)):
                counts[packet.stream_index] += bool(packet.size and not packet.is_discard)
        except av.FFmpegError:
            pass  # whoever reads the frames says so
    return counts


def moving_streams(container: InputContainer) -> list[VideoStream]:
    """The video streams that nothing marks as a cover picture."""
    pictures = Disposition.attached_pic | Disposition.timed_thumbnails
    return [stream for stream in container.streams.video if not stream.disposition & pictures]


def _pixels(stream: VideoStream) -> int:
    return (stream.codec_context.width or 0) * (stream.codec_context.height or 0)


def _size(stream: VideoStream) -> str:
    return f"{stream.codec_context.width}×{stream.codec_context.height}"


def told(error: Exception) -> str:
    """What an error of the decoder says, without the path that our own sentence names already."""
    return str(getattr(error, "strerror", None) or error)
