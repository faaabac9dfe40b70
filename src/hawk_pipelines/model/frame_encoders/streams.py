"""Both streams of an item through the one encoder that they share."""

import numpy as np
import torch
from torch import Tensor

from hawk_pipelines.model.errors import ModelError
from hawk_pipelines.model.frame_encoders import FrameEncoder
from hawk_pipelines.video.flow import Mask, motion_frames

FRAMES_AT_ONCE = 64
"""So many frames go through an encoder together."""


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
    if (encoder.size, encoder.size) != (H, W):
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
