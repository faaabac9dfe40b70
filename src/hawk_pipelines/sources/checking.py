"""Which published data set a folder holds, and how much of it, from its folders and lists alone: no video is opened."""

from pathlib import Path
from typing import NamedTuple

from hawk_pipelines.sources import webvid
from hawk_pipelines.sources.parameters import PUBLISHED
from hawk_pipelines.sources.reading import Reading, SourceError, note
from hawk_pipelines.sources.tree import places


class Recognised(NamedTuple):
    """A data set that was found."""

    source: str
    """As in `ingest.source`."""
    title: str
    licence: str
    path: Path
    reading: Reading
    settings: dict[str, str]
    """The parameters that ingest it."""

    @property
    def complete(self) -> bool:
        """Whether nothing that is needed is missing."""
        return bool(self.reading.videos) and all(part.complete or part.optional for part in self.reading.parts)


def check(path: Path) -> list[Recognised]:
    """Every data set that a folder holds, at once or up to two levels deeper; a data set is not looked for inside another.

    Raises:
        SourceError: there is no such folder.
    """
    if not path.exists():
        msg = f"{path} does not exist; name the folder of a data set, or one above it."
        raise SourceError(msg)
    found = [(name, place) for name, module in PUBLISHED.items() for place in _places(name, path)]
    return [_recognised(name, place) for name, place in found if not any(_inside(place, other) for _, other in found)]


def _places(name: str, path: Path) -> list[Path]:
    if path.is_dir():
        return places(path, PUBLISHED[name].looks_like)
    return [path] if name == "webvid" and webvid.is_table(path) else []


def _inside(place: Path, other: Path) -> bool:
    return other in place.parents


def _recognised(name: str, place: Path) -> Recognised:
    module = PUBLISHED[name]
    values = {"path": place}
    if name == "hawk":
        values = {"annotations": place / "Annotation" / "All_Mix", "videos": place / "Videos"}
    try:
        reading = module.read(module.Parameters(**values))
    except SourceError as error:  # such as a release whose videos are not there yet
        reading = Reading([], [note(str(place), str(error))])
    settings = {"ingest.source": name} | {f"ingest.{name}.{key}": str(value) for key, value in values.items()}
    return Recognised(name, module.TITLE, module.LICENCE, place, reading, settings)
