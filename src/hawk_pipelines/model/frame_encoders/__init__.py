"""Frozen frame encoders: frames in, tokens per frame out. One is shared by both branches."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Protocol, cast

from hawk_pipelines.model.errors import ModelError

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from hawk_pipelines.model.settings import FrameEncoderSettings

ENCODER_VERSION = 4
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


def build(
    settings: FrameEncoderSettings, device: str | torch.device = "cpu", motion_queries: Tensor | None = None
) -> FrameEncoder:
    """Load the encoder that the settings name.

    Args:
        settings: which encoder.
        device: where it shall be.
        motion_queries: [1, queries, width], of an imported model, for its motion stream; None: those that the settings name.

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

    encoder = Blip2FrameEncoder.load(settings)
    if motion_queries is not None:
        encoder.motion_query_tokens = motion_queries
    return encoder.to(device)


def build_on_all(settings: FrameEncoderSettings, gpus: int | None = None) -> list[FrameEncoder]:
    """An encoder on each GPU; where there is none, one on the CPU.

    Args:
        settings: which encoder.
        gpus: so many of them; None takes every one, 0 the CPU.

    Raises:
        ModelError: there are fewer; and what `build` raises.
    """
    import torch

    there = torch.cuda.device_count()
    if gpus is not None and gpus > there:
        msg = f"`encode.devices` asks for {gpus} GPUs, but there are {there} here; lower it, or set it to null."
        raise ModelError(msg)
    count = there if gpus is None else gpus
    first = build(settings, "cuda:0" if count else "cpu")
    copies = [copy.deepcopy(cast("nn.Module", first)).to(f"cuda:{number}") for number in range(1, count)]  # weights are read once
    return [first, *cast("list[FrameEncoder]", copies)]


def bytes_per_item(encoder: FrameEncoder, frames: int, samplings: int = 1) -> int:
    """What the stored tokens of one item take: both streams, half precision."""
    return 2 * samplings * frames * encoder.tokens * encoder.width * 2
