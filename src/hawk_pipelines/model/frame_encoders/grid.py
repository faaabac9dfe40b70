"""What frame encoders share whose features lie on a grid: pixels scaled as they want them, features averaged to fewer cells."""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from hawk_pipelines.model.errors import ModelError


def normalised(frames_NHWC: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    """Pixels as a network wants them.

    Args:
        frames_NHWC: uint8 [N, H, W, 3], RGB.
        mean, std: float [3], of pixels in [0, 1]; their device and dtype decide those of the result.

    Returns:
        float [N, 3, H, W].
    """
    pixels = frames_NHWC.to(mean.device).to(torch.float32).permute(0, 3, 1, 2) / 255
    scaled = (pixels - mean.float()[:, None, None]) / std.float()[:, None, None]
    return scaled.to(mean.dtype)


def pooled(features_NDHW: Tensor, tokens: int) -> Tensor:
    """Average a grid of features down to `tokens` cells, a square number: float32 [N, tokens, D].

    Raises:
        ModelError: the grid has fewer cells.
    """
    side, (h, w) = math.isqrt(tokens), features_NDHW.shape[2:]
    if side > min(h, w):
        msg = f"The frame encoder has a grid of {w}×{h} features, which is less than {tokens} tokens; lower `tokens`."
        raise ModelError(msg)
    return F.adaptive_avg_pool2d(features_NDHW.float(), side).flatten(2).transpose(1, 2)
