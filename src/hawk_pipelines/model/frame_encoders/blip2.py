"""HAWK's own frame encoder, from BLIP-2 (Li et al., ICML 2023): EVA-CLIP ViT-g/14 → LayerNorm → image Q-Former."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn
from transformers import Blip2QFormerConfig, Blip2QFormerModel, Blip2VisionConfig, Blip2VisionModel

from hawk_pipelines.model.account import account_for, insist, shapes_of
from hawk_pipelines.model.errors import CheckpointError, ModelError
from hawk_pipelines.model.frame_encoders.blip2_files import from_qformer_file, from_vit_file
from hawk_pipelines.model.frame_encoders.grid import normalised
from hawk_pipelines.model.sources import INDEX, locate, sha256, shards_of, weight_files

if TYPE_CHECKING:
    from hawk_pipelines.model.settings import Blip2FrameEncoderSettings

MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
QUERIES = 32
LAYER_NORM_EPS = 1e-5
"""Of the LayerNorm behind the ViT; `transformers` has 1e-6 there, which moves the output by 5e-4."""


class Blip2FrameEncoder(nn.Module):
    """A few learned queries look at the patches of each frame."""

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        vision_config: Blip2VisionConfig | None = None,
        qformer_config: Blip2QFormerConfig | None = None,
        normalised: bool = True,
    ) -> None:
        """Without weights; see `load`.

        Args:
            vision_config, qformer_config: the published sizes by default.
            normalised: whether pixels are scaled by the encoder's mean and standard deviation, or only to [0, 1].
        """
        super().__init__()
        vision_config, qformer_config = vision_config or Blip2VisionConfig(), qformer_config or Blip2QFormerConfig()
        qformer_config.use_qformer_text_input = False
        self.size: int = vision_config.image_size  # type: ignore[assignment] # these models take squares
        self.tokens, self.width = QUERIES, qformer_config.hidden_size
        self.sha256: str | None = None
        self.vision_model = Blip2VisionModel(vision_config)
        self.vision_model.post_layernorm = _LayerNorm32(vision_config.hidden_size, eps=LAYER_NORM_EPS)
        self.qformer = Blip2QFormerModel(qformer_config)
        self.query_tokens = nn.Parameter(torch.zeros(1, QUERIES, self.width))
        self.motion_query_tokens: Tensor | None = None
        for name, own, plain in (("mean", MEAN, 0.0), ("std", STD, 1.0)):
            values = torch.tensor(own if normalised else (plain,) * 3, device="cpu")
            self.register_buffer(name, values, persistent=False)
        self.requires_grad_(False).eval()

    @classmethod
    def load(cls, settings: Blip2FrameEncoderSettings) -> Blip2FrameEncoder:
        """With the weights that the settings name, from a `transformers` folder or the two original files.

        Raises:
            CheckpointError: they are missing, damaged, or of another model.
            ModelError: they take frames of another size.
        """
        if settings.source is None:
            files = [locate(settings.vit or ""), locate(settings.qformer or "")]
            vision_config, qformer_config = Blip2VisionConfig(), Blip2QFormerConfig()
            state = from_vit_file(files[0], vision_config).tensors | from_qformer_file(files[1], qformer_config).tensors
        else:
            vision_config, qformer_config = _configurations(settings)
            files = _shards(settings)
            state = _read(files)
        if settings.size != vision_config.image_size:
            size = vision_config.image_size
            msg = f"{_named(settings)} takes frames of {size}×{size} pixels: mend `encode.frame_encoder.size`, {settings.size}."
            raise ModelError(msg)
        with torch.device("meta"):
            encoder = cls(vision_config, qformer_config, settings.normalisation == "own")
        wanted = shapes_of(encoder.state_dict())
        insist(account_for(shapes_of(state), wanted), _named(settings))
        encoder.load_state_dict({name: state[name] for name in wanted}, assign=True)
        if settings.motion_queries is not None:
            encoder.motion_query_tokens = read_motion_queries(Path(settings.motion_queries))
            files = [*files, *weight_files(Path(settings.motion_queries))]  # other queries make other tokens
        encoder.sha256 = sha256(files)
        return encoder.in_dtype(getattr(torch, settings.dtype))

    def in_dtype(self, dtype: torch.dtype) -> Blip2FrameEncoder:
        """The ViT in this type, everything behind it in float32, as it was trained."""
        self.float()
        self.vision_model.embeddings.to(dtype)
        self.vision_model.encoder.to(dtype)
        return self.requires_grad_(False).eval()

    def forward(self, frames_NHWC: Tensor) -> Tensor:
        """Frames to tokens: uint8 [N, size, size, 3], RGB, to float32 [N, 32, 768]."""
        return self._tokens(frames_NHWC, self.query_tokens)

    def encode_motion(self, frames_NHWC: Tensor) -> Tensor:
        """The same for the motion stream, with its own queries where an imported model has them."""
        queries = self.query_tokens if self.motion_query_tokens is None else self.motion_query_tokens.to(self.query_tokens)
        return self._tokens(frames_NHWC, queries)

    @torch.no_grad()
    def _tokens(self, frames_NHWC: Tensor, queries_1QD: Tensor) -> Tensor:
        patches_NPD = self.vision_model(pixel_values=normalised(frames_NHWC, self.mean, self.std)).last_hidden_state
        return self.look(patches_NPD, queries_1QD)

    def look(self, patches_NPD: Tensor, queries_1QD: Tensor) -> Tensor:
        """The image Q-Former: normalised patches [N, P, D] and queries [1, Q, W] to [N, Q, W]."""
        queries_NQD = queries_1QD.expand(len(patches_NPD), -1, -1)
        return self.qformer(query_embeds=queries_NQD, encoder_hidden_states=patches_NPD).last_hidden_state


class _LayerNorm32(nn.LayerNorm):
    """Normalises in float32 whatever comes in, and stays there."""

    def forward(self, hidden: Tensor) -> Tensor:
        return super().forward(hidden.float())


def read_motion_queries(folder: Path) -> Tensor:
    """The queries that an imported model's motion stream was encoded with: [1, 32, 768].

    Raises:
        CheckpointError: the folder holds none.
    """
    tensors = _read(weight_files(folder)) if folder.is_dir() else {}
    if "motion_query_tokens" not in tensors:
        msg = f"{folder} holds no motion queries; only models that `hawk import-checkpoint` made have them."
        raise CheckpointError(msg)
    return tensors["motion_query_tokens"]


def _named(settings: Blip2FrameEncoderSettings) -> str:
    return f"The BLIP-2 frame encoder of {settings.source or f'{settings.vit} and {settings.qformer}'}"


def _configurations(settings: Blip2FrameEncoderSettings) -> tuple[Blip2VisionConfig, Blip2QFormerConfig]:
    file = locate(settings.source or "", settings.revision, ["config.json", INDEX]) / "config.json"
    try:
        said = json.loads(file.read_text(encoding="utf-8"))
        return Blip2VisionConfig(**said["vision_config"]), Blip2QFormerConfig(**said["qformer_config"])
    except (OSError, ValueError, KeyError, TypeError, StrictDataclassError) as error:
        msg = f"{settings.source} holds no BLIP-2 model (config.json with vision_config and qformer_config: {error})."
        raise CheckpointError(msg) from error


def _shards(settings: Blip2FrameEncoderSettings) -> list[Path]:
    """The files that hold parts of the encoder; those that hold only BLIP-2's language model are not downloaded."""
    source, revision = settings.source or "", settings.revision
    index = locate(source, revision, ["config.json", INDEX]) / INDEX
    if not index.is_file():
        return weight_files(locate(source, revision, ["config.json", "model.safetensors"]))
    names = sorted({shard for name, shard in shards_of(index).items() if name.startswith(_OURS)})
    folder = locate(source, revision, names)
    return [folder / name for name in names]


_OURS = ("vision_model.", "qformer.", "query_tokens", "motion_query_tokens")


def _read(files: list[Path]) -> dict[str, Tensor]:
    tensors: dict[str, Tensor] = {}
    for file in files:
        try:
            with safe_open(file, framework="pt") as opened:
                tensors |= {name: opened.get_tensor(name) for name in opened.keys() if name.startswith(_OURS)}  # noqa: SIM118
        except (OSError, SafetensorError) as error:
            msg = f"{file} is missing or damaged ({error}); download it again."
            raise CheckpointError(msg) from error
    return tensors
