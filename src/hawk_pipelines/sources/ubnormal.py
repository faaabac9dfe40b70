"""UBnormal (Acsintoae et al., CVPR 2022): 543 rendered videos of 29 scenes, half of them with anomalies.

    Scene1/abnormal_scene_1_scenario_1.mp4
    Scene1/abnormal_scene_1_scenario_1_annotations/abnormal_scene_1_scenario_1_tracks.txt    `object,first,last` a line
    Scene1/abnormal_scene_1_scenario_1_annotations/…_0000_gt.png                             which object each pixel shows
    scripts/abnormal_training_video_names.txt                                                six lists: the official split

The anomaly is where any of its tracks is; `last` is taken as still in it. Of the object maps only number and size are looked at.
What kind of anomaly it is, the data set does not say. Some scenarios were rendered twice, plain and with fog, fire or smoke, and
some of these pairs are on both sides of the official split: they count as one source video.
"""

import re
from collections import Counter
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from hawk_pipelines.schema import ANOMALY, Rejection, Split
from hawk_pipelines.sources.frame_labels import merged, picture_size
from hawk_pipelines.sources.reading import FoundVideo, Part, Reading, SourceError, each_once, note, note_others, some
from hawk_pipelines.sources.text_files import read_lines, read_splits
from hawk_pipelines.sources.tree import dataset_folder, files_in, files_named, folders_in, is_file, is_video_file, walk

TITLE = "UBnormal"
LICENCE = "UBnormal: CC BY-NC-ND 4.0 (not for commerce; nothing made from it may be passed on)."
SIGNS = "Scene1/abnormal_scene_1_scenario_1.mp4, abnormal_test_video_names.txt"
_NAME = re.compile(r"(ab)?normal_scene_[0-9]+_scenario.*")
_ANNOTATIONS = re.compile(r"(ab)?normal_scene_.*_annotations")
_LIST = r"(abnormal|normal)_(training|validation|test)_video_names\.txt"
_SPLITS: dict[str, Split] = {"training": "train", "validation": "validation", "test": "test"}
_SIZES: dict[Split, int] = {"train": 268, "validation": 64, "test": 211}


class Parameters(BaseModel):
    """Where the data set is."""

    model_config = ConfigDict(extra="forbid")

    path: Path = Path("data/01_raw/ubnormal")


def looks_like(folder: Path) -> bool:
    """Whether its scenes or its lists are in it, at once or one folder deeper."""
    scenes = [path for path in folders_in(folder) if re.fullmatch("Scene[0-9]+", path.name, re.IGNORECASE)]
    if any(_is_video(path) for scene in scenes for path in files_in(scene)):
        return True
    return any(files_named(files_in(place), _LIST) for place in (folder, *folders_in(folder)))


def read(parameters: Parameters) -> Reading:
    """Find the videos, the times of anomalies, and the official split.

    Raises:
        SourceError: the folder is missing or holds something else.
    """
    root = dataset_folder(parameters.path, "ingest.ubnormal.path", TITLE, looks_like, SIGNS, together=True)
    notes: list[Rejection] = []
    files = [folder / name for folder, names in walk(root, closed=_ANNOTATIONS) for name in names]
    note_others([path for path in files if is_video_file(path) and not _is_video(path)], TITLE, notes)
    paths = each_once(filter(_is_video, files), lambda path: path.stem, notes)
    lists = files_named(files, _LIST)
    of_split: dict[Split, list[Path]] = {
        split: [file for file in lists if f"_{word}_" in file.name.casefold()] for word, split in _SPLITS.items()
    }
    splits, doubtful, _ = read_splits(of_split, paths, root, notes)
    videos, untracked = [], []
    for name, path in paths.items():
        if lists and name.casefold() not in splits:
            seems = doubtful.get(name.casefold())
            why = f" ({seems}, which seems to mean it)" if seems else ""
            how = "mend the line" if seems else "add the list that names it"
            notes.append(note(name, f"{path} is in none of the official lists{why} and is left out; {how}."))
            continue
        abnormal = name.startswith("abnormal")
        annotations = path.with_name(f"{name}_annotations")
        tracks = annotations / f"{name}_tracks.txt"
        spans = read_tracks(tracks, notes) if is_file(tracks) else []
        if spans and not abnormal:
            notes.append(note(name, f"{tracks} gives times of an anomaly in a normal video; mend or remove it."))
        if abnormal and not spans:
            untracked.append(name)
        maps = [file for file in files_in(annotations) if file.name.endswith("_gt.png")]
        videos.append(
            FoundVideo(
                path, path.relative_to(root).as_posix(), label=ANOMALY if abnormal else "normal", frame_spans=spans,
                label_frames=len(maps) or None, label_size=picture_size(maps[0]) if maps else None,
                split=splits.get(name.casefold()), split_by="official", group=re.sub("_(fog|fire|smoke)$", "", name),
                published_as=f"ubnormal/{name}",
            )
        )  # fmt: skip
    if untracked:
        what = f"{len(untracked):,} abnormal video(s) have no tracks ({some(untracked)})"
        notes.append(note(untracked[0], f"{what}: when their anomalies are, is unknown; extract their `_tracks.txt`."))
    counts = Counter(video.split for video in videos)
    tracked = sum(bool(video.frame_spans) for video in videos)
    parts = [Part(f"{split} videos", counts[split], size) for split, size in _SIZES.items()]
    parts += [Part("official lists", len(lists), 6), Part("abnormal videos with tracks", tracked, 278)]
    return Reading(videos, notes, LICENCE, parts)


def _is_video(path: Path) -> bool:
    return is_video_file(path) and _NAME.fullmatch(path.stem) is not None


def read_tracks(path: Path, notes: list[Rejection]) -> list[tuple[int, int]]:
    """The spans of frames in which an abnormal object is seen, without overlap. What is unusable is noted and left out."""
    try:
        lines = read_lines(path)
    except SourceError as error:
        notes.append(note(path.name, f"{error} Until then it is left out."))
        return []
    spans = []
    for line in lines:
        cells = line.split(",")
        if len(cells) != 3 or not all(re.fullmatch(r"\s*-?[0-9]{1,9}(\.0*)?\s*", cell) for cell in cells):
            notes.append(note(path.name, f"{path} has the line {line!r} instead of object, first and last frame; mend it."))
            continue
        _, first, last = (int(float(cell)) for cell in cells)
        if first < 0 or last < first:
            notes.append(note(path.name, f"{path} has a track from frame {first} to {last}; mend the line."))
            continue
        spans.append((first, last + 1))
    return merged(spans)
