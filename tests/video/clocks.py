"""Files whose clocks are odd: cameras that vary their rate, pause, or set their clock anew."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from tests.video.numbered import picture, write

MS = Fraction(1, 1000)
DAY = 24 * 3600
WRAP = 2**33
MOTION = {"x264-params": "keyint=20:bframes=2:b-adapt=0"}


def fast_then_slow(path: Path, fast: int = 100, slow: int = 20) -> Path:
    """25 frames a second, and then one a second."""
    stamps = [40 * n for n in range(fast)] + [40 * fast + 1000 * n for n in range(slow)]
    return write(path, fast + slow, pts=stamps, time_base=MS)


def stamped(path: Path, seconds, **how) -> Path:
    """Frames at these times, to the millisecond."""
    return write(path, len(seconds), pts=[round(1000 * second) for second in seconds], time_base=MS, rate=10, **how)


def with_jump(path: Path, at: int, jump_s: float, frames: int = 60) -> Path:
    """Ten frames a second; before one of them lie so many seconds more."""
    return stamped(path, [number / 10 + (jump_s if number >= at else 0) for number in range(frames)], options=MOTION)


def joined(path: Path, firsts, frames: int = 30) -> Path:
    """Recordings of ten frames a second whose stamps begin at these frames, joined byte by byte."""
    parts = []
    for place, first in enumerate(firsts):
        part = path.with_name(f"part {place}{path.suffix}")
        write(part, frames, options=MOTION, pts=range(first, first + frames), first=place * frames)
        parts.append(part.read_bytes())
    path.write_bytes(b"".join(parts))
    return path


def overflowing(path: Path, before: int, frames: int = 60) -> Path:
    """A transport stream whose counter of 33 bits begins anew after so many frames, ten a second."""
    # The muxer puts 1.4 s before the first stamp.
    stamps = [WRAP - 126_000 + 9000 * (number - before) for number in range(frames)]
    return write(path, frames, options=MOTION, pts=stamps, time_base=Fraction(1, 90000))


def two_streams(path: Path, sizes=((48, 48), (96, 96)), cover: bool = False) -> Path:
    """Video streams of these sizes; the last one shows its numbers, the others are black and half as long."""
    with av.open(str(path), "w") as out:
        streams = [out.add_stream("libx264", rate=10) for _ in sizes]
        for stream, (width, height) in zip(streams, sizes, strict=True):
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for number in range(30):
            for stream, (width, height) in zip(streams, sizes, strict=True):
                pixels = picture(number) if stream is streams[-1] else np.zeros((height, width, 3), np.uint8)
                if stream is streams[-1] or number < 15:
                    out.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        for stream in streams:
            out.mux(stream.encode(None))
    return path


def with_poster(path: Path, pictures: int = 1) -> Path:
    """A video whose first track has but one or a few large pictures, and nothing marks it as a cover."""
    with av.open(str(path), "w") as out:
        poster, video = out.add_stream("mjpeg", rate=10), out.add_stream("libx264", rate=10)
        poster.width = poster.height = 320
        poster.pix_fmt = "yuvj420p"
        video.width = video.height = 96
        video.pix_fmt = "yuv420p"
        for number in range(30):
            if number % (30 // pictures) == 0:
                cover = av.VideoFrame(320, 320, "yuvj420p")
                cover.pts, cover.time_base = number, Fraction(1, 10)
                out.mux(poster.encode(cover))
            out.mux(video.encode(av.VideoFrame.from_ndarray(picture(number), format="rgb24")))
        out.mux(poster.encode(None))
        out.mux(video.encode(None))
    return path


def late_video(path: Path, late_s: float) -> Path:
    """A file whose sound begins at once, and its video later."""
    with av.open(str(path), "w") as out:
        video, sound = out.add_stream("libx264", rate=10), out.add_stream("aac", rate=8000)
        video.width = video.height = 96
        video.pix_fmt = "yuv420p"
        for number in range(30):
            frame = av.VideoFrame.from_ndarray(picture(number), format="rgb24")
            frame.pts, frame.time_base = number + round(10 * late_s), Fraction(1, 10)
            out.mux(video.encode(frame))
        out.mux(video.encode(None))
        for place in range(40):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
            frame.rate, frame.pts = 8000, place * 1024
            out.mux(sound.encode(frame))
        out.mux(sound.encode(None))
    return path


def late_beside(path: Path, late_s: float, sounds_s) -> Path:
    """A file whose video begins so late, with tracks of sound from these seconds until then; packets lie in order of time."""
    rate = 48000  # the encoder begins 1024 samples early
    with av.open(str(path), "w") as out:
        video = out.add_stream("libx264", rate=10, options={"bf": "0"})
        video.width, video.height, video.pix_fmt = 96, 96, "yuv420p"
        tracks = [out.add_stream("aac", rate=rate) for _ in sounds_s]
        packets = []
        for number in range(30):
            frame = av.VideoFrame.from_ndarray(picture(number), format="rgb24")
            frame.pts, frame.time_base = number + round(10 * late_s), Fraction(1, 10)
            packets += video.encode(frame)
        packets += video.encode(None)
        for track, begins_s in zip(tracks, sounds_s, strict=True):
            for place in range(round(rate * late_s / 1024) + 60):
                frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
                frame.rate, frame.pts = rate, round(rate * begins_s) + place * 1024
                packets += track.encode(frame)
            packets += track.encode(None)
        for packet in sorted(packets, key=lambda packet: packet.dts * packet.time_base):
            out.mux(packet)
    return path
