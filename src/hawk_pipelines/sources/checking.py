"""Which published data set a folder holds, and how much of it, from its folders and lists alone: no video is opened."""

import logging
from pathlib import Path
from typing import NamedTuple

from hawk_pipelines.sources.links import link_rules
from hawk_pipelines.sources.parameters import PUBLISHED
from hawk_pipelines.sources.reading import Reading, SourceError, note
from hawk_pipelines.sources.tree import DEPTH, folders_in

logger = logging.getLogger(__name__)


class Recognised(NamedTuple):
    """A data set that was found."""

    source: str
    """As in `ingest.source`."""
    title: str
    licence: str
    path: Path
    reading: Reading
    follow_links: bool = False
    """As in `ingest.follow_links`."""

    @property
    def complete(self) -> bool:
        """Whether nothing that is needed is missing."""
        return bool(self.reading.videos) and all(part.complete or part.optional for part in self.reading.parts)


def check(path: Path, *, follow_links: bool = False) -> list[Recognised]:
    """Every data set that a folder holds, at once or up to two levels deeper; none is looked for inside another.

    Args:
        path: the folder.
        follow_links: as in `ingest.follow_links`.

    Raises:
        SourceError: there is no such folder.
    """
    if not path.exists():
        msg = f"{path} does not exist; name the folder of a data set, or one above it."
        raise SourceError(msg)
    with link_rules([path], follow_links=follow_links) as left_out:
        found = _search(path.absolute(), DEPTH)
    if not found:
        for remark in left_out:
            logger.warning("%s", remark.reason)
    return [_recognised(name, place, follow_links) for name, place in found]


def _search(folder: Path, depth: int) -> list[tuple[str, Path]]:
    found = [(name, folder) for name, module in PUBLISHED.items() if module.looks_like(folder)]
    if found or depth == 0:
        return found
    return [one for inside in folders_in(folder) for one in _search(inside, depth - 1)]


def _recognised(name: str, place: Path, follow_links: bool) -> Recognised:
    module = PUBLISHED[name]
    with link_rules([place if place.is_dir() else place.parent], follow_links=follow_links) as left_out:
        try:
            reading = module.read(module.Parameters(path=place))
        except SourceError as error:  # such as a release whose videos are not there yet
            reading = Reading([], [note(str(place), str(error))])
    reading = reading._replace(rejections=[*reading.rejections, *left_out])
    return Recognised(name, module.TITLE, module.LICENCE, place, reading, follow_links)
