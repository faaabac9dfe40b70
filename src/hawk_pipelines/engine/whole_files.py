"""Files and folders that are there whole or not at all: written beside their place, then renamed; removed where that fails."""

import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from hawk_pipelines.machine_faults import writing


@contextmanager
def whole_file(path: Path, process: str = "") -> Iterator[Path]:
    """A file to write, which is put in the place of another one at the end.

    Args:
        path: its place; folders above it are made.
        process: goes into its name where several may write the same at once; otherwise what a killed run left is written over.

    Raises:
        MachineFault: the machine does not let it be written. The one that was there stays, and nothing is left beside it.
    """
    unfinished = path.with_name(f"{path.name}{process}.part")
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield unfinished
            unfinished.replace(path)
        except BaseException:
            with suppress(OSError):  # the first error is the one to tell
                unfinished.unlink(missing_ok=True)
            raise


@contextmanager
def named_file(path: Path) -> Iterator[Path]:
    """A file to write whose path a person gave: what is there stays what it is, and only its content is new.

    A regular file is there whole or not at all, also where links lead to it: they stay. A device or a named pipe is written
    through. (Files of a run are for `whole_file`: a link among them may lead into the store of DVC, which nobody writes to.)

    Args:
        path: its place, in a folder that is there.

    Raises:
        OSError: the folder is not there, or the links lead nowhere.
        MachineFault: the machine does not let it be written.
    """
    if _is_special(path):
        with writing(path):
            yield path
        return
    place = Path(os.path.realpath(path))
    place.parent.stat()  # who mistypes a folder does not want a new one
    with whole_file(place) as unfinished:
        yield unfinished


def _is_special(path: Path) -> bool:
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


@contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """An empty folder to fill, which is put in the place of another one at the end.

    Args:
        folder: its place; folders above it are made. What a killed run left beside it is removed.

    Raises:
        MachineFault: the machine does not let it be written. The one that was there stays, and nothing is left beside it.
    """
    unfinished, old = (folder.with_name(f".{folder.name}.{word}") for word in ("part", "old"))
    with writing(folder):
        try:
            if old.exists() and not folder.exists():  # it was killed between the two last steps
                old.replace(folder)
            shutil.rmtree(unfinished, ignore_errors=True)
            unfinished.mkdir(parents=True)
            yield unfinished
            if folder.exists():
                shutil.rmtree(old, ignore_errors=True)
                folder.replace(old)
            unfinished.replace(folder)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
            if folder.exists():
                shutil.rmtree(old, ignore_errors=True)
