"""CUHK Avenue (Lu, Shi and Jia, ICCV 2013): 16 normal training videos and 21 test videos of one camera.

    Avenue Dataset/training_videos/01.avi
    Avenue Dataset/testing_videos/01.avi
    ground_truth_demo/testing_label_mask/1_label.mat     `volLabel`: a row of masks, one a frame

Both archives belong below one folder. `training_vol` and `testing_vol` hold the videos once more, smaller and grey; they are not
read. What kind of anomaly it is, the data set does not say.
"""

from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from hawk_pipelines.schema import Rejection, Split
from hawk_pipelines.sources.reading import FoundVideo, Part, Reading, each_once, note
from hawk_pipelines.sources.tree import dataset_folder, files_in, files_named, folders_in, holds_pictures, is_video_file, walk

TITLE = "CUHK Avenue"
LICENCE = "CUHK Avenue: offered for research; we know of no stated licence, so ask its authors about other uses."
SIGNS = "Avenue Dataset/testing_videos/01.avi and ground_truth_demo/testing_label_mask"
_MASKS = r"[0-9]{1,6}_label\.mat"
_MASKS_FOLDER = "testing_label_mask"
_HALVES: dict[str, Split] = {"training_videos": "train", "testing_videos": "test"}


class Parameters(BaseModel):
    """Where the data set is."""

    model_config = ConfigDict(extra="forbid")

    path: Path = Path("data/01_raw/cuhk_avenue")
    """The folder of both archives."""


def looks_like(folder: Path) -> bool:
    """Whether one of the halves or the masks is in it, at once or one folder deeper."""
    for place in (folder, *folders_in(folder)):
        for inside in folders_in(place):
            if inside.name.casefold() in _HALVES and any(
                is_video_file(file) and file.stem.isdecimal() for file in files_in(inside)
            ):
                return True
            if inside.name.casefold() == _MASKS_FOLDER and files_named(files_in(inside), _MASKS):
                return True
    return False


def read(parameters: Parameters) -> Reading:
    """Find both halves, and the masks of every test video.

    Raises:
        SourceError: the folder is missing or holds something else.
    """
    root = dataset_folder(parameters.path, "ingest.cuhk_avenue.path", TITLE, looks_like, SIGNS, together=True)
    notes: list[Rejection] = []
    halves: dict[str, list[Path]] = {half: [] for half in _HALVES}
    masks_files: list[Path] = []
    for folder, names in walk(root):
        files = [folder / name for name in names]
        masks_files += files_named(files, _MASKS)
        if folder.name.casefold() in _HALVES:
            pictures = [inside for inside in folders_in(folder) if holds_pictures(inside)]
            halves[folder.name.casefold()] += [*filter(is_video_file, files), *pictures]
    masks = each_once(masks_files, lambda file: int(file.stem.partition("_")[0]), notes)
    videos: list[FoundVideo] = []
    for half, split in _HALVES.items():
        for number, path in _numbered(halves[half], notes).items():
            mask = masks.get(number) if split == "test" else None
            if split == "test" and mask is None:
                reason = f"{path} has no labels ({number}_label.mat): whether it is normal is unknown; extract them too."
                notes.append(note(path.name, reason))
            videos.append(
                FoundVideo(
                    path, path.relative_to(root).as_posix(), label="normal" if split == "train" else None,
                    masks=(mask,) if mask else (), split=split, split_by="official",
                    published_as=f"cuhk_avenue/{split}/{number}",
                )
            )  # fmt: skip
    tested = [video for video in videos if video.split == "test"]
    used = {mask for video in tested for mask in video.masks}
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


def _numbered(paths: Sequence[Path], notes: list[Rejection]) -> dict[int, Path]:
    notes += [
        note(path.name, f"{path} is not named like a video of {TITLE} (01.avi) and is left out; rename it.")
        for path in paths
        if not path.stem.isdecimal()
    ]
    return each_once([path for path in paths if path.stem.isdecimal()], lambda path: int(path.stem), notes)
