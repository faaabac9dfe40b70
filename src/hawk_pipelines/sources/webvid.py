"""WebVid (Bain et al., ICCV 2021): videos with one caption each, to pretrain on.

    results_2M_train.csv, results_2M_val.csv      columns videoid, page_dir, name (the caption); others are not read
    videos/<page_dir>/<videoid>.mp4               or beside the tables; any ending of a video will do

Tables of millions of rows are read row by row. Rows whose video is not there are counted, not listed: nobody has all of them. The
addresses in `contentUrl` are never called. `val` in a table's name makes its videos test videos.
"""

import csv
import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from hawk_pipelines.schema import Rejection, Split
from hawk_pipelines.sources.links import is_followed
from hawk_pipelines.sources.reading import FoundVideo, Part, Reading, SourceError, TimedText, note
from hawk_pipelines.sources.text_files import beginning, open_text, unsafe
from hawk_pipelines.sources.tree import dataset_folder, files_in, is_file, is_video_file

TITLE = "WebVid"
LICENCE = (
    "WebVid: for non-commercial research; the videos belong to Shutterstock and its contributors, and the data set was withdrawn."
)
SIGNS = "results_2M_train.csv with the columns videoid, page_dir, name"
_COLUMNS = {"videoid", "page_dir", "name"}
_SHOWN = 3
"""Lines named of each kind of fault; a table of millions of rows may have as many faults."""


class Parameters(BaseModel):
    """Where the data set is."""

    model_config = ConfigDict(extra="forbid")

    path: Path = Path("data/01_raw/webvid")
    """A table, or the folder of all tables."""
    videos: Path | None = None
    """The folder of all `page_dir`; None is `videos` beside the tables, or the folder of the tables."""
    limit: int | None = Field(default=None, ge=1)
    """Take no more videos than this from each table."""


class Row(NamedTuple):
    """A row of a table."""

    line: int
    """The last one, where it runs over several."""
    lines: int
    videoid: str
    page_dir: str
    name: str


def looks_like(folder: Path) -> bool:
    """Whether a table with the columns is in it, or it is one."""
    return bool(_tables(folder)) or is_table(folder)


def read(parameters: Parameters) -> Reading:
    """Find the video of every row.

    Raises:
        SourceError: there is no table, or none that can be read.
    """
    path = parameters.path
    if path.is_file():
        root, tables = path.parent, [path] if is_table(path) else []
        if not tables:
            msg = f"{path} has not the columns {', '.join(sorted(_COLUMNS))}; set `ingest.webvid.path` to a table of {TITLE}."
            raise SourceError(msg)
    else:
        root = dataset_folder(path, "ingest.webvid.path", TITLE, looks_like, SIGNS)
        tables = _tables(root)
    base = parameters.videos or (root / "videos" if (root / "videos").is_dir() else root)
    if not base.is_dir():
        msg = f"{base} is no folder; set `ingest.webvid.videos` to the folder of all `page_dir`, or to null."
        raise SourceError(msg)
    found: dict[str, FoundVideo] = {}
    withheld: set[str] = set()
    blank = [file for file in files_in(root) if file.suffix.casefold() == ".csv" and not beginning(file).strip()]
    notes = [note(file.name, f"{file} is empty: which videos it should name is unknown. Extract it again.") for file in blank]
    parts = []
    for table in sorted(tables, key=lambda table: (_split(table) != "test", table)):  # tested on, if it is in two tables
        count, there = _read_table(table, base, parameters.limit, found, withheld, notes)
        parts.append(Part(f"videos of {table.name}", there, count))
    return Reading(list(found.values()), notes, LICENCE, parts)


def _read_table(
    table: Path, base: Path, limit: int | None, found: dict[str, FoundVideo], withheld: set[str], notes: list[Rejection]
) -> tuple[int, int]:
    """Add the videos of a table; how many rows it has, and how many of them have their video.

    Args:
        withheld: ids of test rows that cannot be used, to which this table adds: such a video is not trained on.
    """
    faults: dict[str, list[int]] = {}
    counts: Counter[str] = Counter()

    def fault(kind: str, line: int) -> None:
        counts[kind] += 1
        faults.setdefault(kind, [])
        if len(faults[kind]) < _SHOWN:
            faults[kind].append(line)

    split, listing, enters = _split(table), lru_cache(maxsize=1024)(_videos_in), lru_cache(maxsize=1024)(is_followed)
    rows = taken = 0
    try:
        for row in read_rows(table):
            rows += 1
            if limit is not None and taken >= limit:
                continue
            if row.lines > 1:
                fault("run over several lines, maybe for want of a closing quote", row.line)
                withheld |= {row.videoid} if split == "test" else set()
            elif not (row.videoid and row.name):
                fault("lack the videoid or the caption", row.line)
                withheld |= {row.videoid} if split == "test" else set()
            elif _leaves(row):
                fault("name a file outside the videos' folder or on the web", row.line)
                withheld |= {row.videoid} if split == "test" else set()
            elif split != "test" and row.videoid in withheld:
                fault("name a video of a test table's row that cannot be used", row.line)
            elif (file := _file(base, row, listing, enters)) is None:
                fault(f"name a video that is not below {base}", row.line)
            elif (name := str(PurePosixPath(row.page_dir, file))) in found:
                fault("repeat a video", row.line)
            else:
                captions = [TimedText(0.0, None, row.name)]
                found[name] = FoundVideo(base / name, name, split=split, split_by="official", captions=captions)
                taken += 1
    except SourceError as error:
        notes.append(note(table.name, f"{error} What came before it is used."))
    if not rows and not any(one.item == table.name for one in notes):
        notes.append(note(table.name, f"{table} has no row: which videos it should name is unknown. Extract it again."))
    for kind, lines in faults.items():
        some = ", ".join(map(str, lines)) + (", …" if counts[kind] > len(lines) else "")
        notes.append(note(table.name, f"{counts[kind]:,} of {rows:,} rows of {table} {kind} (line {some}); they are left out."))
    return rows, taken


def read_rows(table: Path) -> Iterator[Row]:
    """The rows of a table, one after the other, so that its size does not matter. Missing cells are empty.

    Raises:
        SourceError: the file is no text, or a row is no row.
    """
    with open_text(table) as file:
        reader = csv.reader(file)
        try:
            header = [cell.strip() for cell in next(reader, [])]
            places = [header.index(name) if name in header else len(header) for name in ("videoid", "page_dir", "name")]
            before = reader.line_num
            for cells in reader:
                if cells:
                    values = [" ".join(cells[place].split()) if place < len(cells) else "" for place in places]
                    yield Row(reader.line_num, reader.line_num - before, *values)
                before = reader.line_num
        except csv.Error as error:
            msg = f"{table} cannot be read after line {reader.line_num} ({error}); mend the line."
            raise SourceError(msg) from error


def _tables(folder: Path) -> list[Path]:
    return [file for file in files_in(folder) if file.suffix.casefold() == ".csv" and is_table(file)]


def is_table(file: Path) -> bool:
    """Whether it is a file, and a table with the columns."""
    if not is_file(file):
        return False
    header = (beginning(file).splitlines() or [""])[0]
    with suppress(csv.Error):  # what has no such header is no table of ours
        return {cell.strip() for cell in next(csv.reader([header]), [])} >= _COLUMNS
    return False


def _split(table: Path) -> Split | None:
    """From the table's name, or from the two folders around it: `data/val/partitions/0000.csv`."""
    for name in (table.stem, table.parent.name, table.parent.parent.name):
        words = set(name.casefold().replace("-", "_").split("_"))
        if words & {"val", "validation", "test"}:
            return "test"
        if "train" in words:
            return "train"
    return None


def _leaves(row: Row) -> bool:
    """Whether a row's path would leave the folder that it is joined to."""
    absolute = row.page_dir.startswith(("/", "\\"))
    plain = not set("/\\\0") & set(row.videoid) and row.videoid not in (".", "..")
    return absolute or not plain or unsafe(row.page_dir) is not None


def _file(base: Path, row: Row, listing: Callable[[str], dict[str, str]], enters: Callable[[str], bool]) -> str | None:
    """The name of a video's file, whatever its ending. The usual one is tried first: it costs less than to list a folder."""
    usual, folder = f"{row.videoid}.mp4", f"{base}/{row.page_dir}"
    file = f"{folder}/{usual}"
    if os.path.isfile(file) and enters(folder) and (not os.path.islink(file) or is_followed(file)):  # noqa: PTH113, PTH114 - for each of millions of rows, a Path costs more than the look
        return usual
    return listing(folder).get(row.videoid)


def _videos_in(folder: str) -> dict[str, str]:
    return {file.stem: file.name for file in files_in(Path(folder)) if is_video_file(file)}
