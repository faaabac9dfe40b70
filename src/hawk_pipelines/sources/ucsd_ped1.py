"""UCSD Ped1: 70 clips of people who walk towards the camera and away from it. See `ucsd.py`."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from hawk_pipelines.sources import ucsd
from hawk_pipelines.sources.reading import Reading

TITLE = "UCSD Ped1"
LICENCE = ucsd.LICENCE
SIZES = ucsd.Sizes(train=34, test=36, masks=10)


class Parameters(BaseModel):
    """Where the data set is."""

    model_config = ConfigDict(extra="forbid")

    path: Path = Path("data/01_raw/ucsd_ped1")


def looks_like(folder: Path) -> bool:
    """Whether a folder is that of UCSD Ped1."""
    return ucsd.looks_like(folder, "ped1")


def read(parameters: Parameters) -> Reading:
    """Find both halves, and what is labelled in each test clip.

    Raises:
        SourceError: the folder is missing or holds something else.
    """
    return ucsd.read(parameters.path, "ped1", SIZES)
