"""What a training is told; defaults and their reasons stand in `conf/base/parameters_finetune.yml`."""

from pydantic import BaseModel, ConfigDict, Field, model_validator


class TinyModelParameters(BaseModel):
    """Sizes of the tiny model."""

    model_config = ConfigDict(extra="forbid", protected_namespaces=())

    queries: int = Field(default=8, ge=1)
    qformer_width: int = Field(default=64, ge=8)
    qformer_layers: int = Field(default=2, ge=1)
    decoder_width: int = Field(default=128, ge=8)
    decoder_layers: int = Field(default=2, ge=1)
    heads: int = Field(default=4, ge=1)
    compression_width: int = Field(default=32, ge=1)
    vocabulary: int = Field(default=1000, ge=300)
    context: int = Field(default=2048, ge=64)
    initializer_range: float = Field(default=0.1, gt=0)

    @model_validator(mode="after")
    def _whole_heads(self) -> "TinyModelParameters":
        for name, width in (("qformer_width", self.qformer_width), ("decoder_width", self.decoder_width)):
            if width % (2 * self.heads):
                msg = f"{name} {width} is not a multiple of twice the heads, {2 * self.heads}"
                raise ValueError(msg)
        return self


class FinetuneParameters(BaseModel):
    """One training."""

    model_config = ConfigDict(extra="forbid")

    model: TinyModelParameters = TinyModelParameters()
    steps: int = Field(default=1200, ge=1)
    batch_size: int = Field(default=32, ge=1)
    learning_rate: float = Field(default=1.5e-3, gt=0)
    min_learning_rate: float = Field(default=6e-5, ge=0)
    warmup_steps: int = Field(default=100, ge=0)
    weight_decay: float = Field(default=0.05, ge=0)
    max_gradient_norm: float = Field(default=1.0, gt=0)
    description_share: float = Field(default=0.6, ge=0, le=1)
    video_motion_weight: float = Field(default=0.1, ge=0)
    motion_language_weight: float = Field(default=0.1, ge=0)
    log_every: int = Field(default=50, ge=1)
