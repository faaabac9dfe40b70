"""From what a source found to usable videos: probed, known by their content, split into train and test."""

import hashlib
import logging
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from hawk_pipelines.engine.run import EngineParameters, Item, Step, run_items
from hawk_pipelines.engine.store import ItemStore
from hawk_pipelines.engine.work import Product
from hawk_pipelines.errors import HawkError
from hawk_pipelines.schema import ANOMALY, Rejection, Split, Video
from hawk_pipelines.sources.copies import is_known, merge_copies
from hawk_pipelines.sources.fitting import fit_labels
from hawk_pipelines.sources.frame_labels import FRAME_LABELS_VERSION, read_frame_labels
from hawk_pipelines.sources.reading import FoundVideo, SourceError, note
from hawk_pipelines.video.content import content_id
from hawk_pipelines.video.pictures import PICTURES_FPS, picture_numbers
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


def list_videos(
    found: Sequence[FoundVideo],
    parameters: ListingParameters,
    seed: int,
    probes: ItemStore,
    engine: EngineParameters,
) -> Listing:
    """Probe every video and give it its id and split.

    Args:
        found: what the sources found; names are unique.
        parameters: how they are split.
        seed: decides which are held out.
        probes: what is known of files that were probed before, by path, size and time of change.
        engine: how they are probed.

    Raises:
        SourceError: no video is usable.
    """
    named = [video for video in found if _is_text(str(video.path))]
    rejections = [_unnamable(video) for video in found if not _is_text(str(video.path))]
    looks = [_look(video, parameters.pictures_fps) for video in named]
    items = [Item(video.name, _state(look), look) for video, look in zip(named, looks, strict=True)]
    outcome = run_items(Step("probe", examine, PROBE_VERSION, {"labels": FRAME_LABELS_VERSION}), items, probes, engine)
    rejections += outcome.rejections
    examined = [(probes.facts(outcome.keys[video.name]), video) for video in named if video.name in outcome.keys]
    usable, copies = merge_copies([(facts, _labelled(video, facts)) for facts, video in examined])
    rejections += copies
    if not usable:
        first = rejections[0].reason if rejections else "Nothing was found."
        sources = " and ".join(sorted({f"`{video.source}`" for video in found}))
        msg = f"Not one video of {sources} is usable. The first reason: {first}"
        raise SourceError(msg)
    splits = _splits([one.found for one in usable], parameters.test_share, seed)
    leaking = _leaking([one.found for one in usable], splits)
    if leaking and parameters.leakage == "allow":
        logger.warning(
            "%d training video(s) come from source videos that are tested on, as `ingest.leakage` allows.", len(leaking)
        )
        leaking = {}
    rejections += [Rejection(step="ingest", item=name, reason=reason) for name, reason in leaking.items()]
    videos = []
    for facts, video, names in usable:
        if video.name in leaking:
            continue
        labels = fit_labels(video, facts)
        rejections += [note(video.name, reason) for reason in (*facts.get("notes", ()), *labels.notes)]
        label, spans = labels.label, labels.spans
        if label == "normal" and spans:
            times = ", ".join(f"{span.start_s:.2f} to {span.end_s:.2f} s" for span in spans)
            what = f"{video.path} is labelled normal, but said to have an anomaly ({times}): which is right is unknown"
            rejections.append(note(video.name, f"{what}, so neither is used; mend the label or the times."))
            label, spans = None, []
        record = Video(
            **{name: facts[name] for name in ("id", "frames", "fps", "width", "height", "duration_s")},
            frame_intervals=facts.get("frame_intervals"),
            source=video.source,
            path=str(video.path),
            name=video.name,
            copies=names,
            group=video.group,
            label=label,
            spans=spans,
            split=splits[video.name],
            split_by=video.split_by if video.split else "seeded",
            licence=video.licence,
        )
        videos.append((record, replace(video, captions=labels.captions)))
    return Listing(videos, rejections)


class Look(NamedTuple):
    """What is opened of a video."""

    path: Path
    pictures_fps: float
    masks: tuple[Path, ...] = ()
    numbered: bool = False
    """Whether labels count the pictures of a folder, so that its first number matters."""


def _look(video: FoundVideo, pictures_fps: float) -> Look:
    numbered = bool(video.frame_spans or video.masks) and video.path.is_dir()
    return Look(video.path, video.pictures_fps or pictures_fps, video.masks, numbered)


def examine(look: Look) -> Product:
    """What a file or a folder of pictures is, its id, and what its masks say.

    Raises:
        HawkError: it is no video, or cannot be read.
    """
    known = probe(look.path, look.pictures_fps)
    facts: dict[str, object] = {name: fact for name, fact in known._asdict().items() if fact not in (None, ())}
    if look.numbered:
        facts["first_number"] = min(picture_numbers(look.path))
    faults = []
    for masks in look.masks:
        try:
            facts["masks"] = read_frame_labels(masks, look.path)._asdict()
            break
        except SourceError as error:
            faults.append(str(error))
    if faults:
        facts["masks_faults"] = faults
    try:
        return {}, {"id": content_id(look.path), **facts}
    except OSError as error:
        msg = f"{look.path} cannot be read ({error.strerror}); check its permissions."
        raise HawkError(msg) from error


def _labelled(video: FoundVideo, facts: dict) -> FoundVideo:
    """The video with the label that its masks give, where the source has no other. Without a mask a frame need not be normal."""
    masks = facts.get("masks")
    if video.label is not None or masks is None or (masks["absent"] and not masks["spans"]):
        return video
    return replace(video, label=ANOMALY if masks["spans"] else "normal")


def _state(look: Look) -> list[object]:
    """What tells that a file, or a folder of pictures, and its masks are still those that were examined."""
    state = _state_of(look.path)
    if look.path.is_dir():
        state += [look.pictures_fps, look.numbered]
    return [state, *map(_state_of, look.masks)] if look.masks else state


def _state_of(path: Path) -> list[object]:
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
        if not video.split and is_known(video):
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
            what = f"{video.name} comes from the same source video ({_source_video(video)}) as {twin.name}, which is tested on"
            reasons[video.name] = f"{what}; it is left out of training (`ingest.leakage: allow` trains on it all the same)."
    return reasons


def _source_video(video: FoundVideo) -> str:
    return video.group or video.name


def _draw(seed: int, name: str) -> float:
    """A number in [0, 1) that the seed and the name decide."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{name}".encode()).digest()[:8], "big") / 2**64
