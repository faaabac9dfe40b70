"""Opening a file as a video, and as nothing else: no playlist, no list of other files, no network address."""

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


def open_media(path: str | Path) -> InputContainer:
    """Open a regular file as a container of one of `FORMATS`; nothing but that file is ever opened.

    Raises:
        UnreadableVideo: it is no regular file, or no such container.
    """
    if not Path(path).is_file():
        what = "is neither a file nor a folder of pictures" if Path(path).exists() else "does not exist"
        msg = f"{path} {what}; check the path."
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
    """The video stream with the largest pictures, of several the first, to be decoded in one thread. Cover pictures are none.

    Raises:
        UnreadableVideo: there is none, or no decoder for it.
    """
    streams = _video_streams(container)
    understood = [stream for stream in streams if stream.codec_context is not None]
    if not understood:
        what = "holds a video stream that no decoder here understands; convert the file"
        msg = f"{path} {what if streams else 'has no video stream; replace or remove the file'}."
        raise UnreadableVideo(msg)
    # A track of one picture is a poster, and one of none is empty, where the container says how many there are.
    stream = max([stream for stream in understood if stream.frames > 1] or understood, key=_pixels)
    stream.thread_type = "NONE"  # videos are spread over processes
    return stream


def other_streams(container: InputContainer, stream: VideoStream, path: str | Path) -> list[str]:
    """A word about the video streams that are not read, where the one that is does not come first."""
    streams = _video_streams(container)
    if not streams or stream.index == streams[0].index:
        return []
    size = f"{stream.codec_context.width}×{stream.codec_context.height}"
    return [f"{path} has {len(streams)} video streams; number {streams.index(stream) + 1}, the largest ({size}), is read."]


def _video_streams(container: InputContainer) -> list[VideoStream]:
    pictures = Disposition.attached_pic | Disposition.timed_thumbnails
    return [stream for stream in container.streams.video if not stream.disposition & pictures]


def _pixels(stream: VideoStream) -> int:
    return (stream.codec_context.width or 0) * (stream.codec_context.height or 0)


def told(error: Exception) -> str:
    """What an error of the decoder says, without the path that our own sentence names already."""
    return str(getattr(error, "strerror", None) or error)
