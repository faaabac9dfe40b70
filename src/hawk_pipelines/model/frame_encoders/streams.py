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
        float16 [P, T, tokens, width] each, on the CPU: what `encode` stores, training reads and an answer is given from.

    Raises:
        ModelError: the frames have another size than the encoder takes.
    """
    return encode_both(encoder, frames, motion_frames(frames, magnitude, mask))


def encode_both(encoder: FrameEncoder, appearance: np.ndarray, motion: np.ndarray) -> tuple[Tensor, Tensor]:
    """The same, with the motion stream masked already: uint8 [P, T, H, W, 3] each, RGB.

    An item is a batch of its own. A network's numbers move a little with what lies beside a frame in its batch: so an item's
    tokens do not depend on the items that happen to be missing beside it, and a run that is resumed makes the same bytes.
    """
    P, T, H, W, _ = appearance.shape
    if (encoder.size, encoder.size) != (H, W):
        msg = f"The frame encoder takes frames of {encoder.size}×{encoder.size} pixels, not of {W}×{H}; sample the items again."
        raise ModelError(msg)
    encode_motion = getattr(encoder, "encode_motion", encoder)  # imported models may have queries of their own for motion
    ways = ((encoder, appearance), (encode_motion, motion))
    tokens = [_in_pieces(encode, torch.from_numpy(frames).flatten(0, 1)) for encode, frames in ways]
    appearance_tokens, motion_tokens = (stream.view(P, T, encoder.tokens, encoder.width) for stream in tokens)
    return appearance_tokens, motion_tokens


def _in_pieces(encode: FrameEncoder, frames_NHWC: Tensor) -> Tensor:
    return torch.cat([encode(piece).cpu() for piece in frames_NHWC.split(FRAMES_AT_ONCE)]).half()
