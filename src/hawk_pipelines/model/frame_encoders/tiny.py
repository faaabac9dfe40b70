"""The frame encoder that needs no download: random colours."""

import torch
from torch import Tensor, nn

from hawk_pipelines.model.settings import TinyFrameEncoderSettings

BITS = 5
"""Bits that are kept of each colour channel: the assignment of every colour is then looked up, which is four times as fast."""


class TinyFrameEncoder(nn.Module):
    """Random colours instead of a pretrained network.

    Each pixel is softly assigned to seeded random colour prototypes; a token is the largest and the mean assignment over
    one patch, relative to the mean of the frame, beside a sinusoidal code of where the patch is. Nothing in it is trained.
    """

    assignment: Tensor
    positions: Tensor

    sha256: str | None = None
    """The settings decide everything; there are no weights to compare."""

    def __init__(self, settings: TinyFrameEncoderSettings) -> None:
        super().__init__()
        self.settings = settings
        self.size, self.tokens = settings.size, settings.grid**2
        self.width = 2 * settings.prototypes + settings.position_width
        generator = torch.Generator().manual_seed(settings.seed)
        prototypes = torch.rand(settings.prototypes, 3, generator=generator)
        distance = (_palette()[:, None] - prototypes).square().sum(-1)
        self.register_buffer("assignment", torch.softmax(-settings.sharpness * distance, dim=-1), persistent=False)
        self.register_buffer("positions", _grid_code(settings.grid, settings.position_width), persistent=False)

    @torch.no_grad()
    def forward(self, frames_NHWC: Tensor) -> Tensor:
        """Frames to tokens: uint8 [N, size, size, 3], RGB, to float32 [N, tokens, width]."""
        N, G = frames_NHWC.shape[0], self.settings.grid
        side = self.settings.size // G
        red, green, blue = (frames_NHWC.to(self.assignment.device) >> (8 - BITS)).to(torch.int32).unbind(-1)
        colour_NHW = (red << 2 * BITS) | (green << BITS) | blue
        patches = colour_NHW.view(N, G, side, G, side).transpose(2, 3).reshape(-1)
        assignment = self.assignment.index_select(0, patches).view(N, G * G, side * side, -1)
        colours = torch.cat([assignment.amax(2), assignment.mean(2)], dim=-1)
        colours = colours - colours.mean(1, keepdim=True)  # what a patch has and the frame has not
        return self.settings.gain * torch.cat([colours, self.positions.expand(N, -1, -1)], dim=-1)


def _palette() -> Tensor:
    """Every colour of BITS bits a channel, in the middle of what is rounded to it: float32 [2^(3·BITS), 3] in [0, 1]."""
    levels = (torch.arange(2**BITS) + 0.5) / 2**BITS
    return torch.cartesian_prod(levels, levels, levels)


def _grid_code(grid: int, width: int) -> Tensor:
    """Sinusoids of row and column: float32 [grid², width]."""
    steps = torch.arange(grid, dtype=torch.float32) / grid
    frequencies = torch.pi * 2.0 ** torch.arange(width // 4)
    code = torch.cat([torch.sin(steps[:, None] * frequencies), torch.cos(steps[:, None] * frequencies)], dim=1)
    rows, columns = code[:, None].expand(-1, grid, -1), code[None].expand(grid, -1, -1)
    return torch.cat([rows, columns], dim=-1).reshape(grid**2, width)
