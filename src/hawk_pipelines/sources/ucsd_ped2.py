"""UCSD Ped2: 28 clips of people who walk across the picture. See `ucsd.py`."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from hawk_pipelines.sources import ucsd
from hawk_pipelines.sources.reading import Reading

TITLE = "UCSD Ped2"
LICENCE = ucsd.LICENCE
SIZES = ucsd.Sizes(train=16, test=12, masks=12)


class Parameters(BaseModel):
    """Where the data set is."""

    model_config = ConfigDict(extra="forbid")

    path: Path = Path("data/01_raw/ucsd_ped2")


def looks_like(folder: Path) -> bool:
    """Whether a folder is that of UCSD Ped2."""
    return ucsd.looks_like(folder, "ped2")


def read(parameters: Parameters) -> Reading:
    """Find both halves, and what is labelled in each test clip.

    Raises:
        SourceError: the folder is missing or holds something else.
    """
    return ucsd.read(parameters.path, "ped2", SIZES)
