"""Rendering what is missing, and saying what is in each video."""

import hashlib
import json
import logging
from functools import partial
from pathlib import Path

from hawk_pipelines.engine.processes import Failure, Limits, spread
from hawk_pipelines.engine.whole_files import whole_file
from hawk_pipelines.machine_faults import writing
from hawk_pipelines.sources.reading import FoundVideo, Reading, SourceError
from hawk_pipelines.sources.synthetic.drawing import draw
from hawk_pipelines.sources.synthetic.parameters import SyntheticParameters, seeded
from hawk_pipelines.sources.synthetic.script import write_script
from hawk_pipelines.video.encode import write_h264

logger = logging.getLogger(__name__)

VERSION = 1
"""Raised whenever the same parameters render other videos."""


def read(parameters: SyntheticParameters, seed: int, workers: int) -> Reading:
    """Render the videos that are not there yet, and say what is in each of them."""
    folder = parameters.folder / f"{parameters.world}_{_hash(parameters, seed)}"
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    counts = {"train": parameters.train_videos, "test": parameters.test_videos}
    names = [(split, index) for split, count in counts.items() for index in range(count)]
    missing = [name for name in names if not _path(folder, *name).is_file()]
    try:
        for position, result in spread(partial(_render, parameters, seed, folder), missing, Limits(workers), "render"):
            if isinstance(result, Failure):
                msg = f"Video {missing[position]} could not be rendered. {result.reason}"
                raise SourceError(msg)
    finally:
        for unfinished in folder.glob("*.part"):  # of workers that were ended
            unfinished.unlink(missing_ok=True)
    logger.info("render: %d done, %d reused.", len(missing), len(names) - len(missing))
    return Reading([_found(parameters, seed, folder, *name) for name in names], [])


def _hash(parameters: SyntheticParameters, seed: int) -> str:
    settings = parameters.model_dump(mode="json", exclude={"folder", "train_videos", "test_videos", "world"})
    return hashlib.sha256(json.dumps([VERSION, seed, settings], sort_keys=True).encode()).hexdigest()[:8]


def _path(folder: Path, split: str, index: int) -> Path:
    return folder / f"{split}_{index:05d}.mp4"


def _render(parameters: SyntheticParameters, seed: int, folder: Path, name: tuple[str, int]) -> None:
    path = _path(folder, *name)
    frames = draw(write_script(parameters, seed, *name), parameters, seeded(seed, "pixels", parameters.world, *name))
    with whole_file(path) as unfinished:
        write_h264(frames, parameters.fps, unfinished)


def _found(parameters: SyntheticParameters, seed: int, folder: Path, split: str, index: int) -> FoundVideo:
    script, path = write_script(parameters, seed, split, index), _path(folder, split, index)
    return FoundVideo(
        path,
        f"{folder.name}/{path.name}",
        label=script.label,
        spans=[script.span] if script.span else [],
        split="train" if split == "train" else "test",
        captions=script.captions,
        truth=script.truth,
    )
