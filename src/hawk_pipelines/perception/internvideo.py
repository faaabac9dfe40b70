"""InternVideo2.5: one caption of a clip from its frames. It runs in an environment of its own; see docs/captioners.md."""

from contextlib import AbstractContextManager

from pydantic import Field

from hawk_pipelines.perception.captioner import Captioner, LooksAt
from hawk_pipelines.perception.external import ToolParameters, open_runner

TOOL = "internvideo"
LOOKS_AT: LooksAt = "pictures"
VERSION = 1


class Parameters(ToolParameters):
    """How InternVideo is asked. The checkpoint is a folder, and code that lies in it is run in the tool's environment."""

    frames: int = Field(default=16, ge=1, le=128)
    prompt: str = Field(default="Describe in one or two sentences what happens in this video.", min_length=1)
    new_tokens: int = Field(default=128, ge=1, le=1000)
    """Length of a caption at most."""


def open_captioner(parameters: Parameters) -> AbstractContextManager[Captioner]:
    """Start InternVideo."""
    settings = {"prompt": parameters.prompt, "new_tokens": parameters.new_tokens}
    return open_runner(TOOL, "run_internvideo.py", parameters, settings)
