"""Walking through a data set's folders, whose copies are littered with what file managers leave."""

import logging
import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path, PurePath

from hawk_pipelines.sources.links import is_followed, leading_out_of, set_down_unreadable
from hawk_pipelines.sources.reading import SourceError, existing_folder
from hawk_pipelines.video.pictures import is_numbered_picture

logger = logging.getLogger(__name__)

VIDEO_EXTENSIONS = {
    ".mp4", ".avi", ".mkv", ".mov", ".webm", ".m4v", ".mpg", ".mpeg", ".wmv", ".ts", ".flv", ".gif", ".dav",
    ".3g2", ".3gp", ".asf", ".divx", ".f4v", ".lrv", ".mk3d", ".ogm", ".ogv", ".qt", ".xvid",  # files of players and phones
    ".m2t", ".m2ts", ".m2v", ".mpe", ".mts", ".mxf", ".trp", ".vob", ".vro", ".wtv",  # of camcorders, discs and television
    ".264", ".265", ".266", ".avc", ".h264", ".h265", ".h266", ".hevc", ".vc1", ".vvc",  # bare streams of recorders
    ".apng", ".av1", ".dv", ".ivf", ".mj2", ".mjpeg", ".mjpg", ".nut", ".obu", ".y4m",
}  # fmt: skip
"""Endings of what `video.media.FORMATS` opens."""
LITTER = {"thumbs.db", "desktop.ini", "__macosx", "lost+found"}
ARCHIVES = {".zip", ".rar", ".7z", ".tar", ".gz", ".tgz"}
DEPTH = 2
"""How many folders deep a data set is looked for below the folder that was named."""


def is_litter(name: str) -> bool:
    """Whether a file or folder is none of a data set's own: hidden, a backup of an editor, or left by a file manager."""
    return name.startswith(".") or name.endswith("~") or name.casefold() in LITTER


def walk(
    root: Path,
    closed: re.Pattern[str] | None = None,
    litter: list[Path] | None = None,
    special: list[Path] | None = None,
) -> Iterator[tuple[Path, list[str]]]:
    """Every folder below a root and the names of its regular files, both in order, without litter.

    Links are followed as the rules of `links.py` say, each folder once: who has little room links parts of a data set to other
    disks.

    Args:
        root: where to begin.
        closed: folders whose whole name it matches are told as if they were empty, and not entered: they hold too many files.
        litter: where to set down the litter that was passed over.
        special: where to set down pipes, sockets and devices, which no reader may open; without it they are logged.
    """
    if not is_followed(root):
        return
    seen = {os.path.realpath(root)}
    for folder, folders, files in os.walk(root, onerror=_passed_over, followlinks=True):
        entered = []
        if litter is not None:
            litter += [Path(folder, name) for name in sorted([*folders, *files]) if is_litter(name)]
        for name in sorted(name for name in folders if not is_litter(name)):
            real = os.path.realpath(f"{folder}/{name}")
            if os.path.islink(f"{folder}/{name}") and not is_followed(f"{folder}/{name}"):  # noqa: PTH114 - see `is_file`
                continue
            if real in seen:
                logger.warning("%s/%s links to %s, which is read under another name, and is passed over.", folder, name, real)
                continue
            seen.add(real)
            if closed and closed.fullmatch(name):
                yield Path(folder, name), []
            else:
                entered.append(name)
        folders[:] = entered
        names = sorted(name for name in files if not is_litter(name) and _is_followed_file(f"{folder}/{name}"))
        strange = [Path(folder, name) for name in names if is_special(f"{folder}/{name}")]
        if special is not None:
            special += strange
        else:
            for path in strange:
                logger.warning("%s is no regular file (a pipe, socket or device) and is passed over.", path)
        yield Path(folder), [name for name in names if Path(folder, name) not in strange] if strange else names


def folders_in(folder: Path) -> list[Path]:
    """The folders in a folder, in order, without litter; none where there is no such folder."""
    return [path for path in _entries(folder) if os.path.isdir(path)]  # noqa: PTH112 - a Path's own raises where it may not look


def files_in(folder: Path) -> list[Path]:
    """The files in a folder, in order, without litter; none where there is no such folder."""
    return [path for path in _entries(folder) if is_file(path)]


def is_file(path: Path) -> bool:
    """Whether there is such a file, as far as may be seen, and the rules for links let it be read."""
    return os.path.isfile(path) and is_followed(path)  # noqa: PTH113 - a Path's own raises where it may not look


def is_special(path: str | Path) -> bool:
    """Whether something is a pipe, a socket or a device: to open one may wait for ever."""
    try:
        mode = os.stat(path).st_mode  # noqa: PTH116 - for each of very many files
    except OSError:  # whoever opens it says why
        return False
    return not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)


def _is_followed_file(path: str) -> bool:
    return not os.path.islink(path) or is_followed(path)  # noqa: PTH114 - for each of very many files


def _entries(folder: Path) -> list[Path]:
    if not is_followed(folder):
        return []
    try:
        entries = [entry for entry in os.scandir(folder) if not is_litter(entry.name)]
        return sorted(Path(entry.path) for entry in entries if not entry.is_symlink() or is_followed(entry.path))
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        _passed_over(error)
        return []


def _passed_over(error: OSError) -> None:
    if set_down_unreadable(str(error.filename), str(error.strerror)):
        return
    logger.warning("%s cannot be read (%s) and is passed over.", error.filename, error.strerror)


def is_video_file(path: PurePath) -> bool:
    """Whether a file is named like a video."""
    return path.suffix.casefold() in VIDEO_EXTENSIONS


def holds_pictures(folder: Path) -> bool:
    """Whether a folder holds numbered pictures, none of them a link that is not followed: without them it is another video."""
    pictures = any(is_numbered_picture(path.name) for path in _entries(folder))
    return pictures and not any(map(is_numbered_picture, leading_out_of(folder)))


def files_named(files: Iterable[Path], pattern: str) -> list[Path]:
    """Those files whose whole name the pattern matches, without regard to case."""
    wanted = re.compile(pattern, re.IGNORECASE)
    return [file for file in files if wanted.fullmatch(file.name)]


def places(path: Path, looks_like: Callable[[Path], bool], depth: int = DEPTH) -> list[Path]:
    """The folders that look like a data set: the folder itself, or those below it, each once whatever links to it. None is looked
    for inside another.
    """
    if looks_like(path):
        return [path]
    if depth == 0:
        return []
    found = [place for folder in folders_in(path) for place in places(folder, looks_like, depth - 1)]
    return list({os.path.realpath(place): place for place in reversed(found)}.values())[::-1]


class AnotherFolder(SourceError):
    """A folder that does not look like the data set it should hold."""


def dataset_folder(
    path: Path, setting: str, title: str, looks_like: Callable[[Path], bool], signs: str, *, together: bool = False
) -> Path:
    """Where a data set begins, at a folder or below it.

    Args:
        path: where the user says that it is.
        setting: the setting that says so.
        title: the data set's name.
        looks_like: whether a folder looks like it.
        signs: what it looks like, in words.
        together: whether its reader finds parts in several folders by itself, such as videos here and labels there.

    Raises:
        SourceError: there is no such folder, no data set in it, or more than one.
    """
    found = places(existing_folder(path, setting), looks_like)
    if len(found) == 1:
        return found[0]
    if found and together:
        return path
    if found:
        msg = f"{path} holds {title} {len(found)} times ({_some(found)}); set `{setting}` to one of these folders."
        raise SourceError(msg)
    msg = f"{path} does not look like {title} ({signs}); set `{setting}` to its folder. `hawk check-data {path}` says what it is."
    packed = archives_in(path)
    raise AnotherFolder(f"{msg} Are its archives to be extracted first ({_some(packed)})?" if packed else msg)


def archives_in(folder: Path) -> list[Path]:
    """The archives in a folder, which nobody has extracted yet, maybe."""
    return [file for file in files_in(folder) if file.suffix.casefold() in ARCHIVES]


def _some(paths: Sequence[Path]) -> str:
    return ", ".join(map(str, paths[:3])) + (", …" if len(paths) > 3 else "")
