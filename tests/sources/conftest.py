"""A reader's videos, listed: what ingest makes of a tree."""

import pytest

from hawk_pipelines.engine.run import EngineParameters
from hawk_pipelines.engine.store import ItemStore
from hawk_pipelines.sources.listing import list_videos
from hawk_pipelines.sources.parameters import IngestParameters, read_source
from tests.sources.folders import ReadFolder


@pytest.fixture
def ingest(tmp_path_factory):
    """Read sources and list their videos: a dictionary of them by name, and what was said of the rest."""

    def ingest(source, path=None, **settings):
        one = {source: {"path": str(path)}} if path else {}
        parameters = IngestParameters.model_validate({"source": source} | one | settings)
        reading = read_source(parameters, seed=0, workers=0)
        probes = ItemStore(tmp_path_factory.mktemp("probes"))
        listing = list_videos(reading.videos, parameters, 0, probes, EngineParameters(workers=0))
        said = [rejection.reason for rejection in reading.rejections + listing.rejections]
        return {video.name: video for video, _ in listing.videos}, said, {video.name: about for video, about in listing.videos}

    return ingest


@pytest.fixture
def ingested(tmp_path):
    """Write a table beside empty videos and read their folder."""

    def ingested(table, encoding="utf-8", name="captions.csv", files=("gate.mp4", "other.mp4", "yard/0412.mp4")):
        for file in files:
            (tmp_path / file).parent.mkdir(exist_ok=True)
            (tmp_path / file).touch()
        (tmp_path / name).write_bytes(table.replace("ROOT", str(tmp_path)).encode(encoding))
        return ReadFolder(tmp_path)

    return ingested
