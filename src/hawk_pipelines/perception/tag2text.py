"""Tag2Text (recognize-anything): a caption of each frame. It runs in an environment of its own; see docs/captioners.md."""

from contextlib import AbstractContextManager

from pydantic import Field

from hawk_pipelines.perception.captioner import Captioner, LooksAt
from hawk_pipelines.perception.external import ToolParameters, open_runner

TOOL = "tag2text"
LOOKS_AT: LooksAt = "pictures"
VERSION = 1


class Parameters(ToolParameters):
    """How Tag2Text is asked."""

    image_size: int = Field(default=384, ge=64)
    """Pixels; what the checkpoint was trained with."""
    threshold: float = Field(default=0.68, gt=0, lt=1)
    """From which on a tag counts."""


def open_captioner(parameters: Parameters) -> AbstractContextManager[Captioner]:
    """Start Tag2Text."""
    settings = {"image_size": parameters.image_size, "threshold": parameters.threshold}
    return open_runner(TOOL, "run_tag2text.py", parameters, settings)
