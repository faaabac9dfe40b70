"""DoTA, Detection of Traffic Anomaly (Yao et al., TPAMI 2022): 4,677 clips of dashboard cameras, 10 frames a second.

    frames/<clip>/images/000000.jpg          or <clip>/000000.jpg, as the authors' script writes them
    metadata_train.json, metadata_val.json   anywhere below: {clip: {anomaly_start, anomaly_end, anomaly_class, …}}
    train_split.txt, val_split.txt           the official split; the validation half is what everyone tests on
    annotations/<clip>.json                  the same of one clip, read where the metadata are not there

Every clip holds an accident; its class is the label (`ego: turning`, `other: pedestrian`). `anomaly_start` is its first frame,
`anomaly_end` is taken for the first frame after it. The boxes of objects are not read.

A clip's name begins with the video that it comes from, but these are compilations of accidents that have nothing to do with each
other, and nearly all of them are on both sides of the official split. So a clip counts as a source video of its own.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hawk_pipelines.schema import Rejection, Split
from hawk_pipelines.sources.reading import FoundVideo, Part, Reading, each_once, note, some
from hawk_pipelines.sources.text_files import Listed, beginning, note_absent, read_object, read_splits
from hawk_pipelines.sources.tree import dataset_folder, files_in, files_named, folders_in, holds_pictures, walk

TITLE = "DoTA"
LICENCE = "DoTA: annotations MIT; the videos are of YouTube and belong to those who put them there."
SIGNS = "frames/0RJPQ_97dcs_000199/images/000000.jpg, metadata_train.json"
PICTURES_FPS = 10.0
MANY = 10**9
"""More frames than any video has."""
_METADATA = r"metadata_(train|val)\.json"
_CLIP = re.compile(r"[A-Za-z0-9_-]{11}_[0-9]{6}")
_SPLITS: dict[str, Split] = {"train": "train", "val": "test"}
_SIZES = {"train": 3275, "test": 1402}


class Parameters(BaseModel):
    """Where the data set is."""

    model_config = ConfigDict(extra="forbid")

    path: Path = Path("data/01_raw/dota")


class ClipFacts(BaseModel):
    """What the metadata say of a clip."""

    model_config = ConfigDict(extra="ignore")

    anomaly_start: int = Field(gt=-MANY, lt=MANY)
    anomaly_end: int = Field(gt=-MANY, lt=MANY)
    anomaly_class: str
    num_frames: int = Field(gt=-MANY, lt=MANY)


def looks_like(folder: Path) -> bool:
    """Whether clips or metadata are in it, at once or one folder deeper."""
    for place in (folder, *folders_in(folder)):
        if _CLIP.fullmatch(place.name):
            continue
        if any(_CLIP.fullmatch(clip.name) and _pictures(clip) for clip in folders_in(place)):
            return True
        if any('"anomaly_start"' in beginning(file) for file in files_named(files_in(place), _METADATA)):
            return True
    return False


def read(parameters: Parameters) -> Reading:
    """Find the clips, the class and time of each accident, and the official split.

    Raises:
        SourceError: the folder is missing or holds something else.
    """
    root = dataset_folder(parameters.path, "ingest.dota.path", TITLE, looks_like, SIGNS, together=True)
    notes: list[Rejection] = []
    folders, files = [], []
    for folder, names in walk(root, closed=_CLIP):
        folders += [folder] if _CLIP.fullmatch(folder.name) else []
        files += [folder / name for name in names]
    clips = _clips(folders, notes)
    metadata: dict[Split, list[Path]] = {split: files_named(files, rf"metadata_{half}\.json") for half, split in _SPLITS.items()}
    facts: dict[str, ClipFacts] = {}
    splits: dict[str, Split] = {}
    for split in ("test", "train"):
        for file in metadata[split]:
            of_clips = read_metadata(file, notes)
            note_absent(Listed(file, list(of_clips)), clips, root, notes)
            facts = {name: known for name, known in of_clips.items() if known} | facts
            splits = {name.casefold(): split for name in of_clips} | splits
    lists: dict[Split, list[Path]] = {split: files_named(files, rf"{half}_split\.txt") for half, split in _SPLITS.items()}
    listed, doubtful, _ = read_splits(lists, clips, root, notes)
    for name, split in listed.items():
        if splits.setdefault(name, split) != split:
            what = f"The lists name {name} for the {split} split, the metadata for the {splits[name]} split"
            notes.append(note(name, f"{what}; it is tested on. Mend one of them."))
            splits[name] = "test"
    alone = {file.stem: file for file in files if file.suffix == ".json" and _CLIP.fullmatch(file.stem)}
    for name in sorted(clips.keys() & alone.keys() - facts.keys()):
        told = read_object(alone[name], "what happens in a clip", notes)
        if told and (known := _facts(name, told, alone[name], notes)):
            facts[name] = known
    unknown = sorted(clips.keys() - facts.keys())
    if unknown:
        what = f"No metadata say what happens in {len(unknown):,} of {len(clips):,} clips ({some(unknown)})"
        notes.append(note(unknown[0], f"{what}; add metadata_train.json and metadata_val.json."))
    if any(metadata.values()) or any(lists.values()):
        clips = _on_a_side(clips, splits, doubtful, notes)
    videos = [_found(name, folder, root, facts.get(name), splits.get(name.casefold())) for name, folder in clips.items()]
    counts = Counter(video.split for video in videos)
    parts = [
        Part("training clips", counts["train"], _SIZES["train"]),
        Part("test clips (the official validation half)", counts["test"], _SIZES["test"]),
        Part("clips with metadata", len(clips.keys() & facts.keys()), sum(_SIZES.values())),
    ]
    return Reading(videos, notes, LICENCE, parts)


def _found(name: str, folder: Path, root: Path, known: ClipFacts | None, split: Split | None) -> FoundVideo:
    return FoundVideo(
        folder,
        folder.relative_to(root).as_posix(),
        label=known.anomaly_class if known else None,
        frame_spans=[(known.anomaly_start, known.anomaly_end)] if known else [],
        label_frames=known.num_frames if known else None,
        pictures_fps=PICTURES_FPS,
        split=split,
        split_by="official",
        published_as=f"dota/{name}",
    )


def _on_a_side(
    clips: dict[str, Path], splits: Mapping[str, Split], doubtful: Mapping[str, str], notes: list[Rejection]
) -> dict[str, Path]:
    """The clips that the official split names. Of the others nobody knows on which side they are."""
    for name, folder in clips.items():
        if name.casefold() not in splits:
            seems = doubtful.get(name.casefold())
            why = f" ({seems}, which seems to mean it)" if seems else ""
            notes.append(note(name, f"{folder} is in neither half of the official split{why} and is left out; add it to a list."))
    return {name: folder for name, folder in clips.items() if name.casefold() in splits}


def _clips(folders: Sequence[Path], notes: list[Rejection]) -> dict[str, Path]:
    """The folder of pictures of every clip."""
    clips = {}
    for name, folder in each_once(folders, lambda folder: folder.name, notes).items():
        pictures = _pictures(folder)
        if pictures is None:
            notes.append(note(name, f"{folder} holds no pictures; extract it again."))
        else:
            clips[name] = pictures
    return clips


def _pictures(clip: Path) -> Path | None:
    return next((folder for folder in (clip / "images", clip) if holds_pictures(folder)), None)


def read_metadata(file: Path, notes: list[Rejection]) -> dict[str, ClipFacts | None]:
    """What a metadata file says of each clip; None, with a note, where that is unusable: the clip is in its half all the same."""
    clips = read_object(file, "clips by name", notes)
    if not clips and not any(file.name == one.item for one in notes):
        notes.append(note(file.name, f"{file} is empty: which clips it should name is unknown. Extract it again, or remove it."))
    return {name: _facts(name, one, file, notes) for name, one in clips.items()}


def _facts(name: str, told: Any, file: Path, notes: list[Rejection]) -> ClipFacts | None:
    try:
        return ClipFacts.model_validate(told)
    except ValidationError as error:
        fault = error.errors()[0]
        where = ".".join(map(str, fault["loc"])) or "the entry"
        notes.append(note(name, f"{name} in {file} is left out ({where}: {fault['msg']}); mend it."))
        return None
