"""What a model has to show to take an alias."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

CHALLENGER = "challenger"
"""The alias of the last version that did not pass the gate."""

Headline = Literal["bleu_4", "description.bleu_4", "question.bleu_4"]


class GateParameters(BaseModel):
    """What a model has to show to take an alias."""

    model_config = ConfigDict(extra="forbid")

    metric: Headline = "bleu_4"
    """The figure that decides. `bleu_4` is the mean of both tasks: a model that gets worse at one of them is seen."""
    margin: float = Field(default=0.01, ge=0, allow_inf_nan=False)
    """So much worse than the present version, in BLEU (0 to 1), it may turn out to be."""
    min_videos: int = Field(default=100, ge=2)
    """Source videos on which it is compared with the present version, at least."""
    draws: int = Field(default=2000, ge=100)
    """Resampled corpora behind an interval."""
    seed: int = 0
    """Of the resampling."""
    force: str | None = Field(default=None, max_length=1000)
    """Why the model takes the alias even if it does not pass: a sentence, which is recorded. Give it with --params, once."""

    @field_validator("force")
    @classmethod
    def _a_reason(cls, force: str | None) -> str | None:
        if force is not None and not any(letter.isalpha() for letter in force):
            msg = "forcing needs a reason; say in a sentence why the model takes the alias, or leave it null"
            raise ValueError(msg)
        return force
