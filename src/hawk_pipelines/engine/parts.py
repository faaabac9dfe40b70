"""A part of an array in a safetensors file, without the rest, and without mapping the file into memory.

Pages of a mapped file count as the process's memory and stay with it: reading millions of items at random would, in the end,
keep the whole store there. Here only what is asked for is read, into memory that goes when its array goes.
"""

import json
import os
import weakref
from functools import lru_cache, partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from hawk_pipelines.errors import HawkError

OPEN_FILES = 128
"""So many files are kept open; the one that was used longest ago is closed for another."""

_DTYPES = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "BOOL": "|b1",
    "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "|i1",
    "U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "|u1",
}  # fmt: skip
_LONGEST_HEADER = 100_000_000
"""Bytes; the format's own limit."""


class UnreadablePart(HawkError):
    """A file that does not give what is asked of it."""


class _Layout(NamedTuple):
    dtype: np.dtype
    shape: tuple[int, ...]


class _Header:
    """Where the arrays of a file begin: some 50 bytes an array, since a store of millions of items has as many of them."""

    def __init__(self, described: dict[str, dict], start: int) -> None:
        described.pop("__metadata__", None)
        names = sorted(described)
        self._names = np.array([name.encode() for name in names], "S")
        self._begins = np.array([start + described[name]["data_offsets"][0] for name in names], np.int64)
        kinds: dict[_Layout, int] = {}
        layouts = (_Layout(np.dtype(_DTYPES[one["dtype"]]), tuple(one["shape"])) for one in map(described.__getitem__, names))
        self._layout_of = np.array([kinds.setdefault(layout, len(kinds)) for layout in layouts], np.int32)
        self._layouts = list(kinds)

    def find(self, name: str) -> tuple[int, _Layout]:
        """Where an array begins in the file, and how it is laid out.

        Raises:
            KeyError: there is none of that name.
        """
        wanted = name.encode()
        place = int(np.searchsorted(self._names, wanted))
        if place == len(self._names) or self._names[place] != wanted:
            raise KeyError(name)
        return int(self._begins[place]), self._layouts[self._layout_of[place]]

    def names(self) -> list[str]:
        """Of all arrays."""
        return [name.decode() for name in self._names.tolist()]


class _Opened:
    """An open file. It is closed when nobody uses it any more, so that no other thread can close it in the middle of a read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        weakref.finalize(self, os.close, self.descriptor)

    def read(self, size: int, offset: int) -> np.ndarray:
        """So many bytes from there: uint8 [size].

        Raises:
            UnreadablePart: the file ends before.
        """
        content = np.empty(size, np.uint8)
        done = 0
        while done < size:  # the system may give less than is asked for
            count = os.preadv(self.descriptor, [content.data[done:]], offset + done)
            if not count:
                found = os.fstat(self.descriptor).st_size
                msg = f"{self.path} has {found} bytes, but at least {offset + size} were written"
                raise UnreadablePart(msg)
            done += count
        return content

    def header(self) -> _Header:
        """Where its arrays are."""
        length = int(self.read(8, 0).view("<u8")[0])
        if length > _LONGEST_HEADER:
            msg = f"{self.path} does not begin as a safetensors file does"
            raise UnreadablePart(msg)
        try:
            return _Header(json.loads(self.read(length, 8).tobytes()), 8 + length)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            msg = f"The header of {self.path} makes no sense ({error!r})"
            raise UnreadablePart(msg) from error


class PartReader:
    """Parts of arrays of files in a folder. Threads may share it, and a forked process may go on with it.

    Files never change under the name that they have: each header is read once.
    """

    def __init__(self, folder: Path) -> None:
        self._headers: dict[Path, _Header] = {}
        self._folder = folder
        self._open = lru_cache(OPEN_FILES)(partial(_open, self._headers))  # it has no lock that a fork could leave locked

    def read(self, file: str, names: dict[str, str], part: int) -> dict[str, np.ndarray]:
        """A slice of the leading axis of some arrays.

        Args:
            file: its name in the folder.
            names: what each array is called in the file, by what it shall be called.
            part: which slice.

        Raises:
            UnreadablePart: the file is gone, shorter than it was, or has no such array or slice.
        """
        path = self._folder / file
        try:
            return _read(*self._open(path), names, part)
        except OSError as error:
            msg = f"{path} cannot be read ({error.strerror})"
            raise UnreadablePart(msg) from error

    def forget(self) -> None:
        """Close all files, and forget their headers."""
        self._open.cache_clear()
        self._headers.clear()


def read_part(path: Path, part: int) -> dict[str, np.ndarray]:
    """A slice of the leading axis of every array of a file that is opened for this once. Arguments and errors as above."""
    try:
        opened, header = _open({}, path)
        return _read(opened, header, {name: name for name in header.names()}, part)
    except OSError as error:
        msg = f"{path} cannot be read ({error.strerror})"
        raise UnreadablePart(msg) from error


def _open(headers: dict[Path, _Header], path: Path) -> tuple[_Opened, _Header]:
    opened = _Opened(path)
    header = headers.get(path) or headers.setdefault(path, opened.header())
    return opened, header


def _read(opened: _Opened, header: _Header, names: dict[str, str], part: int) -> dict[str, np.ndarray]:
    arrays = {}
    for name, own in names.items():
        try:
            begin, (dtype, shape) = header.find(own)
        except KeyError:
            msg = f"{opened.path} has no array {own}"
            raise UnreadablePart(msg) from None
        if not shape or not 0 <= part < shape[0]:
            msg = f"The array {own} of {opened.path} has the shape {list(shape)}, and so no part {part}"
            raise UnreadablePart(msg)
        size = dtype.itemsize * int(np.prod(shape[1:], dtype=np.int64))
        arrays[name] = opened.read(size, begin + part * size).view(dtype).reshape(shape[1:])
    return arrays
