"""What a video is known by: its bytes, wherever they lie."""

import hashlib
from pathlib import Path

from hawk_pipelines.video.pictures import numbered_pictures

ID_DIGITS = 16
"""Hexadecimal digits of an id: 64 bits, so that among a million videos no two are likely ever to share one."""


def content_id(path: Path) -> str:
    """Hash of a file's bytes; of a folder of numbered pictures, of its pictures' bytes in order. Names do not matter.

    Raises:
        OSError: a file cannot be read.
        UnreadableVideo: a folder holds no series of pictures.
    """
    if not path.is_dir():
        return _hash(path)[:ID_DIGITS]
    together = "".join(_hash(picture) for picture in numbered_pictures(path))
    return hashlib.sha256(together.encode()).hexdigest()[:ID_DIGITS]


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
