"""From frames to a file."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np


def write_h264(frames: np.ndarray, fps: int, path: Path) -> None:
    """Write frames (uint8 [T, H, W, 3], RGB) as an H.264 MP4 that plays everywhere."""
    with av.open(str(path), "w", format="mp4") as container:
        options = {"preset": "superfast", "crf": "20", "threads": "1"}
        stream = container.add_stream("libx264", rate=Fraction(fps), options=options)
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "yuv420p"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode(None))
