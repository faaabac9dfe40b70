"""Any vision model of `transformers` as a frame encoder: CLIP, SigLIP, DINOv2, ViT, ConvNeXt, Swin and so on."""

import json
import math
from pathlib import Path

import torch
from safetensors import SafetensorError
from torch import Tensor, nn
from transformers import AutoModel

from hawk_pipelines.model.errors import CheckpointError, ModelError
from hawk_pipelines.model.frame_encoders.grid import normalised, pooled
from hawk_pipelines.model.settings import TransformersFrameEncoderSettings
from hawk_pipelines.model.sources import insist_on_all, locate, sha256, weight_files


class TransformersFrameEncoder(nn.Module):
    """The last hidden states on their grid of patches, class and register tokens left out, averaged to so many tokens."""

    mean: Tensor
    std: Tensor

    def __init__(self, settings: TransformersFrameEncoderSettings) -> None:
        super().__init__()
        self.settings, self.size, self.tokens = settings, settings.size, settings.tokens
        folder = locate(settings.source, settings.revision)
        dtype = getattr(torch, settings.dtype)
        try:
            self.sha256: str | None = sha256(weight_files(folder))
            network, loaded = AutoModel.from_pretrained(folder, dtype=dtype, use_safetensors=True, output_loading_info=True)
        except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
            msg = f"{settings.source} holds no vision model that `transformers` can load ({error})."
            raise CheckpointError(msg) from error
        insist_on_all(loaded, settings.source)
        network = getattr(network, "vision_model", network)  # of a pair of encoders, the one that sees
        self.network = network.requires_grad_(False).eval()
        for name, values in zip(("mean", "std"), _mean_and_std(folder, settings.source), strict=True):
            self.register_buffer(name, torch.tensor(values, dtype=dtype), persistent=False)
        self.width = self._grid(torch.zeros(1, self.size, self.size, 3, dtype=torch.uint8)).shape[1]

    @torch.no_grad()
    def forward(self, frames_NHWC: Tensor) -> Tensor:
        """Frames to tokens: uint8 [N, size, size, 3], RGB, to float32 [N, tokens, width]."""
        return pooled(self._grid(frames_NHWC), self.tokens)

    @torch.no_grad()
    def _grid(self, frames_NHWC: Tensor) -> Tensor:
        """The last hidden states where they belong: [N, D, h, w]."""
        patch = getattr(self.network.config, "patch_size", None)
        if isinstance(patch, int) and self.size % patch:
            msg = (
                f"{self.settings.source} looks at patches of {patch} pixels, and {self.size} is no multiple of that: mend "
                "`encode.frame_encoder.size`."
            )
            raise ModelError(msg)
        try:
            hidden = self.network(pixel_values=normalised(frames_NHWC, self.mean, self.std)).last_hidden_state
        except (RuntimeError, ValueError, TypeError, AttributeError) as error:
            wanted = getattr(self.network.config, "image_size", None)
            hint = f"; it was made for {wanted}" if wanted else ""
            msg = (
                f"{self.settings.source} ({type(self.network).__name__}) does not see frames of {self.size}×{self.size} pixels"
                f"{hint}: set `encode.frame_encoder.size`, or take a vision model ({error})."
            )
            raise ModelError(msg) from error
        if hidden.ndim == 4:
            return hidden
        side = self.size // patch if isinstance(patch, int) else 0
        if not 0 < side * side <= hidden.shape[1]:  # a pyramid, whose last grid is coarser than its patches
            side = math.isqrt(hidden.shape[1])
        return hidden[:, -side * side :].transpose(1, 2).unflatten(2, (side, side))


def _mean_and_std(folder: Path, source: str) -> tuple[list[float], list[float]]:
    """What the model's own preprocessing says."""
    file = folder / "preprocessor_config.json"
    try:
        said = json.loads(file.read_text(encoding="utf-8"))
        return [*map(float, said["image_mean"])], [*map(float, said["image_std"])]
    except (OSError, ValueError, KeyError, TypeError) as error:
        msg = f"{source} does not say how its pixels are normalised (image_mean and image_std in preprocessor_config.json)."
        raise CheckpointError(msg) from error
