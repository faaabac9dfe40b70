"""Which source is read, and how it is split."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from hawk_pipelines.sources import folder as folder_source
from hawk_pipelines.sources import hawk as hawk_source
from hawk_pipelines.sources import synthetic as synthetic_source
from hawk_pipelines.sources.folder import FolderParameters
from hawk_pipelines.sources.hawk import HawkParameters
from hawk_pipelines.sources.reading import Reading
from hawk_pipelines.sources.synthetic import SyntheticParameters


class IngestParameters(BaseModel):
    """The source and its settings; only the chosen one's are used."""

    model_config = ConfigDict(extra="forbid")

    source: Literal["synthetic", "folder", "hawk"] = "synthetic"
    test_share: float = Field(default=0.1, gt=0, lt=1)
    """Share of videos held out where the source has no split of its own."""
    synthetic: SyntheticParameters = SyntheticParameters()
    folder: FolderParameters = FolderParameters()
    hawk: HawkParameters = HawkParameters()


def read_source(parameters: IngestParameters, seed: int, workers: int) -> Reading:
    """Read the chosen source."""
    match parameters.source:
        case "synthetic":
            return synthetic_source.read(parameters.synthetic, seed, workers)
        case "folder":
            return folder_source.read(parameters.folder)
        case "hawk":
            return hawk_source.read(parameters.hawk)
