"""A folder of numbered pictures, which is a video like any other."""

import re
from pathlib import Path, PurePath
from typing import NamedTuple

import cv2
import numpy as np

from hawk_pipelines.video.errors import UnreadableVideo

EXTENSIONS = {".tif", ".tiff", ".jpg", ".jpeg", ".png", ".bmp"}
PICTURES_FPS = 10.0
"""Frames a second of a folder, where nobody says otherwise."""
_NUMBERED = re.compile(r"(?P<series>.*?)(?P<number>[0-9]{1,18})", re.DOTALL)


class Pictures(NamedTuple):
    """What a folder of pictures is."""

    frames: int
    width: int
    height: int


def is_numbered_picture(name: str) -> bool:
    """Whether a file of that name is one of a series of pictures. Hidden files (`._001.tif`) are not."""
    path = PurePath(name)
    return path.suffix.lower() in EXTENSIONS and not name.startswith(".") and _NUMBERED.fullmatch(path.stem) is not None


def picture_numbers(folder: Path) -> dict[int, Path]:
    """The pictures of a folder by their numbers. Hidden files and what is no numbered picture are passed over.

    Raises:
        UnreadableVideo: there is none, there are several series, or a number is doubled.
    """
    series: dict[str, dict[int, Path]] = {}
    for path in folder.iterdir():
        if not is_numbered_picture(path.name):
            continue
        name, number = _NUMBERED.fullmatch(path.stem).groups()  # type: ignore[union-attr]
        other = series.setdefault(name, {}).setdefault(int(number), path)
        if other is not path:
            msg = f"{folder} holds two pictures with one number, {path.name} and {other.name}; remove one."
            raise UnreadableVideo(msg)
    if not series:
        msg = f"{folder} holds no numbered pictures ({', '.join(sorted(EXTENSIONS))}); check the path."
        raise UnreadableVideo(msg)
    if len(series) > 1:
        names = ", ".join(f"`{name}…`" for name in sorted(series)[:5])
        msg = f"{folder} holds several series of pictures ({names}); put each into a folder of its own."
        raise UnreadableVideo(msg)
    (numbers,) = series.values()
    return numbers


def numbered_pictures(folder: Path) -> list[Path]:
    """The pictures of a folder in the order of their numbers.

    Raises:
        UnreadableVideo: see `picture_numbers`; or a number is missing (then the neighbour of a frame would not be its true
            neighbour).
    """
    numbers = picture_numbers(folder)
    first, last = min(numbers), max(numbers)
    hole = next((number for number in range(first, last) if number not in numbers), None)
    if hole is not None:
        msg = f"{folder} has pictures {first} to {last}, but number {hole} is missing; add it or renumber the pictures."
        raise UnreadableVideo(msg)
    return [numbers[number] for number in sorted(numbers)]


def read_picture(path: Path) -> np.ndarray:
    """One picture as uint8 [H, W, 3], RGB.

    Raises:
        UnreadableVideo: it is no picture.
    """
    picture = None
    if path.is_file():
        content = np.fromfile(path, np.uint8)
        try:
            picture = cv2.imdecode(content, cv2.IMREAD_COLOR_RGB) if content.size else None
        except cv2.error:  # larger than OpenCV reads
            picture = None
    if picture is None:
        msg = f"{path} is no picture that can be read; replace it or remove the folder."
        raise UnreadableVideo(msg)
    return picture


def check_pictures(folder: Path) -> Pictures:
    """Decode every picture of a folder.

    Raises:
        UnreadableVideo: a picture cannot be read, or is of another size than the first.
    """
    paths = numbered_pictures(folder)
    height, width = read_picture(paths[0]).shape[:2]
    for path in paths[1:]:
        other = read_picture(path).shape
        if other[:2] != (height, width):
            msg = f"{path} is {other[1]}×{other[0]}, but the first picture of its folder is {width}×{height}; make them one size."
            raise UnreadableVideo(msg)
    return Pictures(len(paths), width, height)
