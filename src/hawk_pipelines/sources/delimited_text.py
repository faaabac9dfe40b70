"""Tables as text (CSV and its kin), as people and spreadsheet programs write them: decoded, and cut into numbered records.

A record whose cells cannot be told for certain is given with the reason instead, and the next line begins a new one: a quote that
was not closed costs its own line only.
"""

import csv
import io
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from hawk_pipelines.sources.reading import SourceError
from hawk_pipelines.sources.text_files import open_text

DELIMITERS = ",;\t|"
SAVE_AS = "save it as UTF-8 (in Excel: `CSV UTF-8`)"
_UMLAUTS = "ÄÖÜäöüß".encode("windows-1252")
_LONE_UMLAUT = re.compile(rb"[\x00-\x7f]*(?:(?<![\x80-\xff])[" + _UMLAUTS + rb"](?![\x80-\xff])[\x00-\x7f]*)*")
_WORKBOOKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")


class Record(NamedTuple):
    """A row of a table."""

    line: int
    """Where it begins, counted from 1."""
    cells: list[str]
    """As written, blanks included. Of a record with a fault those that its first line seems to have."""
    fault: str | None = None
    """Why its cells are not certain."""


def decode_table(path: Path) -> tuple[str, str | None]:
    """The text of a file, and what was taken for granted to read it.

    UTF-8 and UTF-16, and Windows-1252 where the only foreign letters are German umlauts that stand alone: those are the same in
    all code pages of Western and Central Europe, and in others their bytes do not stand alone between Latin letters.

    Raises:
        SourceError: it cannot be read, or its encoding is not certain.
    """
    try:
        with path.open("rb") as file:
            head = file.read(4)
        if head.startswith(_WORKBOOKS):
            msg = f"{path} is a workbook and no text; {SAVE_AS}."
            raise SourceError(msg)
        with open_text(path) as text:
            return text.read(), None
    except OSError as error:
        msg = f"{path} cannot be read ({error.strerror}); check that it is there and its permissions."
        raise SourceError(msg) from error
    except SourceError as error:
        if not isinstance(error.__cause__, UnicodeError):
            raise
        content = path.read_bytes()
        if not _LONE_UMLAUT.fullmatch(content):
            msg = f"{path} is no text in UTF-8 or UTF-16, and which letters it means is not certain; {SAVE_AS}."
            raise SourceError(msg) from error
        return content.decode("windows-1252"), f"{path} is not UTF-8 and was read as Windows-1252 (for its umlauts); {SAVE_AS}."


def split_lines(text: str) -> list[str]:
    """The lines of a text with their ends; only line feeds and carriage returns end one."""
    return list(io.StringIO(text, newline=""))


def read_cells(line: str, delimiter: str) -> list[str]:
    """The cells of one line, blanks around them and quotes removed."""
    try:
        return [cell.strip() for cell in next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), [])]
    except csv.Error:
        return [cell.strip() for cell in line.split(delimiter)]


def read_records(
    lines: Sequence[str], start: int, delimiter: str, width: int, begins_row: Callable[[list[str]], bool]
) -> Iterator[Record]:
    """The records of a table.

    Args:
        lines: of the whole file, with their ends.
        start: the index of the first line after the header.
        delimiter: what separates cells.
        width: how many cells the header has.
        begins_row: whether the cells of a line look like a row of their own: then a quote before it was not closed.

    Yields:
        Records in order, without those whose cells are all empty.
    """
    position = start
    while position < len(lines):
        record, height = _read_record(lines, position, delimiter, width, begins_row)
        position += height
        if record.fault or any(cell.strip() for cell in record.cells):
            yield record


class _Parsed(NamedTuple):
    cells: list[str]
    height: int


def _read_record(
    lines: Sequence[str], position: int, delimiter: str, width: int, begins_row: Callable[[list[str]], bool]
) -> tuple[Record, int]:
    """The record that begins at a line, and how many lines it has."""
    line = lines[position].rstrip("\r\n")
    if '"' not in line:
        return Record(position + 1, _trimmed(line.split(delimiter), width)), 1
    literal = _trimmed(line.split(delimiter), width)
    plain = _parse(lines, position, delimiter, skip_blanks=False)
    blank_before_quote = re.search(rf'(^|{re.escape(delimiter)}) +"', line) is not None
    spaced = _parse(lines, position, delimiter, skip_blanks=True) if blank_before_quote else None
    for parsed in (spaced, plain):
        if parsed is None or _swallows_row(lines, position, parsed.height, delimiter, begins_row):
            continue
        cells = _trimmed(parsed.cells, width)
        if len(cells) == width and (parsed is spaced or not any(map(_has_lone_quote, cells))):
            return Record(position + 1, cells), parsed.height
    # Quotes that are part of a text, such as `"Stop" he says.`, stand on one line and are even in number.
    if len(literal) == width and not any(cell.count('"') % 2 for cell in literal):
        return Record(position + 1, literal), 1
    if plain and plain.height == 1 and not any(map(_has_lone_quote, plain.cells)):
        return Record(position + 1, _trimmed(plain.cells, width)), 1  # more or fewer cells than the header
    return Record(position + 1, literal, "a quote in it has no other, or runs on over the lines below"), 1


def _has_lone_quote(cell: str) -> bool:
    """Whether a cell, as parsed, begins or ends with a quote that has no other. One after a number may mean inches."""
    return cell.count('"') % 2 == 1 and re.match(r'\s*"|.*[^0-9\s]"\s*$', cell, re.DOTALL) is not None


def _parse(lines: Sequence[str], position: int, delimiter: str, *, skip_blanks: bool) -> _Parsed | None:
    """The record that begins at a line; None where its quotes are no pairs."""
    rest = (lines[index] for index in range(position, len(lines)))
    reader = csv.reader(rest, delimiter=delimiter, skipinitialspace=skip_blanks, strict=True)
    try:
        return _Parsed(next(reader), reader.line_num)
    except csv.Error:
        return None


def _swallows_row(
    lines: Sequence[str], position: int, height: int, delimiter: str, begins_row: Callable[[list[str]], bool]
) -> bool:
    following = lines[position + 1 : position + height]
    return any(begins_row([cell.strip(' "\r\n') for cell in line.split(delimiter)]) for line in following)


def _trimmed(cells: list[str], width: int) -> list[str]:
    """Without empty cells after the last column, which spreadsheet programs add."""
    while len(cells) > width and not cells[-1].strip():
        cells = cells[:-1]
    return cells
