"""Frozen frame encoders: frames in, tokens per frame out. One is shared by both branches."""

from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from hawk_pipelines.model.errors import ModelError
from hawk_pipelines.model.settings import FrameEncoderSettings
from hawk_pipelines.video.flow import Mask, motion_frames

ENCODER_VERSION = 3
"""Raised whenever the same frames and settings give other tokens or facts."""

FRAMES_AT_ONCE = 64
"""So many frames go through an encoder together."""


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


def encode_streams(encoder: FrameEncoder, frames: np.ndarray, magnitude: np.ndarray, mask: Mask) -> tuple[Tensor, Tensor]:
    """Tokens of the appearance and the motion stream of one item.

    Args:
        encoder: shared by both streams.
        frames: uint8 [P, T, H, W, 3], RGB.
        magnitude: [P, T, H, W], pixels a frame.
        mask: how the motion stream is masked.

    Returns:
        float32 [P, T, tokens, width] each, on the CPU.

    Raises:
        ModelError: the frames have another size than the encoder takes.
    """
    P, T, H, W, _ = frames.shape
    if (H, W) != (encoder.size, encoder.size):
        msg = f"The frame encoder takes frames of {encoder.size}×{encoder.size} pixels, not of {W}×{H}; sample the items again."
        raise ModelError(msg)
    appearance = torch.from_numpy(frames).flatten(0, 1)
    motion = torch.from_numpy(motion_frames(frames, magnitude, mask)).flatten(0, 1)
    encode_motion = getattr(encoder, "encode_motion", encoder)  # imported models may have queries of their own for motion
    tokens = [_in_pieces(encoder, appearance), _in_pieces(encode_motion, motion)]
    appearance_tokens, motion_tokens = (stream.view(P, T, encoder.tokens, encoder.width) for stream in tokens)
    return appearance_tokens, motion_tokens


def _in_pieces(encode: FrameEncoder, frames_NHWC: Tensor) -> Tensor:
    return torch.cat([encode(piece).cpu() for piece in frames_NHWC.split(FRAMES_AT_ONCE)])


def bytes_per_item(encoder: FrameEncoder, frames: int, phases: int = 1) -> int:
    """What the stored tokens of one item take: both streams, half precision."""
    return 2 * phases * frames * encoder.tokens * encoder.width * 2
