"""Faults of the machine in one sentence: the disk is full, a folder may not be written, somebody else holds a database.

Each library says it in an error of its own: OSError, SQLite, safetensors in Rust, MLflow around SQLAlchemy around SQLite.
"""

import errno
import os
import re
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hawk_pipelines.errors import HawkError
from hawk_pipelines.plain_text import plain


class MachineFault(HawkError):
    """Neither data nor settings are to blame. What was finished is kept, and the same command goes on once it is mended."""


_FAULTS = {
    errno.ENOSPC: ("the disk has no room for it", "Make room there"),
    errno.EDQUOT: ("the quota on that disk is used up", "Make room there"),
    errno.EFBIG: ("files may not be as large here (`ulimit -f`)", "Raise that limit"),
    errno.EROFS: ("its file system is read-only", "Make it writable, or name another folder"),
    errno.EACCES: ("this user lacks the permission", "Give it, or name another folder"),
    errno.EPERM: ("this user lacks the permission", "Give it, or name another folder"),
    errno.EIO: ("the disk reports an error", "See to the disk"),
    errno.EMFILE: ("this process has too many files open (`ulimit -n`)", "Raise that limit"),
}
_NAMES = {
    errno.ENAMETOOLONG: "a name in it, or all of it, is longer than the system allows (255 and 4,095 bytes)",
    errno.ELOOP: "its links lead in a circle",
    errno.ENOTDIR: "a file stands where it names a folder",
}
_LONGEST_SHOWN = 120
_SQLITE = {
    "SQLITE_FULL": errno.ENOSPC,
    "SQLITE_READONLY": errno.EROFS,
    "SQLITE_PERM": errno.EACCES,
    "SQLITE_CANTOPEN": errno.EACCES,
    "SQLITE_IOERR": errno.EIO,
    "SQLITE_BUSY": errno.EBUSY,
    "SQLITE_LOCKED": errno.EBUSY,
}
_NUMBER = re.compile(r"\[Errno (\d+)\]|\(os error (\d+)\)")
_PATH = re.compile(r"\[Errno \d+\] [^:'\"]+: ['\"]([^'\"]+)")
_NO_TEMPORARY = "No usable temporary directory found"
_FULL_BYTES = 2**20
"""A disk with less than that counts as full where a library does not say what it failed at."""


def machine_fault(error: BaseException, place: Path | None = None, database: Path | None = None) -> MachineFault | None:
    """What of the machine is at fault in an error or in those that led to it, for people; None where it is not the machine.

    Args:
        error: of whatever library.
        place: what was being written, where the error does not say it.
        database: that an error of SQLite is about.
    """
    for cause in _causes(error):
        if isinstance(cause, MachineFault):
            return cause
        if _NO_TEMPORARY in str(cause):
            return MachineFault(f"{_temporary()}. Name another one by the variable TMPDIR, or make room there.")
        is_sqlite = isinstance(cause, sqlite3.Error)
        number = _sqlite_number(cause) if is_sqlite else _number(cause)
        if number == errno.EBUSY and is_sqlite:
            held = f"{database or 'A database of the project'} is held by another process, for longer than can be waited for"
            return MachineFault(f"{held}. End that one, and run the same command again; what was finished is kept.")
        if number == errno.EIO and is_sqlite and database and shutil.disk_usage(_existing(database)).free < _FULL_BYTES:
            number = errno.ENOSPC
        if number in _FAULTS:
            named = _path(cause)
            if named and (named.suffix == ".part" or named.name.startswith(".")):  # which is removed, and says nothing to people
                named = place or named.parent
            return MachineFault(_sentence(number, named or (database if is_sqlite else None) or place))
    return None


class NameFault(HawkError):
    """No file or folder can have a path that somebody gave."""


def name_fault(error: BaseException) -> NameFault | None:
    """What is wrong with the path in an error or in those that led to it; None where there is nothing.

    It is no fault of the machine: among many inputs only the one of that name is refused.
    """
    for cause in _causes(error):
        if isinstance(cause, OSError) and cause.errno in _NAMES:
            path = plain(str(_path(cause) or "A path"))
            shown = path if len(path) <= _LONGEST_SHOWN else f"{path[: _LONGEST_SHOWN - 20]}…{path[-20:]}"
            return NameFault(f"{shown} can be no file or folder: {_NAMES[cause.errno]}. Name another one.")
    return None


@contextmanager
def writing(place: Path) -> Iterator[None]:
    """Say what was being written, where the machine keeps it from being so.

    Args:
        place: a file or folder.

    Raises:
        MachineFault: the disk is full, say, or it may not be written.
    """
    try:
        yield
    except Exception as error:
        fault = machine_fault(error, place)
        if fault is None or fault is error:
            raise
        raise fault from error


def free_space(place: Path) -> str:
    """How much is free where a file or folder is or would be, in words."""
    found = os.statvfs(_existing(place))
    if found.f_files and not found.f_favail:
        return "no further file fits there, whatever its size"
    return f"{found.f_bavail * found.f_frsize / 2**20:,.1f} MB are free there"


def _sentence(number: int, place: Path | None) -> str:
    what, advice = _FAULTS[number]
    place = place or _full_folder() if number in (errno.ENOSPC, errno.EDQUOT) else place
    free = f" ({free_space(place)})" if place and number in (errno.ENOSPC, errno.EDQUOT) else ""
    done = _denied(place) if number in (errno.EACCES, errno.EPERM) and place else "written"
    what = f"{place or 'A file'} could not be {done}: {what}{free}"
    return f"{what}. {advice}, and run the same command again; what was finished is kept."


def _denied(place: Path) -> str:
    """What this user may not do with a file or folder."""
    if not os.access(place.parent, os.X_OK, effective_ids=True):
        return "reached"
    return "read" if place.is_file() and not os.access(place, os.R_OK, effective_ids=True) else "written"


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: list[BaseException] = []
    following: BaseException | None = error
    while following is not None and following not in seen:
        seen.append(following)
        yield following
        following = following.__cause__ or following.__context__


def _number(error: BaseException) -> int | None:
    """The system's number of an error; of those of other libraries, and of `shutil.copytree`, it stands in the words."""
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno
    found = _NUMBER.search(str(error))
    return int(found[1] or found[2]) if found else None


def _sqlite_number(error: BaseException) -> int | None:
    name = str(getattr(error, "sqlite_errorname", ""))
    return next((number for beginning, number in _SQLITE.items() if name.startswith(beginning)), None)


def _path(error: BaseException) -> Path | None:
    for name in (getattr(error, "filename2", None), getattr(error, "filename", None)):
        if isinstance(name, str | bytes | os.PathLike) and name:
            return Path(os.fsdecode(name))
    found = _PATH.search(str(error))
    return Path(found[1]) if found else None


def _existing(place: Path) -> Path:
    place = place.absolute()
    return next(folder for folder in (place, *place.parents) if folder.exists())


def _full_folder() -> Path | None:
    """Where a file was too much, as far as that can be seen."""
    usual = [Path.cwd() / "data", Path.cwd(), Path(os.environ.get("TMPDIR") or "/tmp")]  # noqa: S108 (only looked at)
    return next((folder for folder in usual if shutil.disk_usage(_existing(folder)).free < _FULL_BYTES), None)


def _temporary() -> str:
    places = [os.environ[name] for name in ("TMPDIR", "TEMP", "TMP") if name in os.environ]
    return f"No temporary file can be written ({', '.join([*places, *tempfile._candidate_tempdir_list()][:4])})"  # type: ignore[attr-defined]
