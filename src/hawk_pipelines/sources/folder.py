"""Any directory of videos: files, and folders of numbered pictures.

A file `captions.csv` in it, where there is one, says what happens in them. Its columns are `video` (path inside the directory)
and, each optional: `start_s`, `end_s`, `caption`, `label` (the class of the anomaly, or "normal"), `split` ("train", "validation"
or "test") and `group` (the source video that it was cut from: a group is never on both sides of the split). One row a caption.
`start_s` and `end_s` of a row with a label other than "normal" also say where the anomaly is: without `end_s` to the end of the
video, without `start_s` from its beginning. A video that is "normal" at some times only, in rows without a caption, has no label.
"""

import logging
import os
import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from hawk_pipelines.schema import Rejection
from hawk_pipelines.sources.caption_rows import VideoFacts, combine_rows, join_groups, note_times
from hawk_pipelines.sources.captions_table import CaptionRow, RefusedRow, read_captions_table
from hawk_pipelines.sources.folder_contents import read_contents
from hawk_pipelines.sources.links import is_followed, link_rules
from hawk_pipelines.sources.reading import FoundVideo, Reading, SourceError, existing_folder, note, some
from hawk_pipelines.sources.table_labels import NORMAL
from hawk_pipelines.sources.tree import VIDEO_EXTENSIONS
from hawk_pipelines.sources.video_names import VideoNames

logger = logging.getLogger(__name__)

TABLE = "captions.csv"
_READ_AS_TABLE = {".csv", ".tsv", ".tab", ".txt"}
_TABLE_NAME = re.compile(r"captions?(\.[a-z]+)*\.(csv|tsv|tab|txt)")


class Parameters(BaseModel):
    """Where the videos are."""

    model_config = ConfigDict(extra="forbid")

    path: Path = Path("data/01_raw/videos")
    licence: str | None = None
    """Under which terms you may use them; shown at each ingest and kept with every video."""


def read(parameters: Parameters) -> Reading:
    """Find every video below the directory, and what its table says of each.

    Raises:
        SourceError: the directory is missing or holds no video, or `captions.csv` is not the table it should be or a link that is
            not followed.
    """
    root = existing_folder(parameters.path, "ingest.folder.path")
    with link_rules([root]) as left_out:
        contents = read_contents(root)
        _check_table_is_followed(root, contents.tables)
    notes = _note_folders_named_like_table(root)
    if not contents.videos:
        kinds = ", ".join(sorted(VIDEO_EXTENSIONS))
        msg = f"{root} holds no video file ({kinds}) and no folder of numbered pictures; "
        msg += "put videos there or set `ingest.folder.path`."
        raise SourceError(" ".join([msg, *(remark.reason for remark in (*contents.notes, *left_out))]))
    paths = {path.relative_to(root).as_posix(): path for path in contents.videos}
    table = _table(contents.tables, notes)
    facts = _read_facts(table, root, list(paths), notes) if table else {}
    videos = []
    for name, path in paths.items():
        known = facts.get(name, VideoFacts())
        if known is not None:
            videos.append(
                FoundVideo(
                    path, name, label=known.label, spans=known.spans, open_spans=known.open_spans, split=known.split,
                    group=known.group, captions=known.captions,
                )
            )  # fmt: skip
    return Reading(videos, [*notes, *contents.notes, *left_out], parameters.licence)


def _check_table_is_followed(root: Path, tables: Sequence[Path]) -> None:
    """Refuse a folder whose table is a link that is not followed: it may say which videos are tested on.

    Raises:
        SourceError: `captions.csv` is such a link, or, where no table is there, another name that it may have is.
    """
    for path in sorted(root.iterdir()):
        is_table = _is_called_table(path) or (not tables and _TABLE_NAME.fullmatch(path.name.casefold()) is not None)
        if not is_table or not path.is_symlink() or is_followed(path):
            continue
        if os.path.exists(path):  # noqa: PTH110 - a Path's own raises where it may not look
            what = f"leads out of the folder, to {os.path.realpath(path)}, and is not followed"
            remedy = "copy the table here, or set `ingest.follow_links: true`"
        else:
            what, remedy = "leads to nothing", "put the table there, or remove the link"
        risk = "the table of the videos was not read, and without it videos may be trained on that it keeps for the test"
        msg = f"{path} is a link that {what}: {risk}; {remedy}."
        raise SourceError(msg)


def _note_folders_named_like_table(root: Path) -> list[Rejection]:
    folders = [path for path in sorted(root.iterdir()) if _is_called_table(path) and os.path.isdir(path)]  # noqa: PTH112 - as above
    what = f"is a folder and is not read as the table; put the rows into a file {TABLE}, and give the folder another name"
    return [note(path.name, f"{path} {what}.") for path in folders]


def _table(tables: Sequence[Path], notes: list[Rejection]) -> Path | None:
    """The table among the files that are named like one: `captions.csv`, or the only other one that is text."""
    readable = [path for path in tables if path.suffix.casefold() in _READ_AS_TABLE]
    for candidates in ([path for path in tables if path.name == TABLE], list(filter(_is_called_table, tables)), readable):
        if len(candidates) == 1:
            (chosen,) = candidates
            break
    else:
        chosen = None
    if chosen and chosen.name != TABLE:
        logger.info("%s is read as %s.", chosen, TABLE)
    for path in tables:
        if path == chosen:
            continue
        if chosen:
            reason = f"{path} is not read, since {chosen.name} is; put its rows there or remove it."
        elif path in readable:
            names = some([path.name for path in readable])
            reason = f"{path} is not read, since {len(readable)} files could be {TABLE} ({names}); call one of them {TABLE}."
        else:
            reason = f"{path} is a workbook and is not read; save it as {TABLE} in UTF-8 (in Excel: `CSV UTF-8`)."
        notes.append(note(path.name, reason))
    return chosen


def _is_called_table(path: Path) -> bool:
    return path.name.casefold() == TABLE


def _read_facts(table: Path, root: Path, names: Sequence[str], notes: list[Rejection]) -> dict[str, VideoFacts | None]:
    """What the table says of each video that it names; None where the video is to be left out."""
    known = VideoNames(names, root)
    rows: dict[str, list[CaptionRow]] = defaultdict(list)
    refused: dict[str, list[RefusedRow]] = defaultdict(list)
    absent: dict[str, list[int]] = defaultdict(list)
    try:
        read_rows, refused_rows, remarks = read_captions_table(table, lambda name: bool(known.find(name)))
    except SourceError as error:
        if _is_called_table(table):
            raise
        notes.append(note(table.name, f"{table} is not read as {TABLE}, though it is called like it. {error}"))
        return {}
    notes += remarks
    for row in read_rows:
        matches = known.find(row.video)
        if len(matches) == 1:
            rows[matches[0]].append(row)
        elif matches:
            what = f"Line {row.line} of {table} was left out (video: {row.video} may be {' or '.join(sorted(matches))})"
            unusual = row.label not in (None, NORMAL)
            unknown = frozenset(column for column in ("split", "group") if getattr(row, column))
            refused_rows.append(RefusedRow(row.line, row.video, f"{what}; write the whole name.", unusual, unknown=unknown))
        else:
            absent[row.video].append(row.line)
    for lost in refused_rows:
        for name in known.find(lost.video) if lost.video else []:
            refused[name].append(lost)
    facts: dict[str, VideoFacts] = {}
    left_out: dict[str, VideoFacts | None] = {}
    consequences: dict[int, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    contradictions: list[Rejection] = []
    for name in sorted({*rows, *refused}):
        combined = combine_rows(name, rows[name], refused[name], table.name, contradictions)
        if combined.facts is None:
            left_out[name] = None
        else:
            facts[name] = combined.facts
        for line, consequence in combined.consequences.items():
            consequences[line][consequence].append(name)
    for lost in sorted(refused_rows, key=lambda row: row.line):
        notes.append(note(f"{table.name}:{lost.line}", " ".join([lost.reason, *map(_in_words, consequences[lost.line].items())])))
    for name, lines in absent.items():
        what = f"{table.name} has {len(lines)} row(s) about {name}, which is not in {root} (line {some(list(map(str, lines)))})"
        notes.append(note(name, f"{what}; add the video or remove the rows."))
    everything: dict[str, list[CaptionRow | RefusedRow]] = {name: [*rows[name], *refused[name]] for name in facts}
    groups = {name: [(row.line, row.group) for row in of_video if row.group] for name, of_video in everything.items()}
    notes += note_times(rows, table.name)
    settled = join_groups(facts, groups, table.name, contradictions)
    notes += contradictions
    return {**settled, **left_out}


def _in_words(consequence: tuple[str, Sequence[str]]) -> str:
    """What follows from a row for the videos that it may be about."""
    what, names = consequence
    videos = names[0] if len(names) == 1 else f"each of {', '.join(names[:-1])} and {names[-1]}"
    return f"Until then {videos} {what}."
