"""HAWK's published release: its annotations, and the videos as the authors cut and renamed them.

    Annotation/All_Mix/all_videos_train.json, all_videos_test.json
    Videos/UCF_Crime/videos/Fighting033_x264.mp4

Videos are found as `published.py` says. Those about which nothing was published are left alone.
"""

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from hawk_pipelines.sources.published import join
from hawk_pipelines.sources.reading import FoundVideo, Part, Reading, SourceError, existing_folder
from hawk_pipelines.sources.tree import dataset_folder, is_file, is_video_file, walk
from hawk_pipelines.video.pictures import is_numbered_picture

TITLE = "HAWK's published annotations"
LICENCE = "HAWK's annotations: MIT; each video keeps the terms of the data set that it comes from."
SIGNS = "Annotation/All_Mix/all_videos_train.json"
ANNOTATED = 7852
"""Annotations in the release."""


class Parameters(BaseModel):
    """Where the published annotations and their videos are."""

    model_config = ConfigDict(extra="forbid")

    path: Path = Path("data/01_raw/hawk")
    """The folder of `Annotation` and `Videos`."""
    annotations: Path | None = None
    """Where they lie elsewhere: a JSON file, or the folder of `all_videos_train.json` and `all_videos_test.json`."""
    videos: Path | None = None
    """Where they lie elsewhere."""


def looks_like(folder: Path) -> bool:
    """Whether a folder is where the release begins."""
    return any(is_file(folder / "Annotation" / "All_Mix" / f"all_videos_{split}.json") for split in ("train", "test"))


def read(parameters: Parameters) -> Reading:
    """Find the video of every annotation.

    Raises:
        SourceError: a file or folder is missing, a file is no JSON list, or no item of it is usable.
    """
    root, annotations = parameters.videos, parameters.annotations
    if root is None or annotations is None:
        release = dataset_folder(parameters.path, "ingest.hawk.path", TITLE, looks_like, SIGNS)
        root, annotations = root or release / "Videos", annotations or release / "Annotation" / "All_Mix"
    existing_folder(root, "ingest.hawk.videos")
    found = videos_below(root)
    videos, notes, matched = join(found, annotations, "ingest.hawk.annotations")
    if not matched:
        msg = f"No item of {annotations} has its video below {root}. The first reason: {notes[0].reason}"
        raise SourceError(msg)
    parts = [Part("videos with an annotation", matched, ANNOTATED)]
    return Reading([video for video in videos if video.description is not None], notes, LICENCE, parts)


def videos_below(root: Path) -> list[FoundVideo]:
    """Every video file and folder of pictures below a folder, called by its path in there."""
    found = []
    for folder, files in walk(root):
        places = [folder / name for name in files if is_video_file(folder / name)]
        if folder != root and any(map(is_numbered_picture, files)):
            places.append(folder)
        found += [FoundVideo(path, path.relative_to(root).as_posix()) for path in places]
    return found
