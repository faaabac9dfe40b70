"""What a training is told; defaults and their reasons stand in `conf/base/parameters_finetune.yml`."""

from pydantic import BaseModel, ConfigDict, Field

from hawk_pipelines.model.settings import LossSettings


class FinetuneParameters(BaseModel):
    """One training."""

    model_config = ConfigDict(extra="forbid")

    steps: int = Field(default=1200, ge=1)
    batch_size: int = Field(default=32, ge=1)
    learning_rate: float = Field(default=1.5e-3, gt=0)
    min_learning_rate: float = Field(default=6e-5, ge=0)
    warmup_steps: int = Field(default=100, ge=0)
    weight_decay: float = Field(default=0.05, ge=0)
    max_gradient_norm: float = Field(default=1.0, gt=0)
    description_share: float = Field(default=0.8, ge=0, le=1)
    losses: LossSettings = LossSettings()
    log_every: int = Field(default=50, ge=1)
