"""From what a source found to usable videos: probed, known by their content, split into train and test."""

import hashlib
import logging
from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from hawk_pipelines.engine.run import EngineParameters, Item, Step, run_items
from hawk_pipelines.engine.store import ItemStore
from hawk_pipelines.engine.work import Product
from hawk_pipelines.errors import HawkError
from hawk_pipelines.schema import Rejection, Span, Split, Video
from hawk_pipelines.sources.reading import FoundVideo, SourceError
from hawk_pipelines.video.content import content_id
from hawk_pipelines.video.pictures import PICTURES_FPS
from hawk_pipelines.video.probe import PROBE_VERSION, probe

logger = logging.getLogger(__name__)


class ListingParameters(BaseModel):
    """How found videos are split, and how a folder of pictures is timed."""

    model_config = ConfigDict(extra="forbid")

    test_share: float = Field(default=0.1, gt=0, lt=1)
    """Share of source videos held out where the source has no split of its own."""
    leakage: Literal["refuse", "allow"] = "refuse"
    """What happens to a training video that was cut from the same source video as a test video: a published split may hold such
    pairs, and whoever must compare on exactly that split allows them."""
    pictures_fps: float = Field(default=PICTURES_FPS, gt=0)
    """Frames a second of folders of pictures."""


class Listing(NamedTuple):
    """Usable videos, each beside what its source said of it, and the refusals."""

    videos: list[tuple[Video, FoundVideo]]
    rejections: list[Rejection]


class _Usable(NamedTuple):
    """A probed video: its facts, what the source said of it, and the names of its copies."""

    facts: dict
    found: FoundVideo
    copies: list[str]


def list_videos(
    found: Sequence[FoundVideo],
    source: str,
    parameters: ListingParameters,
    seed: int,
    probes: ItemStore,
    engine: EngineParameters,
) -> Listing:
    """Probe every video and give it its id and split.

    Args:
        found: what the source found; names are unique.
        source: its name.
        parameters: how they are split.
        seed: decides which are held out.
        probes: what is known of files that were probed before, by path, size and time of change.
        engine: how they are probed.

    Raises:
        SourceError: no video is usable.
    """
    named = [video for video in found if _is_text(str(video.path))]
    rejections = [_unnamable(video) for video in found if not _is_text(str(video.path))]
    items = [Item(video.name, _state(video.path), video.path) for video in named]
    function = partial(examine, pictures_fps=parameters.pictures_fps)
    step = Step("probe", function, PROBE_VERSION, {"pictures_fps": parameters.pictures_fps})
    outcome = run_items(step, items, probes, engine)
    rejections += outcome.rejections
    usable, copies = _without_copies((probes.facts(outcome.keys[v.name]), v) for v in named if v.name in outcome.keys)
    rejections += copies
    if not usable:
        first = rejections[0].reason if rejections else "The source found nothing."
        msg = f"Not one video of the source `{source}` is usable. The first reason: {first}"
        raise SourceError(msg)
    splits = _splits([one.found for one in usable], parameters.test_share, seed)
    leaking = _leaking([one.found for one in usable], splits)
    if leaking and parameters.leakage == "allow":
        logger.warning(
            "%d training video(s) were cut from source videos that are tested on, as `ingest.leakage` allows.", len(leaking)
        )
        leaking = {}
    rejections += [Rejection(step="ingest", item=name, reason=reason) for name, reason in leaking.items()]
    videos = []
    for facts, video, names in usable:
        if video.name in leaking:
            continue
        spans, late = _inside(video, facts["duration_s"])
        rejections += late
        record = Video(
            source=source,
            path=str(video.path),
            name=video.name,
            copies=names,
            group=video.group,
            label=video.label,
            spans=spans,
            split=splits[video.name],
            split_by=video.split_by if video.split else "seeded",
            **facts,
        )
        videos.append((record, video))
    return Listing(videos, rejections)


def examine(path: Path, pictures_fps: float) -> Product:
    """What a file or a folder of pictures is, and its id.

    Raises:
        HawkError: it is no video, or cannot be read.
    """
    known = probe(path, pictures_fps)
    try:
        return {}, {"id": content_id(path), **known._asdict()}
    except OSError as error:
        msg = f"{path} cannot be read ({error.strerror}); check its permissions."
        raise HawkError(msg) from error


def _without_copies(probed: Iterable[tuple[dict, FoundVideo]]) -> tuple[list[_Usable], list[Rejection]]:
    """Videos of the same content count once. One that is tested on goes before one to train on, one with words before one
    without; then the first.
    """
    groups: dict[str, list[tuple[dict, FoundVideo]]] = defaultdict(list)
    for facts, video in probed:
        groups[facts["id"]].append((facts, video))
    usable, rejections = [], []
    for group in groups.values():
        facts, kept = min(group, key=lambda one: (one[1].split != "test", not _known(one[1])))
        copies = [video for _, video in group if video is not kept]
        usable.append(_Usable(facts, kept, [video.name for video in copies]))
        for video in copies:
            differs = f" (labelled {video.label}, the other {kept.label})" if video.label != kept.label else ""
            reason = f"{video.path} has the same content as {kept.path}{differs}, which is used instead; remove one of the two."
            rejections.append(Rejection(step="ingest", item=video.name, reason=reason))
    return usable, rejections


def _known(video: FoundVideo) -> bool:
    """Whether anything is known of what happens in it."""
    return bool(video.label or video.captions or video.description)


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
    """What tells that a file, or a folder of pictures, is still the one that was probed."""
    try:
        state = path.stat()
        if not path.is_dir():
            return [str(path), state.st_size, state.st_mtime_ns]
        inside = sorted((entry.name, entry.stat().st_size, entry.stat().st_mtime_ns) for entry in path.iterdir())
    except OSError as error:
        return [str(path), error.strerror]
    return [str(path), hashlib.sha256(repr(inside).encode(errors="surrogateescape")).hexdigest()]


def _is_text(name: str) -> bool:
    """Whether a name can be written down: names that are no Unicode cannot."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _unnamable(video: FoundVideo) -> Rejection:
    shown = video.name.encode(errors="backslashreplace").decode()
    return Rejection(step="ingest", item=shown, reason=f"The name of {shown} is no valid Unicode (UTF-8); rename the file.")


def _splits(found: Sequence[FoundVideo], test_share: float, seed: int) -> dict[str, Split]:
    """The source's split where it has one; otherwise each source video's own draw, so that a new video moves no other.

    Videos of which nothing is known can be neither trained on nor tested; of the others at least one is on each side.
    """
    splits: dict[str, Split] = {video.name: video.split or "train" for video in found}
    drawn: dict[str, list[str]] = defaultdict(list)
    for video in found:
        if not video.split and _known(video):
            drawn[_source_video(video)].append(video.name)
    draws = sorted((_draw(seed, group), group) for group in drawn)
    tested = {group for draw, group in draws if draw < test_share}
    if len(draws) > 1 and not any(video.split for video in found):
        tested = (tested | {draws[0][1]}) - {draws[-1][1]}
    splits |= {name: "test" for group in tested for name in drawn[group]}
    return splits


def _leaking(found: Sequence[FoundVideo], splits: dict[str, Split]) -> dict[str, str]:
    """Training videos whose source video is tested on, with the reason to refuse each."""
    tested = {_source_video(video): video for video in found if splits[video.name] == "test"}
    reasons = {}
    for video in found:
        twin = tested.get(_source_video(video))
        if twin and splits[video.name] == "train":
            what = f"{video.name} was cut from the same source video ({_source_video(video)}) as {twin.name}, which is tested on"
            reasons[video.name] = f"{what}; it is left out of training (`ingest.leakage: allow` trains on it all the same)."
    return reasons


def _source_video(video: FoundVideo) -> str:
    return video.group or video.name


def _draw(seed: int, name: str) -> float:
    """A number in [0, 1) that the seed and the name decide."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{name}".encode()).digest()[:8], "big") / 2**64
