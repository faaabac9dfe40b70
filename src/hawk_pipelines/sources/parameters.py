"""Which sources are read, and how their videos are split."""

import importlib
import logging
from collections import Counter
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

from pydantic import Field, ValidationInfo, field_validator

from hawk_pipelines.schema import Rejection
from hawk_pipelines.sources import cuhk_avenue as cuhk_avenue_source
from hawk_pipelines.sources import dota as dota_source
from hawk_pipelines.sources import folder as folder_source
from hawk_pipelines.sources import hawk as hawk_source
from hawk_pipelines.sources import shanghaitech as shanghaitech_source
from hawk_pipelines.sources import synthetic as synthetic_source
from hawk_pipelines.sources import ubnormal as ubnormal_source
from hawk_pipelines.sources import ucf_crime as ucf_crime_source
from hawk_pipelines.sources import ucsd_ped1 as ucsd_ped1_source
from hawk_pipelines.sources import ucsd_ped2 as ucsd_ped2_source
from hawk_pipelines.sources import webvid as webvid_source
from hawk_pipelines.sources.links import folders_of_settings, link_rules
from hawk_pipelines.sources.listing import ListingParameters
from hawk_pipelines.sources.published import join
from hawk_pipelines.sources.reading import FoundVideo, Reading, SourceError
from hawk_pipelines.sources.tree import AnotherFolder, places

logger = logging.getLogger(__name__)

PUBLISHED: dict[str, ModuleType] = {
    "ucf_crime": ucf_crime_source,
    "shanghaitech": shanghaitech_source,
    "cuhk_avenue": cuhk_avenue_source,
    "ucsd_ped1": ucsd_ped1_source,
    "ucsd_ped2": ucsd_ped2_source,
    "dota": dota_source,
    "ubnormal": ubnormal_source,
    "webvid": webvid_source,
    "hawk": hawk_source,
}
"""Published data sets, told by what their folders look like (`looks_like`)."""
SOURCES = {"synthetic": synthetic_source, "folder": folder_source} | PUBLISHED


class IngestParameters(ListingParameters):
    """The sources and their settings; only those of the chosen ones are used."""

    source: str | list[str] = "synthetic"
    """One of the sources below, a module of your own, or a list of them, which are read together."""
    follow_links: bool = False
    """Whether links that lead out of a source's folder are followed. Those that lead to another place in it always are."""
    published: Path | None = None
    """HAWK's published annotations, joined to the videos of whatever sources: a JSON file, or the folder of
    `all_videos_train.json` and `all_videos_test.json`."""

    synthetic: synthetic_source.SyntheticParameters = synthetic_source.SyntheticParameters()
    folder: folder_source.Parameters = folder_source.Parameters()
    hawk: hawk_source.Parameters = hawk_source.Parameters()
    ucf_crime: ucf_crime_source.Parameters = ucf_crime_source.Parameters()
    shanghaitech: shanghaitech_source.Parameters = shanghaitech_source.Parameters()
    cuhk_avenue: cuhk_avenue_source.Parameters = cuhk_avenue_source.Parameters()
    ucsd_ped1: ucsd_ped1_source.Parameters = ucsd_ped1_source.Parameters()
    ucsd_ped2: ucsd_ped2_source.Parameters = ucsd_ped2_source.Parameters()
    dota: dota_source.Parameters = dota_source.Parameters()
    ubnormal: ubnormal_source.Parameters = ubnormal_source.Parameters()
    webvid: webvid_source.Parameters = webvid_source.Parameters()
    own: dict[str, Any] = Field(default_factory=dict)
    """Settings of a module of your own: those of its `Parameters`."""

    @property
    def sources(self) -> list[str]:
        """The chosen sources."""
        return _names(self.source)

    @field_validator("source")
    @classmethod
    def _known(cls, source: str | list[str]) -> str | list[str]:
        names = _names(source)
        if not names or len(set(names)) < len(names):
            msg = "at least one source is needed, and each once"
            raise ValueError(msg)
        own = [name for name in names if name not in SOURCES]
        if len(own) > 1:
            msg = f"of {' and '.join(own)} only one can be a source of your own, since `ingest.own` is for one"
            raise ValueError(msg)
        for name in own:
            _own_module(name)
        return source

    @field_validator("own")
    @classmethod
    def _settings(cls, own: dict[str, Any], others: ValidationInfo) -> dict[str, Any]:
        for name in _names(others.data.get("source", [])):
            if name not in SOURCES:
                _own_module(name).Parameters.model_validate(own)
        return own


def _names(source: str | list[str]) -> list[str]:
    return [source] if isinstance(source, str) else source


def read_source(parameters: IngestParameters, seed: int, workers: int) -> Reading:
    """Read the chosen sources, say under which terms, and join what HAWK published about their videos.

    Raises:
        SourceError: a source cannot be read.
    """
    videos: list[FoundVideo] = []
    rejections: list[Rejection] = []
    for name in parameters.sources:
        reading = _read(name, parameters, seed, workers)
        videos += [replace(one, source=name, licence=reading.licence) for one in reading.videos]
        rejections += [one.model_copy(update={"item": _full(one.item, name, parameters)}) for one in reading.rejections]
        if reading.licence:
            logger.info("Terms of `%s`: %s", name, reading.licence)
        lacking = [part for part in reading.parts if not (part.complete or part.optional)]
        if lacking:
            told = ", ".join(f"{part.found:,} of {part.of or 1:,} {part.what}" for part in lacking)
            logger.warning("%s is not whole: %s. `hawk check-data` says more.", name, told)
    if not videos:
        first = rejections[0].reason if rejections else "Its folder holds none."
        msg = f"{' and '.join(f'`{name}`' for name in parameters.sources)} gave no video. The first reason: {first}"
        raise SourceError(msg)
    if parameters.published is not None:
        joined = join(videos, parameters.published, "ingest.published")
        logger.info("%d of %d videos have a published annotation.", joined.matched, len(videos))
        videos, rejections = joined.videos, rejections + joined.rejections
    videos = [replace(one, name=_full(one.name, one.source, parameters)) for one in videos]
    doubled = [name for name, count in Counter(video.name for video in videos).items() if count > 1]
    if doubled:
        msg = f"{' and '.join(parameters.sources)} gave {doubled[0]} twice; a source names each of its videos once."
        raise SourceError(msg)
    return Reading(videos, rejections)


def _full(name: str, source: str, parameters: IngestParameters) -> str:
    """A name that tells its source where several are read."""
    return f"{source}/{name}" if len(parameters.sources) > 1 else name


def _read(name: str, parameters: IngestParameters, seed: int, workers: int) -> Reading:
    if name == "synthetic":
        return synthetic_source.read(parameters.synthetic, seed, workers)
    if name in SOURCES:
        module, settings = SOURCES[name], getattr(parameters, name)
    else:
        module = _own_module(name)
        settings = module.Parameters.model_validate(parameters.own)
    roots = folders_of_settings(vars(settings).values())
    left_out: list[Rejection] = []
    try:
        with link_rules(roots, follow_links=parameters.follow_links) as left_out:
            reading = _read_module(module, settings)
    except SourceError as error:
        if not left_out:
            raise
        msg = " ".join([str(error), *(remark.reason for remark in left_out)])
        raise SourceError(msg) from error
    return reading._replace(rejections=[*reading.rejections, *left_out])


def _read_module(module: ModuleType, settings: Any) -> Reading:
    """Read one source; of a folder that is none of its own it is said which data set it looks like."""
    try:
        return module.read(settings)
    except AnotherFolder as error:
        others = [f"`{other}`" for other, published in PUBLISHED.items() if places(settings.path, published.looks_like)]
        if not others:
            raise
        msg = f"{error} It looks like {' and '.join(others)}: is `ingest.source` meant to be that?"
        raise SourceError(msg) from error


def _own_module(name: str) -> ModuleType:
    """A source of the user's own.

    Raises:
        ValueError: there is no such module, or it is no source.
    """
    known = ", ".join(f"'{source}'" for source in SOURCES)
    try:
        module = importlib.import_module(name)
    except (ImportError, ValueError, TypeError) as error:
        msg = f"it is one of {known}, or a module of your own, and there is none that can be imported ({error})"
        raise ValueError(msg) from error
    lacking = [part for part in ("Parameters", "read") if not hasattr(module, part)]
    if lacking:
        msg = f"that module lacks `{'` and `'.join(lacking)}` (see docs/datasets.md); other sources are {known}"
        raise ValueError(msg)
    return module
