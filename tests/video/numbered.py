"""Videos whose every frame shows its own number, so that a test can tell which frames it was given."""

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import VideoReformatter

BITS = 9
LOW, HIGH = 40, 215


def picture(number, size=(96, 96)):
    """A board of 3 × 3 fields, each a bit of the number: uint8 [H, W, 3]."""
    bits = np.array([(number >> bit) & 1 for bit in range(BITS)]).reshape(3, 3)
    width, height = size
    rows, columns = np.arange(height) * 3 // height, np.arange(width) * 3 // width
    board = np.where(bits[rows][:, columns], HIGH, LOW).astype(np.uint8)
    return np.repeat(board[..., None], 3, axis=2)


def number_of(frame):
    """The number that a frame [H, W, 3] of any size shows."""
    height, width = frame.shape[:2]
    middles = [(2 * k + 1) / 6 for k in range(3)]
    fields = [frame[int(y * height), int(x * width)].mean() > (LOW + HIGH) / 2 for y in middles for x in middles]
    return sum(int(bit) << place for place, bit in enumerate(fields))


def write(
    path: Path,
    frames: int,
    codec: str = "libx264",
    *,
    pix_fmt: str = "yuv420p",
    options: dict[str, str] | None = None,
    size: tuple[int, int] = (96, 96),
    rate: int = 10,
    pts: Sequence[int] | None = None,
    time_base: Fraction | None = None,
    container: dict[str, str] | None = None,
    file_format: str | None = None,
    prepare: Callable | None = None,
    first: int = 0,
) -> Path:
    """Encode frames `first` to `first + frames`; `prepare` is given the container and its stream before the first frame."""
    base = time_base or Fraction(1, rate)
    with av.open(str(path), "w", format=file_format, container_options=container or {}) as out:
        stream = out.add_stream(codec, rate=rate, options=options or {})
        stream.width, stream.height = size
        stream.pix_fmt = pix_fmt
        stream.codec_context.time_base = base
        if prepare is not None:
            prepare(out, stream)
        reformatter = VideoReformatter()
        for place in range(frames):
            frame = av.VideoFrame.from_ndarray(picture(first + place, size), format="rgb24")
            if pix_fmt != "rgb24":
                frame = reformatter.reformat(frame, format=pix_fmt)
            frame.pts = place if pts is None else pts[place]
            frame.time_base = base
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path
