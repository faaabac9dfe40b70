"""From a label or a mask for every frame to spans of frames: half-open, zero-based."""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from hawk_pipelines.sources.reading import SourceError
from hawk_pipelines.video.errors import UnreadableVideo
from hawk_pipelines.video.pictures import picture_numbers, read_picture

FRAME_LABELS_VERSION = 1
"""Raised whenever the same files give other spans."""


class FrameLabels(NamedTuple):
    """What labels say of a video's frames."""

    frames: int
    """How many frames they speak of."""
    spans: list[tuple[int, int]]
    size: tuple[int, int] | None
    """Width and height of the masks."""
    absent: list[int] = []  # noqa: RUF012 - never changed
    """Frames without a mask; they count as normal."""
    by_number: bool = False
    """Whether masks were given to their pictures one by one, so that nothing need be moved where pictures are missing."""


def runs(labels: np.ndarray) -> list[tuple[int, int]]:
    """Where a row of labels [T] is not zero, as spans of frames."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], np.asarray(labels) != 0, [False])).astype(np.int8)))
    return [(int(start), int(end)) for start, end in edges.reshape(-1, 2)]


def merged(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """The same frames, in order, without overlap."""
    together: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if together and start <= together[-1][1]:
            together[-1] = (together[-1][0], max(end, together[-1][1]))
        else:
            together.append((start, end))
    return together


def read_frame_labels(masks: Path, video: Path | None = None) -> FrameLabels:
    """Where a video's masks are not empty.

    Args:
        masks: a folder of numbered pictures; a NumPy file of labels [T] or masks [T, H, W]; or a MATLAB file whose `volLabel` is
            a row of T masks [H, W].
        video: the folder of numbered pictures that the masks belong to, which tells what the numbers of masks mean where some
            are missing.

    Raises:
        SourceError: they cannot be read.
    """
    if masks.is_dir():
        return _of_pictures(masks, video)
    return _of_matlab(masks) if masks.suffix.casefold() == ".mat" else _of_numpy(masks)


def _of_numpy(path: Path) -> FrameLabels:
    try:
        labels = np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception as error:  # NumPy meets damage with errors of many kinds, down to those of zip files and Python's own parser
        msg = f"{path} is no NumPy file of plain numbers ({type(error).__name__}: {error}); extract it again."
        raise SourceError(msg) from error
    if not isinstance(labels, np.ndarray) or labels.dtype.kind not in "buif":
        msg = f"{path} does not hold one array of numbers; extract it again."
        raise SourceError(msg)
    if labels.ndim == 3 and labels.shape[0] > 1:
        if labels.dtype.kind == "f" and not all(np.isfinite(mask).all() for mask in labels):
            msg = f"{path} holds masks that are no numbers (NaN); mend or replace the file."
            raise SourceError(msg)
        marked = np.array([bool(mask.any()) for mask in labels])  # mask by mask: the file may be larger than the memory
        return FrameLabels(len(marked), runs(marked), (labels.shape[2], labels.shape[1]))
    row = np.squeeze(np.asarray(labels))
    if row.ndim > 1 or row.size == 0:
        msg = f"{path} holds an array of the shape {labels.shape} instead of a label or a mask a frame; extract it again."
        raise SourceError(msg)
    row = np.atleast_1d(row)
    if not np.isfinite(row).all():
        msg = f"{path} holds labels that are no numbers (NaN); mend or replace the file."
        raise SourceError(msg)
    return FrameLabels(len(row), runs(row), None)


def _of_matlab(path: Path) -> FrameLabels:
    from scipy.io import loadmat

    try:
        cells = np.atleast_1d(np.squeeze(loadmat(path, variable_names=["volLabel"])["volLabel"]))
        masks = [np.asarray(cell) for cell in cells] if cells.dtype == object else []
    except Exception as error:  # scipy's reader meets damage with errors of many kinds, down to those of zlib
        msg = f"{path} is no MATLAB file with a `volLabel` that can be read ({type(error).__name__}: {error}); extract it again."
        raise SourceError(msg) from error
    if not masks or any(mask.ndim != 2 or mask.dtype.kind not in "buif" for mask in masks):
        msg = f"`volLabel` in {path} is no row of masks, one a frame; extract it again."
        raise SourceError(msg)
    height, width = masks[0].shape
    return FrameLabels(len(masks), runs(np.array([bool(mask.any()) for mask in masks])), (width, height))


def _of_pictures(folder: Path, video: Path | None) -> FrameLabels:
    """Masks and pictures of the same number belong together, or, where there are as many of both, those of the same rank."""
    try:
        masks = picture_numbers(folder)
        pictures = sorted(picture_numbers(video)) if video and video.is_dir() else sorted(masks)
        if len(pictures) == len(masks):
            placed = dict(enumerate(masks[number] for number in sorted(masks)))
        else:
            placed = {number - pictures[0]: path for number, path in masks.items()}
        marked = np.zeros(len(pictures), bool)
        for frame, path in placed.items():
            mask = read_picture(path)
            if 0 <= frame < len(pictures):
                marked[frame] = mask.any()
    except UnreadableVideo as error:
        raise SourceError(str(error)) from error
    height, width = mask.shape[:2]
    absent = [frame for frame in range(len(pictures)) if frame not in placed]
    return FrameLabels(max(len(pictures), max(placed) + 1), runs(marked), (width, height), absent, by_number=True)


def picture_size(path: Path) -> tuple[int, int] | None:
    """Width and height of a picture; None where it cannot be read."""
    try:
        height, width = read_picture(path).shape[:2]
    except UnreadableVideo:
        return None
    return width, height
