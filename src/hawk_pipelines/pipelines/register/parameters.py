import re

from pydantic import Field, field_validator

from hawk_pipelines.serving.parameters import CHALLENGER, GateParameters


class RegisterParameters(GateParameters):
    """Under which name and alias a model is found, and what it has to show for it."""

    name: str = Field(default="hawk", pattern=r"^[\w .-]+$")
    """Models of different sizes have names of their own: they are not compared with each other."""
    alias: str = Field(default="production", pattern=r"^[\w-]+$")
    """That a model takes if it passes; otherwise it is `challenger`."""

    @field_validator("alias")
    @classmethod
    def _free(cls, alias: str) -> str:
        if re.fullmatch(r"latest|v\d+", alias, re.IGNORECASE):
            msg = f"MLflow keeps the alias {alias} for itself"
            raise ValueError(msg)
        if alias == CHALLENGER:
            msg = f"{CHALLENGER} is the alias of what does not pass"
            raise ValueError(msg)
        return alias
