"""Which source is read, and how it is split."""

from typing import Literal

from hawk_pipelines.sources import folder as folder_source
from hawk_pipelines.sources import hawk as hawk_source
from hawk_pipelines.sources import synthetic as synthetic_source
from hawk_pipelines.sources.folder import FolderParameters
from hawk_pipelines.sources.hawk import HawkParameters
from hawk_pipelines.sources.listing import ListingParameters
from hawk_pipelines.sources.reading import Reading
from hawk_pipelines.sources.synthetic import SyntheticParameters


class IngestParameters(ListingParameters):
    """The source and its settings; only the chosen one's are used."""

    source: Literal["synthetic", "folder", "hawk"] = "synthetic"
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
