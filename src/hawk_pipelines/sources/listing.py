"""From what a source found to usable videos: probed, known by their content, split into train and test."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from hawk_pipelines.engine.run import Item, Product, Step, run_items
from hawk_pipelines.engine.store import ItemStore
from hawk_pipelines.schema import Rejection, Split, Video
from hawk_pipelines.sources.reading import FoundVideo, SourceError
from hawk_pipelines.video.decode import probe

PROBE_VERSION = 1


class Listing(NamedTuple):
    """Usable videos, each beside what its source said of it, and the refusals."""

    videos: list[tuple[Video, FoundVideo]]
    rejections: list[Rejection]


def list_videos(
    found: Sequence[FoundVideo], source: str, test_share: float, seed: int, probes: ItemStore, workers: int
) -> Listing:
    """Probe every video and give it its id and split.

    Args:
        found: what the source found.
        source: its name.
        test_share: share of the videos held out where the source has no split.
        seed: decides which.
        probes: what is known of files that were probed before, by path, size and time of change.
        workers: processes.

    Raises:
        SourceError: no video is usable.
    """
    items = [Item(video.name, _state(video.path), video.path) for video in found]
    outcome = run_items(Step("probe", _probe, PROBE_VERSION, {}), items, probes, workers)
    splits = _splits(found, test_share, seed)
    videos: dict[str, tuple[Video, FoundVideo]] = {}
    rejections = outcome.rejections
    for video in found:
        if video.name not in outcome.keys:
            continue
        facts = probes.facts(outcome.keys[video.name])
        twin = videos.get(facts["id"])
        if twin is not None:
            reason = f"{video.path} has the same content as {twin[1].path}, which is used instead; remove one of the two."
            rejections.append(Rejection(step="ingest", item=video.name, reason=reason))
            continue
        record = Video(
            source=source,
            path=str(video.path),
            name=video.name,
            label=video.label,
            spans=video.spans,
            split=splits[video.name],
            split_by="published" if video.split else "seeded",
            **facts,
        )
        videos[record.id] = (record, video)
    if not videos:
        first = rejections[0].reason if rejections else "The source found nothing."
        msg = f"Not one video of the source `{source}` is usable. The first reason: {first}"
        raise SourceError(msg)
    return Listing(list(videos.values()), rejections)


def _state(path: Path) -> list[object]:
    """What tells that a file is still the one that was probed."""
    try:
        state = path.stat()
    except OSError:
        return [str(path), "missing"]
    return [str(path), state.st_size, state.st_mtime_ns]


def _probe(path: Path) -> Product:
    facts = probe(path)
    with path.open("rb") as file:
        content = hashlib.file_digest(file, "sha256").hexdigest()
    return Product({}, {"id": content[:16], **facts._asdict()})


def _splits(found: Sequence[FoundVideo], test_share: float, seed: int) -> Mapping[str, Split]:
    """The source's split where it has one; otherwise a seeded share of the videos, at least one of several, is for testing."""
    splits: dict[str, Split] = {video.name: video.split for video in found if video.split}
    open_ = sorted((video.name for video in found if not video.split), key=lambda name: _rank(seed, name))
    held_out = min(len(open_) - 1, max(1, round(test_share * len(open_)))) if len(open_) > 1 else 0
    return splits | {name: "test" if place < held_out else "train" for place, name in enumerate(open_)}


def _rank(seed: int, name: str) -> bytes:
    return hashlib.sha256(f"{seed}/{name}".encode()).digest()
