"""The table of what happens in a folder's videos, `captions.csv`: its rows with their lines, and the rows that cannot be read.

What is certain is read however it is written: separators, decimals and encodings of spreadsheet programs, headers with blanks or
capitals. Everything else is refused by its line.
"""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from hawk_pipelines.schema import Rejection, Split
from hawk_pipelines.sources.delimited_text import (
    DELIMITERS,
    SAVE_AS,
    Record,
    decode_table,
    read_cells,
    read_records,
    split_lines,
)
from hawk_pipelines.sources.reading import SourceError, note, some
from hawk_pipelines.sources.table_labels import NORMAL, read_label, without_marks
from hawk_pipelines.sources.table_numbers import is_number, read_seconds
from hawk_pipelines.sources.tree import is_video_file

COLUMNS = ("video", "start_s", "end_s", "caption", "label", "split", "group")
_TEXTS = ("caption", "label", "group")
_ROW_NUMBER = "row number"
"""Stands for the header of a column that counts the rows: no header is compared equal to it."""
_NAME_CELLS = 4
"""Into how many cells a name with separators may have been cut."""
_SPLITS: dict[str, Split] = {
    "train": "train", "training": "train", "test": "test", "testing": "test",
    "val": "validation", "validation": "validation", "valid": "validation",
}  # fmt: skip


@dataclass(frozen=True)
class CaptionRow:
    """A row. `start_s` and `end_s` are None where they are not said."""

    line: int
    video: str
    start_s: float | None = None
    end_s: float | None = None
    caption: str = ""
    label: str | None = None
    split: Split | None = None
    group: str | None = None


class RefusedRow(NamedTuple):
    """A row that cannot be read as a whole, and what of it is certain all the same."""

    line: int
    video: str | None
    """As written."""
    reason: str
    anomaly_possible: bool
    """Whether its label may be that of an anomaly."""
    split: Split | None = None
    group: str | None = None
    unknown: frozenset[str] = frozenset()
    """Of `split` and `group` those that it may say and that cannot be read."""


class CaptionsTable(NamedTuple):
    """A table, read."""

    rows: list[CaptionRow]
    refused: list[RefusedRow]
    notes: list[Rejection]
    """About the table, and about rows that are read all the same; refused ones have their reason."""


def read_captions_table(path: Path, is_video: Callable[[str], bool]) -> CaptionsTable:
    """Read a table of captions.

    Args:
        path: the file.
        is_video: whether a cell names a video.

    Raises:
        SourceError: it cannot be read as text, or is no table with the columns that it needs.
    """
    text, remark = decode_table(path)
    notes = [note(path.name, remark)] if remark else []
    lines = split_lines(text)
    layout = _read_layout(path, lines)
    doubled = [name for name, count in Counter(layout.columns).items() if name and count > 1]
    if doubled:
        what = f"{path} has the column {some(doubled)} more than once; rows in which the cells differ are left out"
        notes.append(note(f"{path.name}:{layout.start}", f"{what}. Remove or rename one."))
    video = layout.columns.index("video")

    def begins_row(cells: list[str]) -> bool:
        named = without_marks(cells[video]) if len(cells) > 1 and video < len(cells) else ""
        return bool(named) and (is_video(named) or is_video_file(PurePosixPath(named)))

    rows: list[CaptionRow] = []
    refused: list[RefusedRow] = []
    records = list(read_records(lines, layout.start, layout.delimiter, len(layout.columns), begins_row))
    for index in _row_numbers(layout.columns, records):
        layout.columns[index] = _ROW_NUMBER
        what = f"Column {index + 1} of {path} has no header and counts the rows; it is not used"
        notes.append(note(f"{path.name}:{layout.start}", f"{what}. Remove it, or go on."))
    for record in records:
        remarks: list[str] = []
        ends_early = record.line == len(lines) and not lines[-1].endswith(("\n", "\r"))
        read = _Reader(layout, ends_early, is_video).read(record, remarks)
        if isinstance(read, CaptionRow):
            rows.append(read)
            notes += [note(f"{path.name}:{record.line}", f"Line {record.line} of {path} {remark}") for remark in remarks]
        else:
            refused.append(
                read._replace(reason=f"Line {record.line} of {path} was left out ({'; '.join(remarks)}); mend the line.")
            )
    return CaptionsTable(rows, refused, notes)


class _Layout(NamedTuple):
    """How a table is written."""

    columns: list[str]
    delimiter: str
    start: int
    """Index of the line after the header."""


def _read_layout(path: Path, lines: list[str]) -> _Layout:
    delimiters = DELIMITERS
    filled = [index for index, line in enumerate(lines) if line.strip(" \t\r\n\ufeff")]
    header = filled[0] if filled else 0
    first = without_marks(lines[header]) if filled else ""
    declared = re.fullmatch(r"sep=(.|\\t)", first, re.IGNORECASE)
    if declared:  # the first line that Excel writes and reads
        delimiters = declared[1].replace("\\t", "\t")
        header = filled[1] if len(filled) > 1 else header
    written = {delimiter: read_cells(lines[header] if filled else "", delimiter) for delimiter in delimiters}
    layouts = [_Layout([_column(cell) for cell in cells], key, header + 1) for key, cells in written.items()]
    layouts = [layout for layout in layouts if "video" in layout.columns]
    layout = max(layouts, key=lambda layout: len(layout.columns), default=None)
    if layout is None or set(layout.columns) - {*COLUMNS, ""}:
        columns = written[layout.delimiter if layout else delimiters[0]]
        if layout:
            unknown = [cell for cell in columns if _column(cell) not in {*COLUMNS, ""}]
            msg = f"{path} has the column(s) {some(unknown)}, but only {', '.join(COLUMNS)} are known; rename or remove them."
            raise SourceError(msg)
        needed = f"`video` is needed and only {sorted(COLUMNS)} are known"
        msg = f"{path} has the columns {columns}, but {needed}; rename them, or, if it is no such table, {SAVE_AS}."
        raise SourceError(msg)
    return layout


def _row_numbers(columns: Sequence[str], records: Sequence[Record]) -> list[int]:
    """The columns without a header whose cells are 0, 1, 2 and so on, as some programs write them before the others."""
    return [
        index
        for index, column in enumerate(columns)
        if not column
        and records
        and all(record.cells[index : index + 1] == [str(number)] for number, record in enumerate(records))
    ]


def _column(cell: str) -> str:
    """A header as it is compared: without quotes, blanks around it, byte-order mark, and capitals."""
    return re.sub(r"[\s-]+", "_", without_marks(cell).casefold())


class _Reader(NamedTuple):
    """Reads one record; what it has to say goes to a list of remarks."""

    layout: _Layout
    ends_early: bool
    """Whether the record is the last line and that has no end: the file may have been cut there."""
    is_video: Callable[[str], bool]

    def read(self, record: Record, remarks: list[str]) -> CaptionRow | RefusedRow:
        cells = self._fitting(record, remarks)
        if cells is None:
            return self._refused(record)
        values: dict[str, str] = {}
        faults = []
        for column, cell in zip(self.layout.columns, cells, strict=True):
            value = cell.strip()
            if column == "video" and not self.is_video(value):
                value = without_marks(value)
            if column == _ROW_NUMBER:
                continue
            if value and not column:
                faults.append(f"{value[:40]!r} stands below no header")
            elif value and values.setdefault(column, value) != value:
                faults.append(f"its two cells of {column} differ")
                values[column] = ""
        row: dict[str, object] = {name: values[name] for name in ("video", *_TEXTS) if values.get(name)}
        for name in ("start_s", "end_s"):
            if values.get(name):
                try:
                    row[name] = read_seconds(values[name], decimal_comma=self.layout.delimiter == ";")
                except ValueError as error:
                    faults.append(f"{name}: {error}")
        if values.get("label"):
            try:
                row["label"] = read_label(values["label"])
            except ValueError as error:
                faults.append(str(error))
        if values.get("split"):
            row["split"] = _SPLITS.get(values["split"].casefold())
            if row["split"] is None:
                faults.append(f"split: {values['split']!r} is none of train, validation and test")
        if "video" not in values:
            faults.append("video: it names none")
        start_s, end_s = row.get("start_s") or 0.0, row.get("end_s")
        if end_s is not None and end_s <= start_s:  # type: ignore[operator]
            faults.append(f"it ends at {end_s} s, not after its start at {start_s} s")
        if not faults:
            return CaptionRow(record.line, **row)  # type: ignore[arg-type]
        remarks += faults
        return RefusedRow(
            record.line,
            values.get("video"),
            "",
            "label" in values and row.get("label") != NORMAL,
            row.get("split"),  # type: ignore[arg-type]
            row.get("group"),  # type: ignore[arg-type]
            frozenset(name for name in ("split", "group") if name in values and row.get(name) is None),
        )

    def _fitting(self, record: Record, remarks: list[str]) -> list[str] | None:
        """As many cells as the header has; None where it is not certain which cell belongs to which column."""
        if record.fault:
            remarks.append(record.fault)
            return None
        cells, columns = record.cells, self.layout.columns
        difference = len(cells) - len(columns)
        if difference == 0:
            return cells
        counted = f"it has {len(cells)} cells, the header {len(columns)}"
        if difference > 0:
            last = cells[len(columns) - 1 :]
            prose = all(piece[:1] == " " and piece.strip() for piece in last[1:])
            certain = not {"label", "group", ""} & set(columns[:-1])
            if columns[-1] == "caption" and self.layout.delimiter == "," and prose and certain:
                return [*cells[: len(columns) - 1], ",".join(last)]
            remarks.append(f"{counted}: a text with `{self.layout.delimiter}` in it needs quotes around it")
            return None
        if len(cells) == 1 and any(delimiter in cells[0] for delimiter in DELIMITERS):
            remarks.append("its cells are separated otherwise than the header's")
            return None
        missing = some([name for name in columns[len(cells) :] if name])
        if not self._is_certain(cells):
            remarks.append(f"{counted}, so it is not certain which are missing")
            return None
        remarks.append(f"lacks its last cell(s) ({missing}), which count as empty; add the separators to be sure.")
        return cells + [""] * -difference

    def _is_certain(self, cells: list[str]) -> bool:
        """Whether the cells that are there stand below their headers.

        A caption is a sentence there, and nothing else is one. Without a caption no cell may be meant for a missing column.
        """
        values = {name: cell.strip() for name, cell in zip(self.layout.columns, cells, strict=False) if cell.strip()}
        values.pop(_ROW_NUMBER, None)
        if self.ends_early and not re.search(r"[.!?…]$", cells[-1].strip()):
            return False
        others = [values[name] for name in ("label", "group") if name in values]
        if any(_is_sentence(text) or text.casefold() in _SPLITS for text in others):
            return False
        if "caption" in values:
            return _is_sentence(values["caption"])
        missing = set(self.layout.columns[len(cells) :])
        has_number = any(map(is_number, values.values()))
        has_text = any(not is_number(text) and without_marks(text).casefold() != NORMAL for text in others)
        return not (has_number and missing & {"start_s", "end_s"}) and not (has_text and missing & set(_TEXTS))

    def _refused(self, record: Record) -> RefusedRow:
        columns = self.layout.columns
        unknown_columns = frozenset({"split", "group"} & set(columns))
        return RefusedRow(record.line, self._video_of(record.cells), "", "label" in columns, unknown=unknown_columns)

    def _video_of(self, cells: list[str]) -> str | None:
        """The video that a row of uncertain cells names. The name may hold separators, or the row others than the header."""
        first = self.layout.columns.index("video")
        widths = range(min(_NAME_CELLS, len(cells) - first), 0, -1)
        names = [self.layout.delimiter.join(cells[first : first + width]) for width in widths]
        names += [*cells, *re.split(f"[{DELIMITERS}]", self.layout.delimiter.join(cells))]
        names = [form for name in names for form in (name.strip(' "'), without_marks(name))]
        return next((name for name in names if name and self.is_video(name)), None)


def _is_sentence(text: str) -> bool:
    return len(text.split()) > 2 or re.search(r"[.!?…]$", text) is not None
