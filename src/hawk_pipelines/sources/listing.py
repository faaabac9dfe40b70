"""From what a source found to usable videos: probed, known by their content, split into train and test."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from hawk_pipelines.engine.run import Item, Product, Step, run_items
from hawk_pipelines.engine.store import ItemStore
from hawk_pipelines.schema import Rejection, Span, Split, Video
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
    rejections = outcome.rejections
    usable: dict[str, tuple[dict, FoundVideo]] = {}
    for video in found:
        if video.name not in outcome.keys:
            continue
        facts = probes.facts(outcome.keys[video.name])
        twin = usable.setdefault(facts["id"], (facts, video))[1]
        if twin is not video:
            reason = f"{video.path} has the same content as {twin.path}, which is used instead; remove one of the two."
            rejections.append(Rejection(step="ingest", item=video.name, reason=reason))
    if not usable:
        first = rejections[0].reason if rejections else "The source found nothing."
        msg = f"Not one video of the source `{source}` is usable. The first reason: {first}"
        raise SourceError(msg)
    splits = _splits([video for _, video in usable.values()], test_share, seed)
    videos = []
    for facts, video in usable.values():
        spans, late = _inside(video, facts["duration_s"])
        rejections += late
        record = Video(
            source=source,
            path=str(video.path),
            name=video.name,
            label=video.label,
            spans=spans,
            split=splits[video.name],
            split_by="published" if video.split else "seeded",
            **facts,
        )
        videos.append((record, video))
    return Listing(videos, rejections)


def _inside(video: FoundVideo, duration_s: float) -> tuple[list[Span], list[Rejection]]:
    """The spans as far as they lie inside the video, and a word about those that do not."""
    spans = [Span(start_s=s.start_s, end_s=min(s.end_s, duration_s)) for s in video.spans if s.start_s < duration_s]
    reasons = [
        f"A span of {video.name} starts at {s.start_s} s, but the video ends at {duration_s:.2f} s; mend the label."
        for s in video.spans
        if s.start_s >= duration_s
    ]
    return spans, [Rejection(step="ingest", item=video.name, reason=reason) for reason in reasons]


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


def _splits(found: Sequence[FoundVideo], test_share: float, seed: int) -> dict[str, Split]:
    """The source's split where it has one; otherwise each video's own draw, so that a new video moves no other.

    Videos of which nothing is known can be neither trained on nor tested; of the others at least one is on each side.
    """
    splits: dict[str, Split] = {video.name: video.split or "train" for video in found}
    drawn = sorted((_draw(seed, v.name), v.name) for v in found if not v.split and (v.label or v.captions or v.description))
    splits |= {name: "test" for draw, name in drawn if draw < test_share}
    if len(drawn) > 1 and not any(video.split for video in found):
        splits |= {drawn[0][1]: "test", drawn[-1][1]: "train"}
    return splits


def _draw(seed: int, name: str) -> float:
    """A number in [0, 1) that the seed and the name decide."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{name}".encode()).digest()[:8], "big") / 2**64
