"""HAWK's published annotations (`annotation_file.py`), and the videos that they mean.

`video` often holds an absolute path of the authors' machine; folders have other names than the data sets they came from, and
videos other names than in those data sets (`ped1/ped1/training/videos/ped1_train_15_video.mp4` is clip `Train/Train015` of UCSD
Ped1). So a video is looked for, among those that were found and nowhere else,

1. as what a data set's reader says that it was published as,
2. by its folders and name, without case and with `-` and `_` alike, folders renamed as in the release,
3. by a file name that is unique.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from hawk_pipelines.schema import Rejection, Split
from hawk_pipelines.sources.annotation_file import read_annotation_file
from hawk_pipelines.sources.reading import FoundVideo, SourceError, note
from hawk_pipelines.sources.tree import is_file

RENAMED = {  # folders in the published paths -> folders of the published videos
    ("shanghaitechdataset",): ("shanghaitech",),
    ("avenue", "avenue"): ("cuhk_avenue",),
    ("ped1", "ped1"): ("ped1",),
    ("ped2", "ped2"): ("ped2",),
}
DATASETS = {  # folders of the published videos -> the data sets' sources
    "ucf_crime": "ucf_crime",
    "shanghaitech": "shanghaitech",
    "cuhk_avenue": "cuhk_avenue",
    "ped1": "ucsd_ped1",
    "ped2": "ucsd_ped2",
    "dota": "dota",
    "ubnormal": "ubnormal",
}


_DRIVE = re.compile(r"^(?:[\\/]{2}[?.][\\/])?[a-z]:(?=[\\/])", re.IGNORECASE)
_ADDRESS = re.compile(r"[^\\/]*:")


class Joined(NamedTuple):
    """Videos with what was published about them, and what could not be joined."""

    videos: list[FoundVideo]
    rejections: list[Rejection]
    matched: int
    """How many of the videos something was published about."""


def join(videos: Sequence[FoundVideo], annotations: Path, setting: str) -> Joined:
    """Give videos their published description, answers and split.

    Args:
        videos: all that were found; names are unique.
        annotations: a JSON file, or the folder of `all_videos_train.json` and `all_videos_test.json`, which are the split.
        setting: the setting that says so.

    Raises:
        SourceError: a file or folder is missing, or a file is no list of annotations.
    """
    index = Index(videos)
    of_datasets = {video.published_as.split("/")[0] for video in videos if video.published_as}
    described: dict[int, FoundVideo] = {}
    notes: list[Rejection] = []
    elsewhere: Counter[str] = Counter()
    for file, split in _files(annotations, setting):
        for item in read_annotation_file(file, notes):
            found = index.find(item.video)
            if isinstance(found, int) and found in described:
                earlier, tested = described[found], ""
                if split == "test" and earlier.split != split:
                    described[found], tested = replace(earlier, split=split, split_by="published"), " It is tested on."
                told = f"{item.what} names {earlier.name}, which an earlier item describes already; remove one.{tested}"
                notes.append(note(item.place, told))
            elif isinstance(found, int):
                known: dict[str, Any] = {"split": split, "split_by": "published"} if split else {}
                described[found] = replace(videos[found], description=item.description, qa=item.qa, **known)
            elif of_datasets and (other := _dataset(_renamed(_parts(item.video)))) not in of_datasets and other:
                elsewhere[other] += 1
            else:
                notes.append(note(item.video, f"{item.what} names {item.video}: {found}"))
    if elsewhere:
        counts = ", ".join(f"{count:,} of {name}" for name, count in sorted(elsewhere.items()))
        notes.append(note(str(annotations), f"Annotations of data sets that are not read were passed over: {counts}."))
    return Joined([described.get(position, video) for position, video in enumerate(videos)], notes, len(described))


def _files(annotations: Path, setting: str) -> list[tuple[Path, Split | None]]:
    """The annotation files, each with the split that it publishes."""
    if not annotations.is_dir():
        if not annotations.is_file():
            msg = f"{annotations} does not exist; set `{setting}` to a JSON file or to a folder of them."
            raise SourceError(msg)
        return [(annotations, None)]
    files: list[tuple[Path, Split | None]] = [(annotations / f"all_videos_{split}.json", split) for split in ("train", "test")]
    missing = [str(file) for file, _ in files if not is_file(file)]
    if missing:
        msg = f"{' and '.join(missing)} not found; set `{setting}` to a JSON file or to the folder of both files."
        raise SourceError(msg)
    return files


class Index:
    """Where in a list of videos a published path is found."""

    def __init__(self, videos: Sequence[FoundVideo]) -> None:
        self.videos = videos
        self.by_publication: dict[str, list[int]] = defaultdict(list)
        self.by_path: dict[tuple[str, ...], list[int]] = defaultdict(list)
        self.by_name: dict[str, list[int]] = defaultdict(list)
        for position, video in enumerate(videos):
            if video.published_as:
                self.by_publication["/".join(_parts(video.published_as))].append(position)
            else:
                parts = _parts(video.name)
                self.by_path[parts].append(position)
                self.by_name[parts[-1]].append(position)

    def find(self, published: str) -> int | str:
        """The video that a published path means, or why there is none.

        A path whose first part holds a colon may be an address (`host:x/a.mp4`), unless that is a drive (`D:`) or a whole match.
        """
        parts = _renamed(_parts(_DRIVE.sub("", published)))
        may_be_address = _ADDRESS.match(_DRIVE.sub("/", published)) is not None
        if not parts:
            return "the path is empty. Name a video file."
        for kind in _publications(parts):
            if kind in self.by_publication and not may_be_address:
                return self._one(self.by_publication[kind])
        with_folder = [parts[k:] for k in range(len(parts)) if len(parts) - k > 1 or len(parts) == 1]
        matching = next((suffix for suffix in with_folder if suffix in self.by_path), parts[-1:])
        if may_be_address and len(matching) < len(parts):
            return "its first part holds a colon, so it may be an address, and only files are read. Mend the path."
        return self._one(self.by_path.get(matching) or self.by_name.get(parts[-1], []))

    def _one(self, candidates: list[int]) -> int | str:
        if len(candidates) == 1:
            return candidates[0]
        if candidates:
            names = ", ".join(sorted(self.videos[position].name for position in candidates)[:3])
            return f"several files could be meant ({names}). Rename them or the item."
        return "there is no such file among the videos. Add the video or remove the item."


def _publications(parts: tuple[str, ...]) -> list[str]:
    """What a reader may have said that the video of a published path was published as, surest first.

    `<source>/<name>` where names are unique in the data set, otherwise `<source>/<train or test>/<number>`.
    """
    source = _dataset(parts)
    if source is None:
        return []
    name = PurePosixPath(parts[-1]).stem.removesuffix("_video")
    half = next((half for part in reversed(parts) for half in ("train", "test") if half in part), None)
    number = re.search(r"[0-9]{1,9}$", name)
    return [f"{source}/{name}"] + ([f"{source}/{half}/{int(number[0])}"] if half and number else [])


def _dataset(parts: tuple[str, ...]) -> str | None:
    """The source of the data set that a published path lies in."""
    return next((DATASETS[part] for part in parts[:-1] if part in DATASETS), None)


def _parts(path: str) -> tuple[str, ...]:
    """Folders and name as they are compared; nothing that climbs out of a root is kept."""
    parts = path.replace("\\", "/").lower().replace("-", "_").split("/")
    return tuple(part for part in parts if part not in ("", ".", ".."))


def _renamed(parts: tuple[str, ...]) -> tuple[str, ...]:
    for old, new in RENAMED.items():
        for k in range(len(parts) - len(old)):
            if parts[k : k + len(old)] == old:
                return parts[:k] + new + parts[k + len(old) :]
    return parts
