"""Text files of data sets: UTF-8 or UTF-16, with or without a byte-order mark, with any line ends."""

import codecs
import json
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple, TextIO

from hawk_pipelines.schema import Rejection, Split
from hawk_pipelines.sources.reading import SourceError, note, some
from hawk_pipelines.sources.tree import is_video_file

logger = logging.getLogger(__name__)

_MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
_HEAD = 4096


@contextmanager
def open_text(path: Path) -> Iterator[TextIO]:
    """Open a text file, line ends as they are. Nothing is read ahead, so a file may be larger than the memory.

    Raises:
        SourceError: it cannot be read, or is neither UTF-8 nor UTF-16. So it may come later, from inside the `with`.
    """
    try:
        head = _head(path)
        with path.open(encoding=_encoding(head), newline="") as text:
            yield text
    except UnicodeError as error:
        msg = f"{path} is no text in UTF-8 or UTF-16 ({error}); save it as UTF-8."
        raise SourceError(msg) from error
    except OSError as error:
        msg = f"{path} cannot be read ({error.strerror}); check that it is there and its permissions."
        raise SourceError(msg) from error


def beginning(path: Path) -> str:
    """The first few thousand letters of a file, whatever it is. Empty, with a warning, where it cannot be read."""
    try:
        head = _head(path)
    except SourceError as error:
        logger.warning("%s", error)
        return ""
    return head.decode(_encoding(head), errors="replace")


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_HEAD)
    except OSError as error:
        msg = f"{path} cannot be read ({error.strerror}); check that it is there and its permissions."
        raise SourceError(msg) from error


def _encoding(head: bytes) -> str:
    """UTF-16 without a mark is told by the zero bytes of its Latin letters."""
    marked = next((encoding for mark, encoding in _MARKS.items() if head.startswith(mark)), None)
    if marked:
        return marked
    odd, even = head[1::2].count(0), head[0::2].count(0)
    if max(odd, even) > len(head) // 8:
        return "utf-16-le" if odd > even else "utf-16-be"
    return "utf-8"


def read_lines(path: Path) -> list[str]:
    """The lines of a text file, stripped; empty ones are left out.

    Raises:
        SourceError: see `open_text`.
    """
    with open_text(path) as file:
        return [line.strip() for line in file.read().splitlines() if line.strip()]


def read_json(path: Path, notes: list[Rejection]) -> Any:
    """A JSON file. Of a key that an object holds twice the first is kept, with a note.

    Raises:
        SourceError: see `open_text`; or it is no JSON.
    """
    doubled: list[str] = []

    def first_of_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        kept: dict[str, Any] = {}
        for key, value in pairs:
            if key in kept:
                doubled.append(key)
            kept.setdefault(key, value)
        return kept

    with open_text(path) as file:
        text = file.read()
    try:
        value = json.loads(text, object_pairs_hook=first_of_each)
    except (ValueError, RecursionError) as error:  # no JSON, numbers or nesting without end
        msg = f"{path} is not JSON ({error}); mend or replace the file."
        raise SourceError(msg) from error
    notes += [note(key, f"{path} has {key} twice and the first is used; remove the other.") for key in doubled]
    return value


def read_object(path: Path, what: str, notes: list[Rejection]) -> dict[str, Any]:
    """A JSON file that holds one object; empty, with a note, where it cannot be read or holds something else.

    Args:
        path: the file.
        what: what the object holds, in words.
        notes: where to say so.
    """
    try:
        told = read_json(path, notes)
    except SourceError as error:
        notes.append(note(path.name, f"{error} Until then it is left out."))
        return {}
    if not isinstance(told, dict):
        notes.append(note(path.name, f"{path} holds a {type(told).__name__} instead of {what}; replace the file."))
        return {}
    return told


class Listed(NamedTuple):
    """What a list names: file names without extension, in order, each once."""

    path: Path
    names: list[str]


def read_list(path: Path, notes: list[Rejection]) -> Listed:
    """A list of videos, one name or path a line. Only the last part of a path counts, and nothing is opened by it.

    Addresses of web pages, paths that climb (`..`) and repeated entries are left out with a note; so is a list that is no text.
    """
    try:
        lines = read_lines(path)
    except SourceError as error:
        notes.append(note(path.name, f"{error} Until then the list is left out."))
        return Listed(path, [])
    names: dict[str, None] = {}
    for line in lines:
        reason = unsafe(line)
        if reason is None and stem(line) in names:
            reason = "is listed twice"
        if reason:
            notes.append(note(line, f"{path} lists {line!r}, which {reason}; the line is left out. Remove it."))
            continue
        names[stem(line)] = None
    return Listed(path, list(names))


def unsafe(path: str) -> str | None:
    """Why a path from a file is not followed, or None where it names something below a root."""
    parts = path.replace("\\", "/").split("/")
    if "://" in path:
        return "is an address on the web, and only files are read"
    if ".." in parts:
        return "climbs out of its folder"
    if "\0" in path:
        return "holds a zero byte"
    return None


def stem(path: str) -> str:
    """The last part of a path, without the extension of a video."""
    name = PurePosixPath(path.replace("\\", "/").strip())
    return name.stem if is_video_file(name) else name.name


def note_absent(listed: Listed, known: Iterable[str], root: Path, notes: list[Rejection]) -> None:
    """Say in one line which of the listed videos are not there."""
    there = {name.casefold() for name in known}
    absent = [name for name in listed.names if name.casefold() not in there]
    if absent:
        what = f"{len(absent):,} of the {len(listed.names):,} videos that {listed.path.name} names are not below {root}"
        reason = f"{what} ({some(absent)}); extract the rest of the archive, or go on with what is there."
        notes.append(note(listed.path.name, reason))


def read_splits(
    files: Mapping[Split, Sequence[Path]], known: Iterable[str], root: Path, notes: list[Rejection]
) -> dict[str, Split]:
    """The split of every listed video, by its name in small letters.

    A video that lists of several splits name is tested on before it is trained on. Absent ones are noted.
    """
    there = list(known)
    splits: dict[str, Split] = {}
    order: tuple[Split, ...] = ("test", "validation", "train")
    for split in order:
        for file in files.get(split, ()):
            listed = read_list(file, notes)
            note_absent(listed, there, root, notes)
            for name in listed.names:
                other = splits.setdefault(name.casefold(), split)
                if other != split:
                    what = f"{file} names {name} for the {split} split, another list for the {other} split"
                    notes.append(note(name, f"{what}, which is followed; remove it from one of the lists."))
    return splits
