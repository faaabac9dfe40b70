import hashlib
import logging
import re
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, field_validator

from hawk_pipelines.schema import Annotation

logger = logging.getLogger(__name__)


class RegisterParameters(BaseModel):
    """Under which name and alias the model is found."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(default="hawk", pattern=r"^[\w .-]+$")
    alias: str = Field(default="production", pattern=r"^[\w-]+$")

    @field_validator("alias")
    @classmethod
    def _not_reserved(cls, alias: str) -> str:
        if re.fullmatch(r"latest|v\d+", alias, re.IGNORECASE):
            msg = f"MLflow keeps the alias {alias} for itself"
            raise ValueError(msg)
        return alias


def register_model(folder: Path, metrics: dict, annotations: list[Annotation], parameters: RegisterParameters) -> dict:
    """Register the model with its metrics and the hash of the annotations it stands on."""
    from hawk_pipelines.evaluation.scores import flat_scores
    from hawk_pipelines.serving.registry import register

    tags = {name: f"{value:.4f}" for name, value in flat_scores(metrics).items()}
    words = "\n".join(annotation.model_dump_json() for annotation in annotations)
    tags["annotations_sha256"] = hashlib.sha256(words.encode()).hexdigest()
    registered = register(folder, parameters.name, parameters.alias, tags)
    logger.info("register: version %s of `%s` is now `%s`.", registered.version, registered.name, registered.alias)
    return registered._asdict()
