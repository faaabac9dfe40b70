"""Frozen frame encoders: frames in, tokens per frame out. One is shared by both branches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from hawk_pipelines.model.settings import FrameEncoderSettings

ENCODER_VERSION = 3
"""Raised whenever the same frames and settings give other tokens or facts."""


class FrameEncoder(Protocol):
    """What all frame encoders have. They are `torch.nn.Module`s in evaluation mode, and nothing in them is trained."""

    size: int
    """Width and height in pixels of the frames it takes."""
    tokens: int
    """Tokens per frame."""
    width: int
    """Width of a token."""
    sha256: str | None
    """Over the files its weights came from; None where its settings decide everything."""

    def __call__(self, frames_NHWC: Tensor) -> Tensor:
        """Frames to tokens: uint8 [N, size, size, 3], RGB, to float32 [N, tokens, width]."""
        ...


def build(settings: FrameEncoderSettings, device: str | torch.device = "cpu") -> FrameEncoder:
    """Load the encoder that the settings name.

    Raises:
        CheckpointError: its weights are missing, damaged, or of another model.
        ModelError: it does not take frames of this size.
    """
    if settings.kind == "tiny":
        from hawk_pipelines.model.frame_encoders.tiny import TinyFrameEncoder

        return TinyFrameEncoder(settings).to(device)
    if settings.kind == "efficientnet_lite0":
        from hawk_pipelines.model.frame_encoders.efficientnet import EfficientNetLite0

        return EfficientNetLite0(settings).to(device)
    if settings.kind == "transformers":
        from hawk_pipelines.model.frame_encoders.pretrained import TransformersFrameEncoder

        return TransformersFrameEncoder(settings).to(device)
    from hawk_pipelines.model.frame_encoders.blip2 import Blip2FrameEncoder

    return Blip2FrameEncoder.load(settings).to(device)


def bytes_per_item(encoder: FrameEncoder, frames: int, phases: int = 1) -> int:
    """What the stored tokens of one item take: both streams, half precision."""
    return 2 * phases * frames * encoder.tokens * encoder.width * 2
