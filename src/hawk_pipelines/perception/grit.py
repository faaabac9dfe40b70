"""GRiT: captions of the regions of each frame. It runs in an environment of its own; see docs/captioners.md."""

from contextlib import AbstractContextManager

from pydantic import Field

from hawk_pipelines.perception.captioner import Captioner, LooksAt
from hawk_pipelines.perception.external import ToolParameters, open_runner

TOOL = "grit"
LOOKS_AT: LooksAt = "pictures"
VERSION = 1


class Parameters(ToolParameters):
    """How GRiT is asked. Its checkout must be named (`folder`)."""

    config: str = "configs/GRiT_B_DenseCap_ObjectDet.yaml"
    """The checkpoint's configuration, below the checkout."""
    threshold: float = Field(default=0.5, gt=0, lt=1)
    """From which on a region counts."""
    regions: int = Field(default=5, ge=1, le=20)
    """Of a frame at most, the surest."""


def open_captioner(parameters: Parameters) -> AbstractContextManager[Captioner]:
    """Start GRiT."""
    settings = {"config": parameters.config, "threshold": parameters.threshold, "regions": parameters.regions}
    return open_runner(TOOL, "run_grit.py", parameters, settings)
