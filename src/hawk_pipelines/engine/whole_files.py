"""Files and folders that are there whole or not at all: written beside their place, then renamed; removed where that fails."""

import shutil
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
