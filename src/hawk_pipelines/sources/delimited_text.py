"""Tables as text (CSV and its kin), as people and spreadsheet programs write them: decoded, and cut into numbered records.

A record whose cells cannot be told for certain is given with the reason instead, and the next line begins a new one: a quote that
was not closed costs its own line only.
"""

import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from hawk_pipelines.sources.reading import SourceError
from hawk_pipelines.sources.text_files import open_text

DELIMITERS = ",;\t|"
SAVE_AS = "save it as UTF-8 (in Excel: `CSV UTF-8`)"
_UMLAUTS = "ÄÖÜäöüß".encode("windows-1252")
_LONE_UMLAUT = re.compile(rb"[\x00-\x7f]*(?:(?<![\x80-\xff])[" + _UMLAUTS + rb"](?![\x80-\xff])[\x00-\x7f]*)*")
_MARKS: tuple[tuple[re.Pattern[bytes], bytes], ...] = (
    (re.compile(rb"(?<![\w\x80-\xff])\x93([^\x93\x94\r\n]*)\x94(?![\w\x80-\xff])"), rb'"\1"'),
    (re.compile(rb"(?<=[A-Za-z])\x92(?=(?:s|t|d|m|ll|re|ve)(?![\w\x80-\xff]))"), b"'"),
    (re.compile(rb"(?<![\w\x80-\xff])\x91([^\x91\x92\r\n]*)\x92(?![\w\x80-\xff])"), rb"'\1'"),
    (re.compile(rb"(?<=[ 0-9])[\x96\x97](?=[ 0-9])"), b"-"),
    (re.compile(rb"(?<![\w\x80-\xff])\x95(?= )"), b"*"),
)
"""Quotation marks, apostrophes, dashes and bullets of all Windows code pages, where they stand as such, and what they are like in
ASCII. In other encodings these bytes are letters."""
_ESCAPED_QUOTE = '\\"'
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
    all code pages of Western and Central Europe, and in others their bytes do not stand alone between Latin letters. Typographic
    quotation marks and dashes may stand there, too.

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
        content = letters = path.read_bytes()
        for mark, plain in _MARKS:
            letters = mark.sub(plain, letters)
        if not _LONE_UMLAUT.fullmatch(letters):
            msg = f"{path} is no text in UTF-8 or UTF-16, and which letters it means is not certain; {SAVE_AS}."
            raise SourceError(msg) from error
        kinds = [
            *(["umlauts"] if re.search(rb"[\x80-\xff]", letters) else []),
            *(["quotation marks or dashes"] if letters != content else []),
        ]
        remark = f"{path} is not UTF-8 and was read as Windows-1252 (for its {' and '.join(kinds)}); {SAVE_AS}."
        return content.decode("windows-1252"), remark


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
    literal = _trimmed(line.split(delimiter), width)
    if '"' not in line:
        return Record(position + 1, literal), 1
    spaced_first = re.search(rf'(^|{re.escape(delimiter)}) +"', line) is not None
    readings = (_parse, _parse_spaced, _parse_escaped)
    for read in (_parse_spaced, _parse, _parse_escaped) if spaced_first else readings:
        parsed = read(lines, position, delimiter)
        if parsed is None or _swallows_row(lines, position, parsed.height, delimiter, width, begins_row):
            continue
        cells = _trimmed(parsed.cells, width)
        is_uncertain = any(map(_has_lone_quote, cells)) and not (spaced_first and read is _parse_spaced)
        if len(cells) == width and not is_uncertain and not any(_ESCAPED_QUOTE in cell for cell in cells):
            return Record(position + 1, cells), parsed.height
    if _ESCAPED_QUOTE in line:
        fault = f"what {_ESCAPED_QUOTE} in it means is not certain: put quotes around the text, and write those in it twice"
        return Record(position + 1, literal, fault), 1
    # Quotes that are part of a text, such as `"Stop" he says.`, stand on one line and are even in number.
    if len(literal) == width and not any(cell.count('"') % 2 for cell in literal):
        return Record(position + 1, literal), 1
    plain = _parse(lines, position, delimiter)
    if plain and plain.height == 1 and not any(map(_has_lone_quote, plain.cells)):
        return Record(position + 1, _trimmed(plain.cells, width)), 1  # more or fewer cells than the header
    return Record(position + 1, literal, "a quote in it has no other, or runs on over the lines below"), 1


def _has_lone_quote(cell: str) -> bool:
    """Whether a cell, as parsed, begins or ends with a quote that has no other. One after a number may mean inches."""
    return cell.count('"') % 2 == 1 and re.match(r'\s*"|.*[^0-9\s]"\s*$', cell, re.DOTALL) is not None


def _parse(
    lines: Sequence[str],
    position: int,
    delimiter: str,
    rewrite: Callable[[str], str] | None = None,
    *,
    skip_blanks: bool = False,
) -> _Parsed | None:
    """The record that begins at a line, each line rewritten before; None where its quotes are no pairs."""
    rest: Iterable[str] = (lines[index] for index in range(position, len(lines)))
    rest = map(rewrite, rest) if rewrite else rest
    reader = csv.reader(rest, delimiter=delimiter, skipinitialspace=skip_blanks, strict=True)
    try:
        return _Parsed(next(reader), reader.line_num)
    except csv.Error:
        return None


def _parse_spaced(lines: Sequence[str], position: int, delimiter: str) -> _Parsed | None:
    """The record as it is without the blanks between its quotes and separators."""
    separator, blank = re.escape(delimiter), r" " if delimiter == "\t" else r"[ \t]"
    # Two quotes inside a text are one that is part of it: a quote that closes is the last of an odd number, or of an empty cell.
    closing = re.compile(rf'((?<!")(?:"")*"|(?:^|(?<={separator}))""){blank}+(?={separator}|[\r\n]*$)')
    return _parse(lines, position, delimiter, lambda line: closing.sub(r"\1", line), skip_blanks=True)


def _parse_escaped(lines: Sequence[str], position: int, delimiter: str) -> _Parsed | None:
    """The record whose quoted texts write every quote inside them with a backslash; None where one is written otherwise."""
    parsed = _parse(lines, position, delimiter, lambda line: line.replace(_ESCAPED_QUOTE, '""'))
    written = "".join(lines[position : position + parsed.height]) if parsed else ""
    separator = re.escape(delimiter)
    # Two quotes may be an empty cell, or one with a backslash and the one that ends the text.
    is_mixed = re.search(rf'(?<![\\{separator}])""|""(?!{separator}|[\r\n]|$)|\\\\"', written) is not None
    if parsed is None or is_mixed or any('""' in cell for cell in parsed.cells):  # the last: outside a quoted text
        return None
    return parsed


def _swallows_row(
    lines: Sequence[str], position: int, height: int, delimiter: str, width: int, begins_row: Callable[[list[str]], bool]
) -> bool:
    """Whether a record over several lines holds a row of its own, so that a quote was not closed before it.

    A text may begin a line with the name of a video. A row has as many cells as the header there, and a blank after its first
    separator only if the record has one. Where the quote ends in that row, the line where it began would be a row, too.
    """
    first, *following = (line.rstrip("\r\n").split(delimiter) for line in lines[position : position + height])
    is_spaced = any(cell[:1].isspace() for cell in first[1:2])
    return any(
        begins_row([cell.strip(' "') for cell in cells])
        and len(cells) >= width
        and (is_spaced or not cells[1][:1].isspace())
        and (len(first) >= width or delimiter.join(cells).count('"') % 2 == 0)
        for cells in following
    )


def _trimmed(cells: list[str], width: int) -> list[str]:
    """Without empty cells after the last column, which spreadsheet programs add."""
    while len(cells) > width and not cells[-1].strip():
        cells = cells[:-1]
    return cells
