"""CUHK Avenue (Lu, Shi and Jia, ICCV 2013): 16 normal training videos and 21 test videos of one camera.

    Avenue Dataset/training_videos/01.avi
    Avenue Dataset/testing_videos/01.avi
    ground_truth_demo/testing_label_mask/1_label.mat     `volLabel`: a row of masks, one a frame

Both archives belong into one folder. `training_vol` and `testing_vol` hold the videos once more, smaller and grey; they are not
read. What kind of anomaly it is, the data set does not say.
"""

import re
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from hawk_pipelines.schema import Rejection
from hawk_pipelines.sources.reading import FoundVideo, Part, Reading, note
from hawk_pipelines.sources.tree import dataset_folder, files_in, files_named, folders_in, holds_pictures, is_video_file

TITLE = "CUHK Avenue"
LICENCE = "CUHK Avenue: offered for research; we know of no stated licence, so ask its authors about other uses."
SIGNS = "Avenue Dataset/testing_videos/01.avi and ground_truth_demo/testing_label_mask"
_MASKS = r"[0-9]{1,6}_label\.mat"
_HALVES = {"training_videos": "train", "testing_videos": "test"}


class Parameters(BaseModel):
    """Where the data set is."""

    model_config = ConfigDict(extra="forbid")

    path: Path = Path("data/01_raw/cuhk_avenue")
    """The folder of both archives."""


def looks_like(folder: Path) -> bool:
    """Whether one of the halves or the masks is in it, at once or in `Avenue Dataset` or `ground_truth_demo`."""
    for place in (folder, folder / "Avenue Dataset", folder / "ground_truth_demo"):
        if any(is_video_file(file) and file.stem.isdecimal() for half in _HALVES for file in files_in(place / half)):
            return True
        if any(re.fullmatch(_MASKS, file.name, re.IGNORECASE) for file in files_in(place / "testing_label_mask")):
            return True
    return False


def read(parameters: Parameters) -> Reading:
    """Find both halves, and the masks of every test video.

    Raises:
        SourceError: the folder is missing or holds something else.
    """
    root = dataset_folder(parameters.path, "ingest.cuhk_avenue.path", TITLE, looks_like, SIGNS)
    notes: list[Rejection] = []
    masks = {int(re.sub("[^0-9]", "", file.stem)): file for file in files_named(root, _MASKS)}
    videos: list[FoundVideo] = []
    base = root / "Avenue Dataset" if (root / "Avenue Dataset").is_dir() else root
    for half, split in _HALVES.items():
        for number, path in _numbered(base / half, notes).items():
            mask = masks.get(number) if split == "test" else None
            if split == "test" and mask is None:
                reason = f"{path} has no labels ({number}_label.mat): whether it is normal is unknown; extract them too."
                notes.append(note(path.name, reason))
            videos.append(
                FoundVideo(
                    path, path.relative_to(root).as_posix(), label="normal" if split == "train" else None, masks=mask,
                    split="train" if split == "train" else "test", split_by="official",
                    published_as=f"cuhk_avenue/{split}/{number}",
                )
            )  # fmt: skip
    tested = [video for video in videos if video.split == "test"]
    used = {video.masks for video in tested}
    notes += [
        note(file.name, f"{file} labels a video that is not there; extract it, or go on without it.")
        for file in masks.values()
        if file not in used
    ]
    parts = [
        Part("training videos", len(videos) - len(tested), 16),
        Part("test videos", len(tested), 21),
        Part("files of masks", len(masks), 21),
    ]
    return Reading(videos, notes, LICENCE, parts)


def _numbered(half: Path, notes: list[Rejection]) -> dict[int, Path]:
    found: dict[int, Path] = {}
    for path in [path for path in files_in(half) if is_video_file(path)] + [
        path for path in folders_in(half) if holds_pictures(path)
    ]:
        if not path.stem.isdecimal():
            notes.append(note(path.name, f"{path} is not named like a video of {TITLE} (01.avi) and is left out; rename it."))
        elif int(path.stem) in found:
            notes.append(note(path.name, f"{path} has the same number as {found[int(path.stem)]}, which is used; remove one."))
        else:
            found[int(path.stem)] = path
    return found
