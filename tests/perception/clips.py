"""Clips, signals and small videos for the tests of captioners."""

import numpy as np

from hawk_pipelines.perception.captioner import Seen
from hawk_pipelines.schema import Clip, Video
from hawk_pipelines.video.motion_signal import Signal


def video(path="v.y4m", frames=80, fps=10.0, video_id="v", width=64, height=48):
    return Video(
        id=video_id, source="test", path=str(path), name=f"{video_id}.mp4", frames=frames, fps=fps, width=width, height=height,
        duration_s=frames / fps, label=None, spans=[], split="train", split_by="seeded",
    )  # fmt: skip


def clip(start=0, end=80, fps=10.0, video_id="v"):
    return Clip(
        id=f"{video_id}_{start:07d}", video_id=video_id, start_frame=start, end_frame=end, start_s=start / fps,
        end_s=end / fps, cut_by="window", activity=0,
    )  # fmt: skip


def seen(path="v.y4m", start=0, end=80, **known):
    found = video(path, **known)
    return Seen(clip(start, end, found.fps, found.id), found)


def written(folder, frames=20, name="clip.y4m"):
    """A grey video of 64×48 with a white square that moves to the right: its path and its id."""
    from hawk_pipelines.video.content import content_id

    path = folder / name
    with path.open("wb") as file:
        file.write(b"YUV4MPEG2 W64 H48 F10:1 Ip A1:1 C444\n")
        for number in range(frames):
            plane = np.full((48, 64), 90, np.uint8)
            plane[16:32, number : number + 16] = 230
            grey = np.full((2, 48, 64), 128, np.uint8)
            file.write(b"FRAME\n" + plane.tobytes() + grey.tobytes())
    return path, content_id(path)


def still(looks=16, looks_per_s=2.0):
    """A signal in which nothing moves."""
    frames = np.arange(looks) * 5
    empty = np.zeros((looks, 6, 8), np.float32)
    return Signal(
        frames, np.arange(looks) / looks_per_s, empty, empty.copy(), np.zeros((looks, 6, 8, 2), np.float32),
        np.zeros(looks, np.float32), np.zeros(looks, bool),
    )  # fmt: skip


def moves(signal, path, way, speed=0.15, share=0.6):
    """Let something move: `path` maps looks to cells (row, column)."""
    for look, (row, column) in path.items():
        signal.moving[look, row, column] = share
        signal.speed[look, row, column] = speed
        signal.direction[look, row, column] = way
    return signal
