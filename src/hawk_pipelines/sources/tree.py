"""Walking through a data set's folders, whose copies are littered with what file managers leave."""

import logging
import os
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path, PurePath

from hawk_pipelines.sources.reading import SourceError, existing_folder
from hawk_pipelines.video.pictures import is_numbered_picture

logger = logging.getLogger(__name__)

VIDEO_EXTENSIONS = {".mp4", ".avi", ".mkv", ".mov", ".webm", ".m4v", ".mpg", ".mpeg", ".wmv", ".ts", ".flv", ".gif", ".dav"}
LITTER = {"thumbs.db", "desktop.ini", "__macosx", "lost+found"}
ARCHIVES = {".zip", ".rar", ".7z", ".tar", ".gz", ".tgz"}
DEPTH = 2
"""How many folders deep a data set is looked for below the folder that was named."""


def is_litter(name: str) -> bool:
    """Whether a file or folder is none of a data set's own: hidden, a backup of an editor, or left by a file manager."""
    return name.startswith(".") or name.endswith("~") or name.casefold() in LITTER


def walk(root: Path) -> Iterator[tuple[Path, list[str]]]:
    """Every folder below a root and the names of its files, both in order, without litter.

    Links are followed, each folder once: who has little room links parts of a data set to other disks.
    """
    seen = {os.path.realpath(root)}
    for folder, folders, files in os.walk(root, onerror=_passed_over, followlinks=True):
        kept = []
        for name in sorted(name for name in folders if not is_litter(name)):
            real = os.path.realpath(os.path.join(folder, name))  # noqa: PTH118 - many folders, and a Path costs more
            if real not in seen:
                seen.add(real)
                kept.append(name)
        folders[:] = kept
        yield Path(folder), sorted(name for name in files if not is_litter(name))


def folders_in(folder: Path) -> list[Path]:
    """The folders in a folder, in order, without litter; none where there is no such folder."""
    return [Path(entry.path) for entry in _entries(folder) if entry.is_dir()]


def files_in(folder: Path) -> list[Path]:
    """The files in a folder, in order, without litter; none where there is no such folder."""
    return [Path(entry.path) for entry in _entries(folder) if entry.is_file()]


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        return sorted((entry for entry in os.scandir(folder) if not is_litter(entry.name)), key=lambda entry: entry.name)
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        _passed_over(error)
        return []


def _passed_over(error: OSError) -> None:
    logger.warning("%s cannot be read (%s) and is passed over; check its permissions.", error.filename, error.strerror)


def is_video_file(path: PurePath) -> bool:
    """Whether a file is named like a video."""
    return path.suffix.casefold() in VIDEO_EXTENSIONS


def holds_pictures(folder: Path) -> bool:
    """Whether a folder holds numbered pictures."""
    return any(is_numbered_picture(entry.name) for entry in _entries(folder))


def files_named(root: Path, pattern: str) -> list[Path]:
    """Every file below a root whose whole name the pattern matches, without regard to case."""
    wanted = re.compile(pattern, re.IGNORECASE)
    return [folder / name for folder, names in walk(root) for name in names if wanted.fullmatch(name)]


def files_near(root: Path, pattern: str) -> list[Path]:
    """The files in a root and in the folders directly in it whose whole name the pattern matches, without regard to case."""
    wanted = re.compile(pattern, re.IGNORECASE)
    return [file for folder in (root, *folders_in(root)) for file in files_in(folder) if wanted.fullmatch(file.name)]


def places(path: Path, looks_like: Callable[[Path], bool], depth: int = DEPTH) -> list[Path]:
    """The folders that look like a data set: the folder itself, or those below it. None is looked for inside another."""
    if looks_like(path):
        return [path]
    if depth == 0:
        return []
    return [place for folder in folders_in(path) for place in places(folder, looks_like, depth - 1)]


class AnotherFolder(SourceError):
    """A folder that does not look like the data set it should hold."""


def dataset_folder(path: Path, setting: str, title: str, looks_like: Callable[[Path], bool], signs: str) -> Path:
    """Where a data set begins, at a folder or below it.

    Args:
        path: where the user says that it is.
        setting: the setting that says so.
        title: the data set's name.
        looks_like: whether a folder looks like it.
        signs: what it looks like, in words.

    Raises:
        SourceError: there is no such folder, no data set in it, or more than one.
    """
    found = places(existing_folder(path, setting), looks_like)
    if len(found) == 1:
        return found[0]
    if found:
        msg = f"{path} holds {title} {len(found)} times ({_some(found)}); set `{setting}` to one of these folders."
        raise SourceError(msg)
    msg = f"{path} does not look like {title} ({signs}); set `{setting}` to its folder. `hawk check-data {path}` says what it is."
    packed = [file.name for file in files_in(path) if file.suffix.casefold() in ARCHIVES]
    raise AnotherFolder(f"{msg} Are its archives to be extracted first ({', '.join(packed[:3])})?" if packed else msg)


def _some(paths: Sequence[Path]) -> str:
    return ", ".join(map(str, paths[:3])) + (", …" if len(paths) > 3 else "")
