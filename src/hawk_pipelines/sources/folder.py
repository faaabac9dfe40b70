"""Any directory of videos: files, and folders of numbered pictures.

A file `captions.csv` in it, where there is one, says what happens in them. Its columns are `video` (path inside the directory)
and, each optional: `start_s`, `end_s`, `caption`, `label` (the class of the anomaly, or "normal"), `split` ("train" or "test")
and `group` (the source video that it was cut from: a group is never on both sides of the split). One row a caption. `start_s`
and `end_s` of a row with a label other than "normal" also say where the anomaly is.
"""

import csv
from pathlib import Path, PurePosixPath

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from hawk_pipelines.schema import Rejection, Span, Split
from hawk_pipelines.sources.reading import FoundVideo, Reading, SourceError, TimedText, existing_folder
from hawk_pipelines.sources.text_files import open_text
from hawk_pipelines.sources.tree import VIDEO_EXTENSIONS, is_video_file, walk
from hawk_pipelines.video.pictures import is_numbered_picture

COLUMNS = {"video", "start_s", "end_s", "caption", "label", "split", "group"}


class Parameters(BaseModel):
    """Where the videos are."""

    model_config = ConfigDict(extra="forbid")

    path: Path = Path("data/01_raw/videos")
    licence: str | None = None
    """Under which terms you may use them; shown at each ingest and kept with every video."""


def read(parameters: Parameters) -> Reading:
    """Find every video below the directory.

    Raises:
        SourceError: the directory is missing or holds no video, or `captions.csv` is not the table it should be.
    """
    root = existing_folder(parameters.path, "ingest.folder.path")
    paths = _videos_below(root)
    if not paths:
        kinds = ", ".join(sorted(VIDEO_EXTENSIONS))
        msg = f"{root} holds no video file ({kinds}) and no folder of numbered pictures; "
        msg += "put videos there or set `ingest.folder.path`."
        raise SourceError(msg)
    rows, rejections = _captions(root / "captions.csv")
    videos = []
    for path in paths:
        name = path.relative_to(root).as_posix()
        videos.append(_video(path, name, rows.pop(name, [])))
    for name, unused in rows.items():
        reason = f"captions.csv has {len(unused)} row(s) about {name}, which is not in {root}; add the video or remove the rows."
        rejections.append(Rejection(step="ingest", item=name, reason=reason))
    return Reading(videos, rejections, parameters.licence)


def _videos_below(root: Path) -> list[Path]:
    """Files whose name ends like a video's, and folders that hold numbered pictures or are named like a video."""
    paths = []
    for folder, files in walk(root):
        if folder != root and (is_video_file(folder) or any(map(is_numbered_picture, files))):
            paths.append(folder)
        paths += [folder / name for name in files if is_video_file(folder / name)]
    return sorted(paths)


class _Row(BaseModel):
    video: str
    start_s: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    end_s: float | None = Field(default=None, allow_inf_nan=False)
    caption: str = ""
    label: str | None = None
    split: Split | None = None
    group: str | None = None

    @model_validator(mode="after")
    def _forwards(self) -> "_Row":
        if self.end_s is not None and self.end_s <= self.start_s:
            msg = f"it ends at {self.end_s} s, not after its start at {self.start_s} s"
            raise ValueError(msg)
        return self


def _captions(path: Path) -> tuple[dict[str, list[_Row]], list[Rejection]]:
    if not path.is_file():
        return {}, []
    try:
        with open_text(path) as file:
            reader = csv.DictReader(file)
            lines = list(reader)
            columns = reader.fieldnames or []
    except csv.Error as error:
        msg = f"{path} is no table ({error}); save it as CSV with the encoding UTF-8."
        raise SourceError(msg) from error
    if "video" not in columns or set(columns) - COLUMNS:
        needed = f"`video` is needed and only {sorted(COLUMNS)} are known"
        msg = f"{path} has the columns {columns}, but {needed}; rename them."
        raise SourceError(msg)
    rows: dict[str, list[_Row]] = {}
    rejections = []
    for number, cells in enumerate(lines, start=2):
        try:
            row = _Row.model_validate({key: value.strip() for key, value in cells.items() if key and value and value.strip()})
        except ValidationError as error:
            fault = error.errors()[0]
            what = f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}".removeprefix(": ")
            reason = f"Line {number} of {path} was left out ({what}); mend the line."
            rejections.append(Rejection(step="ingest", item=f"{path.name}:{number}", reason=reason))
            continue
        rows.setdefault(PurePosixPath(row.video.replace("\\", "/")).as_posix(), []).append(row)
    return rows, rejections


def _video(path: Path, name: str, rows: list[_Row]) -> FoundVideo:
    labels = ["normal" if row.label.casefold() == "normal" else row.label for row in rows if row.label]
    label = next((label for label in labels if label != "normal"), labels[0] if labels else None)
    spans = [
        Span(start_s=row.start_s, end_s=row.end_s)
        for row in rows
        if row.end_s is not None and row.label and row.label.casefold() != "normal"
    ]
    captions = [TimedText(row.start_s, row.end_s, row.caption) for row in rows if row.caption]
    split = next((row.split for row in rows if row.split), None)
    group = next((row.group for row in rows if row.group), None)
    return FoundVideo(path, name, label=label, spans=spans, split=split, group=group, captions=captions)
