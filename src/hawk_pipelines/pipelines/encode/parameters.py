from pydantic import BaseModel, ConfigDict, Field

from hawk_pipelines.model.settings import FrameEncoderSettings, TinyFrameEncoderSettings
from hawk_pipelines.video.flow import Mask


class EncodeParameters(BaseModel):
    """How frames become tokens."""

    model_config = ConfigDict(extra="forbid")

    frame_encoder: FrameEncoderSettings = TinyFrameEncoderSettings()
    mask: Mask = "soft"
    """How the motion stream is masked: `soft` (the paper) or `hard` (the public code)."""
    views: int = Field(default=1, ge=1)
    """V, how often each sampling of an item is looked at: as a whole, and V − 1 times through a crop."""
    crop: float = Field(default=0.7, gt=0, le=1)
    """The smallest share of each side that a crop keeps."""
    devices: int | None = Field(default=None, ge=0)
    """GPUs that work; null: all of them, or the CPU where there is none; 0: the CPU."""
