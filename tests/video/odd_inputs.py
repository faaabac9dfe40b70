"""What people and cameras call a video: well-made and odd ones that must be read right, and ones that must be refused."""

import os
import shutil
import struct
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from tests.video.numbered import picture, write

OPEN_GOP = "keyint=12:open-gop=1:bframes=3:b-adapt=0:scenecut=0"
KEY_20 = {"x264-params": "keyint=20"}

# name: frames, and how they are written
READ = {
    "plain.mp4": (30, {}),
    "one frame.mp4": (1, {}),
    "two frames.mp4": (2, {}),
    "31 frames.mp4": (31, {}),
    "b-frames.mp4": (60, {"options": {"x264-params": "bframes=4:b-adapt=0:keyint=300"}}),
    "odd size.mp4": (30, {"pix_fmt": "yuv444p", "size": (97, 75)}),
    "variable rate.mp4": (40, {"pts": [n * n for n in range(40)], "time_base": Fraction(1, 100)}),
    "variable rate.mkv": (40, {"pts": [n * n for n in range(40)], "time_base": Fraction(1, 100)}),
    "no rate.h264": (30, {"file_format": "h264"}),
    "no rate.mjpeg": (30, {"codec": "mjpeg", "pix_fmt": "yuvj420p", "file_format": "mjpeg"}),
    "negative start.mkv": (30, {"pts": range(-15, 15), "container": {"avoid_negative_ts": "disabled"}}),
    "late start.mp4": (30, {"pts": range(100, 130)}),
    "late start.ts": (30, {"pts": range(100, 130)}),
    "one key frame in 300.mp4": (300, {"options": {"x264-params": "keyint=1000:scenecut=0"}}),
    "many key frames.mp4": (120, {"options": KEY_20}),
    "open gop.mp4": (120, {"options": {"x264-params": OPEN_GOP}}),
    "open gop.mkv": (120, {"options": {"x264-params": OPEN_GOP}}),
    "open gop.ts": (120, {"options": {"x264-params": OPEN_GOP}}),
    "intra refresh.mp4": (120, {"options": {"x264-params": "intra-refresh=1:keyint=20:scenecut=0"}}),
    "hevc.mp4": (120, {"codec": "libx265", "options": {"x265-params": "keyint=25:log-level=none"}}),
    "hevc open gop.mkv": (120, {"codec": "libx265", "options": {"x265-params": "keyint=12:open-gop=1:log-level=none"}}),
    "vp9.webm": (60, {"codec": "libvpx-vp9", "options": {"cpu-used": "8", "g": "20", "lag-in-frames": "20"}}),
    "vp8 with hidden frames.webm": (60, {"codec": "libvpx", "options": {"auto-alt-ref": "1", "lag-in-frames": "10", "g": "20"}}),
    "av1.mp4": (60, {"codec": "libsvtav1", "options": {"preset": "8", "crf": "15"}}),
    "mpeg-4.mp4": (60, {"codec": "mpeg4", "options": {"bf": "2", "g": "20"}}),
    "mpeg-4 without times.avi": (60, {"codec": "mpeg4", "options": {"bf": "2", "g": "20"}}),
    "h264 without times.avi": (60, {"options": KEY_20}),
    "mpeg-2.ts": (60, {"codec": "mpeg2video", "rate": 25, "options": {"bf": "2", "g": "12"}}),
    "mpeg-1.mpg": (60, {"codec": "mpeg1video", "rate": 25, "options": {"bf": "2", "g": "12"}}),
    "msmpeg-4.avi": (60, {"codec": "msmpeg4", "options": {"g": "20"}}),
    "wmv.wmv": (60, {"codec": "wmv2", "options": {"g": "20"}}),
    "mjpeg.avi": (30, {"codec": "mjpeg", "pix_fmt": "yuvj420p"}),
    "flash.flv": (60, {"options": KEY_20}),
    "fragmented.mp4": (60, {"options": KEY_20, "container": {"movflags": "frag_keyframe+empty_moov"}}),
    "interlaced.ts": (60, {"rate": 25, "options": {"x264-params": "interlaced=1:keyint=20"}}),
    "10 bit.mp4": (30, {"pix_fmt": "yuv420p10le"}),
    "4-4-4.mp4": (30, {"pix_fmt": "yuv444p"}),
    "grey.mp4": (30, {"pix_fmt": "gray"}),
    "alpha.mov": (30, {"codec": "qtrle", "pix_fmt": "argb"}),
    "alpha.webm": (30, {"codec": "libvpx-vp9", "pix_fmt": "yuva420p", "options": {"cpu-used": "8", "auto-alt-ref": "0"}}),
    "lossless.mkv": (30, {"codec": "ffv1", "pix_fmt": "bgra"}),
    "animation.gif": (30, {"codec": "gif", "pix_fmt": "rgb8"}),
    "-leading dash.mp4": (30, {}),
    "quotes ' \" and $HOME `x` %20 #1 =.mp4": (30, {}),
    "new\nline.mp4": (30, {}),
    "ünïcödé 视频 😀.mp4": (30, {}),
    f"{'long ' * 39}.mp4": (30, {}),
    "http:__example.org_a.mp4": (30, {}),
    "not its ending.txt": (30, {"file_format": "mp4"}),
}


def make_readable(folder: Path, name: str) -> tuple[Path, int]:
    """Write one of `READ`: its path and how many frames it holds."""
    frames, how = READ[name]
    file_format = how.get("file_format") or ("mp4" if name.endswith(".mp4") else None)
    plain = write(folder / f"plain{Path(name).suffix}", frames, **(how | {"file_format": file_format}))
    return plain.rename(folder / name), frames


def two_video_streams(folder: Path) -> Path:
    """The first shows its numbers, the second is black and half as long."""
    path = folder / "two streams.mkv"
    with av.open(str(path), "w") as out:
        streams = [out.add_stream("libx264", rate=10) for _ in range(2)]
        for stream in streams:
            stream.width = stream.height = 96
            stream.pix_fmt = "yuv420p"
        for number in range(30):
            for stream, pixels in zip(streams, (picture(number), np.zeros((96, 96, 3), np.uint8)), strict=True):
                if stream is streams[0] or number < 15:
                    out.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        for stream in streams:
            out.mux(stream.encode(None))
    return path


def cover_picture(folder: Path, *, with_video: bool) -> Path:
    """A cover picture comes first, the video (or a sound) after it."""
    path = folder / "cover.mp4"
    source = av.open(str(write(folder / "video.mp4", 30)))
    with av.open(str(path), "w") as out, source:
        cover = out.add_stream("mjpeg", rate=1)
        cover.width = cover.height = 32
        cover.pix_fmt = "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        copied = out.add_stream_from_template(source.streams.video[0]) if with_video else None
        if copied is None:
            _add_sound(out)
        out.mux(cover.encode(av.VideoFrame(32, 32, "yuvj420p")))
        out.mux(cover.encode(None))
        for packet in source.demux(video=0):
            if copied is not None and packet.dts is not None:
                packet.stream = copied
                out.mux(packet)
    return path


def huge_declared_duration(folder: Path) -> Path:
    """The header promises 49 days."""
    path = write(folder / "huge.mp4", 30)
    content = bytearray(path.read_bytes())
    place = content.index(b"mvhd")
    content[place + 20 : place + 24] = struct.pack(">I", 2**32 - 1)
    path.write_bytes(content)
    return path


def turned(folder: Path, degrees: int) -> Path:
    """What is upright is written lying, with a word about how to turn it."""

    def prepare(_out: object, stream: av.VideoStream) -> None:
        stream.set_display_rotation(degrees)

    return write(folder / f"turned {degrees}.mp4", 30, size=(120, 60), prepare=prepare)


def pictures(folder: Path, name: str, numbers=range(30), suffix=".png", size=(96, 96), prefix="frame") -> Path:
    """A folder of numbered pictures."""
    place = folder / name
    place.mkdir()
    for number in numbers:
        encoded = cv2.imencode(suffix, picture(number, size))[1]
        (place / f"{prefix}{number:03d}{suffix}").write_bytes(encoded.tobytes())
    return place


def _add_sound(out: "av.container.OutputContainer") -> None:
    stream = out.add_stream("aac", rate=8000)
    for place in range(8):
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.rate, frame.pts = 8000, place * 1024
        out.mux(stream.encode(frame))
    out.mux(stream.encode(None))


def _audio_only(path: Path) -> None:
    with av.open(str(path), "w", format="mp4") as out:
        _add_sound(out)


def _bytes(change):
    """What is left of a good video."""

    def make(path: Path) -> None:
        good = write(path.with_name("good.mp4"), 60, options=KEY_20)
        path.write_bytes(change(bytearray(good.read_bytes())))
        good.unlink()

    return make


def _without_moov(content: bytearray) -> bytes:
    return bytes(content).replace(b"moov", b"skip")


def _corrupt_packets(content: bytearray) -> bytes:
    place = content.index(b"mdat")
    length = int.from_bytes(content[place - 4 : place])
    start, end = place + length // 3, place + length * 2 // 3
    content[start:end] = b"\xff" * (end - start)
    return bytes(content)


def _text(text: str):
    return lambda path: path.write_text(text)


def _mixed_sizes(path: Path) -> None:
    pictures(path.parent, path.name)
    shutil.copy(pictures(path.parent, "other", range(1), size=(64, 64)) / "frame000.png", path / "frame007.png")


def _corrupt_picture(path: Path) -> None:
    pictures(path.parent, path.name)
    (path / "frame017.png").write_bytes((path / "frame017.png").read_bytes()[:40])


def _two_series(path: Path) -> None:
    pictures(path.parent, path.name)
    shutil.copy(path / "frame001.png", path / "other001.png")


# name: what makes it, and words of the reason
REFUSED = {
    "zero bytes.mp4": (_text(""), "is empty"),
    "text.mp4": (_text("not a video\n" * 500), "cannot be opened"),
    "missing moov.mp4": (_bytes(_without_moov), "cannot be opened"),
    "cut in the middle.mp4": (_bytes(lambda content: content[: len(content) // 2]), "cannot be opened"),
    "corrupt packets.mp4": (_bytes(_corrupt_packets), "damaged"),
    "audio only.mp4": (_audio_only, "no video stream"),
    "cover picture only.mp4": (lambda path: cover_picture(path.parent, with_video=False).rename(path), "no video stream"),
    "picture.mp4": (lambda path: path.write_bytes(cv2.imencode(".png", picture(1))[1].tobytes()), "cannot be opened"),
    "broken link.mp4": (lambda path: path.symlink_to("nowhere.mp4"), "does not exist"),
    "loop of links.mp4": (lambda path: path.symlink_to(path.name), "does not exist"),
    "directory.mp4": (lambda path: path.mkdir(), "no numbered pictures"),
    "named pipe.mp4": (os.mkfifo, "neither a file nor a folder"),
    "device.mp4": (lambda path: path.symlink_to("/dev/zero"), "neither a file nor a folder"),
    "missing.mp4": (lambda path: None, "does not exist"),
    "playlist.mp4": (_text("#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nsecret.ts\n#EXT-X-ENDLIST\n"), "cannot be opened"),
    "concat list.mp4": (_text("ffconcat version 1.0\nfile secret.ts\n"), "cannot be opened"),
    "session.mp4": (
        _text("v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nm=video 5004 RTP/AVP 96\n"),
        "cannot be opened",
    ),
    "dash.mp4": (_text('<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"></MPD>'), "cannot be opened"),
    "holes": (lambda path: pictures(path.parent, path.name, [0, 1, 3, 4]), "number 2 is missing"),
    "mixed sizes": (_mixed_sizes, "frame007.png is 64×64"),
    "one corrupt": (_corrupt_picture, "frame017.png is no picture"),
    "two series": (_two_series, "several series"),
    "no pictures": (lambda path: path.mkdir(), "no numbered pictures"),
}


def make_refused(folder: Path, name: str) -> Path:
    """Make one of `REFUSED`."""
    path = folder / name
    REFUSED[name][0](path)
    return path
