"""EfficientNet-Lite0 (Tan and Le, ICML 2019; the Lite variants have no squeeze-and-excitation) with ImageNet weights."""

import torch
from torch import Tensor, nn

from hawk_pipelines.model.errors import CheckpointError
from hawk_pipelines.model.frame_encoders.grid import normalised, pooled
from hawk_pipelines.model.settings import EfficientNetLite0Settings
from hawk_pipelines.model.sources import locate, sha256
from hawk_pipelines.model.torch_files import read_weights

MEAN, STD = 127 / 255, 128 / 255
"""Of every colour channel, as the weights were trained."""


class EfficientNetLite0(nn.Module):
    """The last feature map (1,280 channels, a 32nd of the frame's size), averaged to so many tokens."""

    mean: Tensor
    std: Tensor
    width = 1280

    def __init__(self, settings: EfficientNetLite0Settings) -> None:
        super().__init__()
        try:
            from efficientnet_lite_pytorch import EfficientNet
        except ImportError as error:
            msg = "EfficientNet-Lite0 needs the package efficientnet-lite-pytorch; `make setup` installs it."
            raise CheckpointError(msg) from error

        self.settings, self.size, self.tokens = settings, settings.size, settings.tokens
        file = locate(settings.source)
        self.sha256: str | None = sha256([file])
        network = EfficientNet.from_name("efficientnet-lite0")
        try:
            network.load_state_dict(read_weights(file))
        except RuntimeError as error:
            msg = f"{file} does not hold the weights of EfficientNet-Lite0 ({error})."
            raise CheckpointError(msg) from error
        self.network = network.to(getattr(torch, settings.dtype)).requires_grad_(False).eval()
        for name, value in (("mean", MEAN), ("std", STD)):
            self.register_buffer(name, torch.full((3,), value, dtype=getattr(torch, settings.dtype)), persistent=False)

    @torch.no_grad()
    def forward(self, frames_NHWC: Tensor) -> Tensor:
        """Frames to tokens: uint8 [N, size, size, 3], RGB, to float32 [N, tokens, 1280]."""
        return pooled(self.network.extract_features(normalised(frames_NHWC, self.mean, self.std)), self.tokens)
