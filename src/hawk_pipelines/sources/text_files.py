"""Text files of data sets: UTF-8 or UTF-16, with or without a byte-order mark, with any line ends."""

import codecs
import json
import logging
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple, TextIO

from hawk_pipelines.schema import Rejection, Split
from hawk_pipelines.sources.reading import SourceError, note, some
from hawk_pipelines.sources.tree import is_special, is_video_file

logger = logging.getLogger(__name__)

_MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
_HEAD = 4096
_WEB_SCHEMES = (
    "abfs abfss az blob concat cos crypto data dav dvc file ftp ftps gcs gopher gs hdfs http https magnet mms nfs oss pipe rtmp "
    "rtmps rtp rtsp rtsps s3 s3a sftp smb srt ssh subfile tcp tls udp urn wasb wasbs webdav"
)
_ADDRESS = re.compile(
    r"[a-z][a-z0-9+.-]+:[\\/]"  # any scheme of two letters or more; one letter is a drive (`D:\videos`)
    rf"|(?:{'|'.join(_WEB_SCHEMES.split())})(?::|,,)"
    r"|[^\\/\s]+@[^\\/:\s]+:"  # user@server:path
    r"|www\.[^\\/\s]+[\\/]|[\\/]vsi[a-z0-9_]+[\\/]"  # a host of the web; GDAL's files of the web and of archives
    r"|(?:\\\\|//)(?![?.]\\[a-z]:)[^\\/]",  # \\server\share; \\?\D:\videos is a drive
    re.IGNORECASE,
)


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
    if is_special(path):
        msg = f"{path} is no regular file, but a pipe, a socket or a device; put a file of text in its place."
        raise SourceError(msg)
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
    unusable: list[str] = []  # noqa: RUF012 - never changed
    """Lines that were left out, as they stand there."""
    is_text: bool = True

    @property
    def is_readable(self) -> bool:
        """Whether there is any name in it."""
        return bool(self.names)


def read_list(path: Path, notes: list[Rejection]) -> Listed:
    """A list of videos, one name or path a line. Only the last part of a path counts, and nothing is opened by it.

    Addresses of web pages, paths that climb (`..`) and repeated entries are left out with a note; so is a list that is no text.
    """
    try:
        lines = read_lines(path)
    except SourceError as error:
        notes.append(note(path.name, f"{error} Until then the list is left out."))
        return Listed(path, [], is_text=False)
    names: dict[str, None] = {}
    unusable = []
    for line in lines:
        reason = unsafe(line)
        if reason:
            unusable.append(line)
        elif stem(line) in names:
            reason = "is listed twice"
        if reason:
            notes.append(note(line, f"{path} lists {line!r}, which {reason}; the line is left out. Remove it."))
            continue
        names[stem(line)] = None
    return Listed(path, list(names), unusable)


def unsafe(path: str) -> str | None:
    """Why a path from a file is not followed, or None where it names something below a root."""
    parts = path.replace("\\", "/").split("/")
    plain = unicodedata.normalize("NFKC", path).strip()  # a colon or slash of another width is one
    if "://" in plain or _ADDRESS.match(plain):
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


class SplitLists(NamedTuple):
    """What the lists of a published split say of videos, by their names in small letters."""

    splits: dict[str, Split]
    """The split of every listed video."""
    doubtful: dict[str, str]
    """Videos that only a line names which cannot be used, with that line: on which side they are is unknown."""
    unread: list[Path]
    """Lists of which not one name could be read: any video may stand in them."""


def read_splits(files: Mapping[Split, Sequence[Path]], known: Iterable[str], root: Path, notes: list[Rejection]) -> SplitLists:
    """The split of every listed video.

    A video that lists of several splits name is tested on before it is trained on. Absent ones are noted.
    """
    there = list(known)
    by_name = {name.casefold() for name in there}
    splits: dict[str, Split] = {}
    doubtful: dict[str, str] = {}
    unread, empty = [], []
    order: tuple[Split, ...] = ("test", "validation", "train")
    for split in order:
        for file in files.get(split, ()):
            listed = read_list(file, notes)
            note_absent(listed, there, root, notes)
            unread += [] if listed.is_readable else [file]
            empty += [] if listed.names or listed.unusable or not listed.is_text else [file]
            for line in [*listed.unusable, *(name for name in listed.names if name.casefold() not in by_name)]:
                doubtful |= {name: f"{file} has the line {line!r}" for name in mentioned(line, by_name) if name not in doubtful}
            for name in listed.names:
                other = splits.setdefault(name.casefold(), split)
                if other != split:
                    what = f"{file} names {name} for the {split} split, another list for the {other} split"
                    notes.append(note(name, f"{what}, which is followed; remove it from one of the lists."))
    if by_name - splits.keys():  # an empty list matters where a video is in no other one
        notes += [
            note(file.name, f"{file} is empty: which videos it should name is unknown. Extract it again.") for file in empty
        ]
    return SplitLists(splits, {name: line for name, line in doubtful.items() if name not in splits}, unread)


def mentioned(line: str, names: Set[str]) -> list[str]:
    """Which of these names, in small letters, stand in a line that is no path.

    They stand between commas, quotation marks or blanks; where none does, between any signs that are neither letters nor digits
    (`_clip1_mp4`).
    """
    line = line.casefold()
    pieces = re.split(r"[^\w.-]+", line)
    whole = [name for name in dict.fromkeys(stem(piece) for piece in pieces) if name in names]
    return whole or [
        name for name in sorted(names) if name in line and re.search(rf"(?<![^\W_]){re.escape(name)}(?![^\W_])", line)
    ]
