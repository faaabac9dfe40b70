"""ShanghaiTech Campus (Liu et al., CVPR 2018): 330 normal training videos and 107 test clips of 13 cameras.

    training/videos/01_001.avi               camera 01, video 001 (or training/frames/01_001/, where somebody extracted them)
    testing/frames/01_0014/000.jpg           camera 01, test clip 0014
    testing/test_frame_mask/01_0014.npy      a label for every frame: 1 is an anomaly
    testing/test_pixel_mask/01_0014.npy      masks [T, H, W], read where the labels of frames are not there or cannot be read

What kind of anomaly it is, the data set does not say.
"""

import re
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from hawk_pipelines.schema import Rejection
from hawk_pipelines.sources.reading import FoundVideo, Part, Reading, each_once, note
from hawk_pipelines.sources.tree import dataset_folder, files_in, folders_in, holds_pictures, is_video_file

TITLE = "ShanghaiTech Campus"
LICENCE = "ShanghaiTech Campus: offered for research; we know of no stated licence, so ask its authors about other uses."
SIGNS = "training/videos/01_001.avi, testing/frames/01_0014"
_NAME = re.compile(r"[0-9]{2}_[0-9]{3,4}")
_MASKS = ("test_frame_mask", "test_pixel_mask")


class Parameters(BaseModel):
    """Where the data set is."""

    model_config = ConfigDict(extra="forbid")

    path: Path = Path("data/01_raw/shanghaitech")
    pictures_fps: float = Field(default=24.0, gt=0)
    """Frames a second of the test clips, which are pictures: that of the training videos."""


def looks_like(folder: Path) -> bool:
    """Whether clips or masks named as in this data set are in it."""
    places = [folder / half / kind for half in ("training", "testing") for kind in ("videos", "frames", *_MASKS)]
    return any(_NAME.fullmatch(path.stem) for place in places for path in (*folders_in(place), *files_in(place)))


def read(parameters: Parameters) -> Reading:
    """Find both halves, and a mask for every test clip.

    Raises:
        SourceError: the folder is missing or holds something else.
    """
    root = dataset_folder(parameters.path, "ingest.shanghaitech.path", TITLE, looks_like, SIGNS)
    notes: list[Rejection] = []
    trained = _clips(root / "training", "videos", "frames", notes)
    tested = _clips(root / "testing", "frames", "videos", notes)
    masks = {kind: {file.stem: file for file in files_in(root / "testing" / kind) if file.suffix == ".npy"} for kind in _MASKS}
    videos = [
        FoundVideo(
            path, path.relative_to(root).as_posix(), label="normal", split="train", split_by="official",
            pictures_fps=parameters.pictures_fps, published_as=f"shanghaitech/{name}",
        )
        for name, path in trained.items()
    ]  # fmt: skip
    for name, path in tested.items():
        masks_of = tuple(masks[kind][name] for kind in _MASKS if name in masks[kind])
        if not masks_of:
            reason = f"{path} has no labels ({_MASKS[0]}/{name}.npy): whether it is normal is unknown; extract them too."
            notes.append(note(name, reason))
        videos.append(
            FoundVideo(
                path, path.relative_to(root).as_posix(), masks=masks_of, split="test", split_by="official",
                pictures_fps=parameters.pictures_fps, published_as=f"shanghaitech/{name}",
            )
        )  # fmt: skip
    labelled = set(masks["test_frame_mask"]) | set(masks["test_pixel_mask"])
    notes += [
        note(name, f"{root / 'testing'} has labels of {name}, but not the clip; extract it, or go on without it.")
        for name in sorted(labelled - set(tested))
    ]
    parts = [
        Part("training videos", len(trained), 330),
        Part("test clips", len(tested), 107),
        Part("labels of frames", len(masks["test_frame_mask"]), 107),
        Part("masks of pixels", len(masks["test_pixel_mask"]), 107, optional=True),
    ]
    return Reading(videos, notes, LICENCE, parts)


def _clips(half: Path, first: str, second: str, notes: list[Rejection]) -> dict[str, Path]:
    """Clips by name: files in `videos`, folders of pictures in `frames`. A clip that is in both is taken from the first."""
    clips: dict[str, Path] = {}
    for kind in (first, second):
        paths = []
        for path in [*filter(is_video_file, files_in(half / kind)), *folders_in(half / kind)]:
            if not _NAME.fullmatch(path.stem):
                notes.append(note(path.name, f"{path} is not named like a clip of {TITLE} and is left out; rename or remove it."))
            elif path.is_dir() and not holds_pictures(path):
                notes.append(note(path.name, f"{path} holds no pictures; extract it again."))
            else:
                paths.append(path)
        clips = each_once(paths, lambda path: path.stem, notes) | clips
    return clips
