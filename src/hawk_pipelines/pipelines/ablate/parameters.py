from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator, model_validator

SECTIONS = ("model", "finetune", "encode")
"""Sections of the settings that a variant may change."""

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,60}$")]
Changes = dict[str, Any]
"""Dotted names of settings and their values."""


class AblateParameters(BaseModel):
    """Which variants are trained and compared."""

    model_config = ConfigDict(extra="forbid")

    seeds: list[int] = Field(default=[0, 1, 2], min_length=1)
    at_a_time: int = Field(default=2, ge=1)
    """Trainings beside each other, each in a process of its own where there is more than one."""
    reference: Name = "full"
    """The variant that the others are compared with."""
    common: Changes = {}
    """Settings that all variants share."""
    variants: dict[Name, Changes] = Field(default={"full": {}}, min_length=1)
    """What makes each of them. One that is null is left out: an environment's variants come beside those of conf/base."""

    @field_validator("variants", mode="before")
    @classmethod
    def _without_those_left_out(cls, variants: Any) -> Any:
        return {name: value for name, value in variants.items() if value is not None} if isinstance(variants, dict) else variants

    @model_validator(mode="after")
    def _sensible(self) -> "AblateParameters":
        if self.reference not in self.variants:
            msg = f"reference is {self.reference}, which is none of the variants ({', '.join(self.variants)})"
            raise ValueError(msg)
        if len(set(self.seeds)) < len(self.seeds):
            msg = f"seeds are {self.seeds}; name each once"
            raise ValueError(msg)
        for name, changes in {"common": self.common, **self.variants}.items():
            for setting in changes:
                if setting.split(".")[0] not in SECTIONS:
                    msg = f"{name} sets {setting}; variants set what begins with {', '.join(f'{one}.' for one in SECTIONS)}"
                    raise ValueError(msg)
        return self
