from pydantic import BaseModel, ConfigDict

from hawk_pipelines.model.settings import FrameEncoderSettings, TinyFrameEncoderSettings
from hawk_pipelines.video.flow import Mask


class EncodeParameters(BaseModel):
    """How frames become tokens."""

    model_config = ConfigDict(extra="forbid")

    frame_encoder: FrameEncoderSettings = TinyFrameEncoderSettings()
    mask: Mask = "soft"
    """How the motion stream is masked: `soft` (the paper) or `hard` (the public code)."""
