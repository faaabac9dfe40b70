"""DoTA, Detection of Traffic Anomaly (Yao et al., TPAMI 2022): 4,677 clips of dashboard cameras, 10 frames a second.

    frames/<clip>/images/000000.jpg          or <clip>/000000.jpg, as the authors' script writes them
    metadata_train.json, metadata_val.json   here or one folder deeper: {clip: {anomaly_start, anomaly_end, anomaly_class, …}}
    train_split.txt, val_split.txt           the official split; the validation half is what everyone tests on
    annotations/<clip>.json                  the same of one clip, read where the metadata are not there

Every clip holds an accident; its class is the label (`ego: turning`, `other: pedestrian`). `anomaly_start` is its first frame,
`anomaly_end` is taken for the first frame after it. The boxes of objects are not read.

A clip's name begins with the video that it comes from, but these are compilations of accidents that have nothing to do with each
other, and nearly all of them are on both sides of the official split. So a clip counts as a source video of its own.
"""

import re
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from hawk_pipelines.schema import Rejection, Split
from hawk_pipelines.sources.reading import FoundVideo, Part, Reading, SourceError, note
from hawk_pipelines.sources.text_files import Listed, note_absent, read_json, read_list
from hawk_pipelines.sources.tree import dataset_folder, files_near, folders_in, holds_pictures

TITLE = "DoTA"
LICENCE = "DoTA: annotations MIT; the videos are of YouTube and belong to those who put them there."
SIGNS = "frames/0RJPQ_97dcs_000199/images/000000.jpg, metadata_train.json"
PICTURES_FPS = 10.0
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

    anomaly_start: int
    anomaly_end: int
    anomaly_class: str
    num_frames: int


def looks_like(folder: Path) -> bool:
    """Whether clips or metadata are in it, at once or one folder deeper."""
    named = [clip for place in (folder, folder / "frames") for clip in folders_in(place) if _CLIP.fullmatch(clip.name)]
    return any(map(_pictures, named)) or bool(files_near(folder, r"metadata_(train|val)\.json"))


def read(parameters: Parameters) -> Reading:
    """Find the clips, the class and time of each accident, and the official split.

    Raises:
        SourceError: the folder is missing or holds something else.
    """
    root = dataset_folder(parameters.path, "ingest.dota.path", TITLE, looks_like, SIGNS)
    notes: list[Rejection] = []
    clips = _clips(root, notes)
    facts: dict[str, ClipFacts] = {}
    splits: dict[str, Split] = {}
    files = 0
    for half, split in _SPLITS.items():
        for file in files_near(root, rf"metadata_{half}\.json")[:1]:
            files += 1
            told = read_metadata(file, notes)
            note_absent(Listed(file, list(told)), clips, root, notes)
            facts |= {name: one for name, one in told.items() if name not in facts}
            splits |= dict.fromkeys(told, split)
    for half, split in _SPLITS.items():
        for file in files_near(root, rf"{half}_split\.txt")[:1]:
            listed = read_list(file, notes)
            note_absent(listed, clips, root, notes)
            splits |= dict.fromkeys(listed.names, split)
    alone = {file.stem: file for file in files_near(root / "annotations", r".*\.json")}
    videos = []
    for name, folder in clips.items():
        known = facts.get(name) or (_facts(name, _read(alone[name], notes), alone[name], notes) if name in alone else None)
        if known is None:
            notes.append(note(name, f"No metadata say what happens in {folder}; add metadata_train.json and metadata_val.json."))
        videos.append(
            FoundVideo(
                folder, folder.relative_to(root).as_posix(), label=known.anomaly_class if known else None,
                frame_spans=[(known.anomaly_start, known.anomaly_end)] if known else [],
                label_frames=known.num_frames if known else None, pictures_fps=PICTURES_FPS, split=splits.get(name),
                split_by="official", published_as=f"dota/{name.casefold()}",
            )
        )  # fmt: skip
    counts = {split: sum(video.split == split for video in videos) for split in _SIZES}
    parts = [
        Part("training clips", counts["train"], _SIZES["train"]),
        Part("test clips (the official validation half)", counts["test"], _SIZES["test"]),
        Part("clips in the metadata", len(facts), sum(_SIZES.values())),
        Part("clips with an annotation of their own", len(alone), sum(_SIZES.values()), optional=True),
    ]
    return Reading(videos, notes, LICENCE, parts)


def _clips(root: Path, notes: list[Rejection]) -> dict[str, Path]:
    """The folder of pictures of every clip."""
    clips = {}
    for folder in folders_in(root / "frames" if (root / "frames").is_dir() else root):
        if not _CLIP.fullmatch(folder.name):
            continue
        pictures = _pictures(folder)
        if pictures is None:
            notes.append(note(folder.name, f"{folder} holds no pictures; extract it again."))
        else:
            clips[folder.name] = pictures
    return clips


def _pictures(clip: Path) -> Path | None:
    return next((folder for folder in (clip / "images", clip) if holds_pictures(folder)), None)


def read_metadata(file: Path, notes: list[Rejection]) -> dict[str, ClipFacts]:
    """What a metadata file says of each clip. What is unusable is noted and left out."""
    told = _read(file, notes)
    if not isinstance(told, dict):
        if told is not None:
            notes.append(note(file.name, f"{file} holds a {type(told).__name__} instead of clips by name; replace the file."))
        return {}
    read = {name: _facts(name, one, file, notes) for name, one in told.items()}
    return {name: one for name, one in read.items() if one}


def _read(file: Path, notes: list[Rejection]) -> Any:
    try:
        return read_json(file, notes)
    except SourceError as error:
        notes.append(note(file.name, f"{error} Until then it is left out."))
        return None


def _facts(name: str, told: Any, file: Path, notes: list[Rejection]) -> ClipFacts | None:
    if told is None:
        return None
    try:
        return ClipFacts.model_validate(told)
    except ValidationError as error:
        fault = error.errors()[0]
        where = ".".join(map(str, fault["loc"])) or "the entry"
        notes.append(note(name, f"{name} in {file} is left out ({where}: {fault['msg']}); mend it."))
        return None
