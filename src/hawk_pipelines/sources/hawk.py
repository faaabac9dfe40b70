"""The published annotations of HAWK: a JSON list of `{"video", "description", "QA": [{"q", "a"}, …]}`.

`video` often holds an absolute path of the authors' machine, and folders have other names than the data sets they came from.
A video is looked for below the configured root only, by its folders and name, then by a file name that is unique there; names
are compared without case and with `-` and `_` alike.
"""

import json
import os
from collections import defaultdict
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from hawk_pipelines.schema import QA, Rejection, Split
from hawk_pipelines.sources.reading import FoundVideo, Reading, SourceError, existing_folder
from hawk_pipelines.video.pictures import is_numbered_picture

RENAMED = {  # folders in the published paths -> folders of the published videos
    ("shanghaitechdataset",): ("shanghaitech",),
    ("avenue", "avenue"): ("cuhk_avenue",),
    ("ped1", "ped1"): ("ped1",),
    ("ped2", "ped2"): ("ped2",),
}


class HawkParameters(BaseModel):
    """Where the published annotations and their videos are."""

    model_config = ConfigDict(extra="forbid")

    annotations: Path = Path("data/01_raw/hawk/annotations")
    """A JSON file, or the folder of `all_videos_train.json` and `all_videos_test.json`."""
    videos: Path = Path("data/01_raw/hawk/videos")


class _Item(BaseModel):
    model_config = ConfigDict(extra="ignore")

    video: str
    description: str
    QA: list[QA]


def read(parameters: HawkParameters) -> Reading:
    """Find the video of every annotation.

    Raises:
        SourceError: a file or folder is missing, a file is no JSON list, or no item of it is usable.
    """
    root = existing_folder(parameters.videos, "ingest.hawk.videos")
    index = _Index(root)
    videos: dict[str, FoundVideo] = {}
    rejections = []

    def reject(item: str, reason: str) -> None:
        rejections.append(Rejection(step="ingest", item=item, reason=reason))

    for file, split in _files(parameters.annotations):
        for number, raw in enumerate(_load(file)):
            place = f"{file.name}[{number}]"
            try:
                item = _Item.model_validate(raw)
            except ValidationError as error:
                first = error.errors()[0]
                field = ".".join(map(str, first["loc"])) or "the item"
                reject(
                    place,
                    f"Item {number} of {file} was left out: {field}: {first['msg']}. Mend the item and run again.",
                )
                continue
            found = index.find(item.video)
            if isinstance(found, str):
                reject(item.video, f"Item {number} of {file} names {item.video}: {found}")
            elif found.name in videos:
                reject(
                    place,
                    f"Item {number} of {file} names {found.name}, which an earlier item describes already; remove one.",
                )
            else:
                videos[found.name] = FoundVideo(found.path, found.name, split=split, description=item.description, qa=item.QA)
    if not videos:
        msg = f"No item of {parameters.annotations} has its video below {root}. The first reason: {rejections[0].reason}"
        raise SourceError(msg)
    return Reading(list(videos.values()), rejections)


def _files(annotations: Path) -> list[tuple[Path, Split | None]]:
    """The annotation files, each with the split that it publishes."""
    if not annotations.is_dir():
        if not annotations.is_file():
            msg = f"{annotations} does not exist; set `ingest.hawk.annotations` to a JSON file or to a folder of them."
            raise SourceError(msg)
        return [(annotations, None)]
    files: list[tuple[Path, Split | None]] = [(annotations / f"all_videos_{split}.json", split) for split in ("train", "test")]
    missing = [str(file) for file, _ in files if not file.is_file()]
    if missing:
        msg = f"{' and '.join(missing)} not found; set `ingest.hawk.annotations` to a JSON file or to the folder of both files."
        raise SourceError(msg)
    return files


def _load(file: Path) -> list:
    try:
        items = json.loads(file.read_text(encoding="utf-8-sig"))
    except (ValueError, RecursionError) as error:  # no UTF-8, no JSON, numbers or nesting without end
        msg = f"{file} is not JSON ({error}); mend or replace the file."
        raise SourceError(msg) from error
    if not isinstance(items, list) or not items:
        what = "an empty list" if items == [] else f"a {type(items).__name__}"
        msg = f"{file} holds {what}, but a list of annotations is needed; mend or replace the file."
        raise SourceError(msg)
    return items


class _Found(BaseModel):
    path: Path
    name: str


class _Index:
    """Every file and every folder of pictures below a root, by its folders and name."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.by_path: dict[tuple[str, ...], list[str]] = defaultdict(list)
        self.by_name: dict[str, list[str]] = defaultdict(list)
        for folder, _, files in os.walk(root):
            for file in files:
                self._add(Path(folder) / file)
            if Path(folder) != root and any(is_numbered_picture(file) for file in files):
                self._add(Path(folder))

    def _add(self, path: Path) -> None:
        name = path.relative_to(self.root).as_posix()
        parts = _parts(name)
        self.by_path[parts].append(name)
        self.by_name[parts[-1]].append(name)

    def find(self, published: str) -> _Found | str:
        """The file that a published path means, or why there is none."""
        parts = _renamed(_parts(published))
        if not parts:
            return "the path is empty. Name a video file."
        with_folder = [parts[k:] for k in range(len(parts)) if len(parts) - k > 1 or len(parts) == 1]
        candidates = next((self.by_path[suffix] for suffix in with_folder if suffix in self.by_path), None)
        candidates = candidates or self.by_name.get(parts[-1], [])
        if len(candidates) == 1:
            return _Found(path=self.root / candidates[0], name=candidates[0])
        if candidates:
            return f"several files could be meant ({', '.join(sorted(candidates)[:3])}). Rename them or the item."
        return f"there is no such file below {self.root}. Add the video or remove the item."


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
