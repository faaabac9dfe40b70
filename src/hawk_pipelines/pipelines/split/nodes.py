import math

from pydantic import BaseModel, ConfigDict, Field

from hawk_pipelines.schema import Clip, Video


class SplitParameters(BaseModel):
    """How videos are cut into clips."""

    model_config = ConfigDict(extra="forbid")

    window_s: float = Field(default=8.0, gt=0)
    """Length of a clip in seconds; the last one of a video may be shorter."""


def cut_clips(videos: list[Video], parameters: SplitParameters) -> list[Clip]:
    """Cut every video into windows of fixed length."""
    return [clip for video in videos for clip in _windows(video, max(1, round(parameters.window_s * video.fps)))]


def _windows(video: Video, length: int) -> list[Clip]:
    return [
        Clip(
            id=f"{video.id}_{k * length:07d}",
            video_id=video.id,
            cut_by="window",
            start_frame=k * length,
            end_frame=min(video.frames, (k + 1) * length),
            start_s=k * length / video.fps,
            end_s=min(video.frames, (k + 1) * length) / video.fps,
        )
        for k in range(math.ceil(video.frames / length))
    ]
