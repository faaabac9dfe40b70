"""Settings of the frame encoder, apart from the encoder itself: reading them imports no torch."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator


class TinyFrameEncoderSettings(BaseModel):
    """Settings of the encoder that needs no download."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["tiny"] = "tiny"
    size: int = Field(default=96, ge=16)
    """Width and height in pixels of the frames it takes."""
    grid: int = Field(default=6, ge=1)
    """Patches along each side; tokens per frame = grid²."""
    prototypes: int = Field(default=24, ge=2)
    """Number of random colours."""
    sharpness: float = Field(default=40.0, gt=0)
    """How decidedly a pixel belongs to its nearest colour."""
    gain: float = Field(default=3.0, gt=0)
    """Tokens are multiplied by it, so that a new model's attention is not uniform."""
    position_width: int = Field(default=16, ge=4, multiple_of=4)
    seed: int = 0

    @model_validator(mode="after")
    def _whole_patches(self) -> "TinyFrameEncoderSettings":
        if self.size % self.grid:
            msg = f"size {self.size} is not a multiple of grid {self.grid}"
            raise ValueError(msg)
        return self

    @property
    def tokens(self) -> int:
        """Tokens per frame."""
        return self.grid**2

    @property
    def width(self) -> int:
        """Width of a token."""
        return 2 * self.prototypes + self.position_width
