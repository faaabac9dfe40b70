"""The states of a training on disk. One is written beside its place and then renamed, with a list of what it consists of.

::

    <folder>/checkpoint-<step>/…           the trainer's files: weights, optimizer, schedule, random states, position in the data
    <folder>/checkpoint-<step>/complete.json   the step, the MLflow run, and size and hash of every file
    <folder>/unfinished/                   what is being written
"""

import hashlib
import json
import logging
import os
import shutil
from pathlib import Path
from typing import Any

logger = logging.getLogger(__name__)

UNFINISHED, COMPLETE = "unfinished", "complete.json"


def staging(folder: Path) -> Path:
    """Where a state is written before it is put in its place."""
    return folder / UNFINISHED


def finish(folder: Path, step: int, facts: dict[str, Any]) -> Path:
    """Put a state that was written completely in its place.

    Args:
        folder: of the training.
        step: after which it was saved.
        facts: kept with it.

    Raises:
        OSError: the disk is full, or it cannot be written to.
    """
    written = staging(folder) / f"checkpoint-{step}"
    files = {str(path.relative_to(written)): path for path in sorted(written.rglob("*")) if path.is_file()}
    listed = {name: {"size": path.stat().st_size, "sha256": _sha256(path)} for name, path in files.items()}
    complete = written / COMPLETE
    complete.write_text(json.dumps({"step": step, **facts, "files": listed}, indent=1), encoding="utf-8")
    for path in (*files.values(), complete):
        _to_disk(path)
    place = folder / written.name
    if place.exists():  # a damaged one of the same step, which was passed over
        shutil.rmtree(place)
    written.replace(place)
    shutil.rmtree(staging(folder), ignore_errors=True)
    _to_disk(folder)
    return place


def newest(folder: Path) -> Path | None:
    """The newest state that is whole; newer ones that are damaged are passed over, and it is said."""
    shutil.rmtree(staging(folder), ignore_errors=True)
    for step in sorted(steps(folder), reverse=True):
        place = folder / f"checkpoint-{step}"
        fault = fault_of(place)
        if fault is None:
            return place
        logger.warning("%s is passed over and removed: %s.", place, fault)
        shutil.rmtree(place)
    return None


def steps(folder: Path) -> list[int]:
    """The steps after which states were saved, whole or not."""
    names = (path.name.removeprefix("checkpoint-") for path in folder.glob("checkpoint-*"))
    return sorted(int(name) for name in names if name.isdecimal() and name.isascii())


def facts_of(checkpoint: Path) -> dict[str, Any]:
    """The step, the MLflow run and what else was kept with a whole state."""
    return json.loads((checkpoint / COMPLETE).read_text(encoding="utf-8"))


def fault_of(checkpoint: Path) -> str | None:
    """What is wrong with a state; None where it is whole."""
    try:
        listed = facts_of(checkpoint)["files"]
        for name, expected in listed.items():
            path = checkpoint / name
            if not path.is_file():
                return f"it lacks {name}"
            if path.stat().st_size != expected["size"] or _sha256(path) != expected["sha256"]:
                return f"{name} is not as it was written"
    except (OSError, ValueError, KeyError, TypeError) as error:
        return f"it has no list of its files that can be read ({error})"
    return None


def keep(folder: Path, last: int, best: int | None) -> None:
    """Remove all states but the last so many and the one of the best step."""
    for step in steps(folder)[:-last]:
        if step != best:
            shutil.rmtree(folder / f"checkpoint-{step}")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _to_disk(path: Path) -> None:
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
