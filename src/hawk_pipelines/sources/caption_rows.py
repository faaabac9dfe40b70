"""What the rows of a captions table say together about one video, and where they contradict each other.

A contradiction, or a row that cannot be read, never leaves a video as something that it may not be: what is certain is kept, the
rest is unknown, and a note says so.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from hawk_pipelines.schema import ANOMALY, Rejection, Span, Split
from hawk_pipelines.sources.captions_table import CaptionRow, RefusedRow
from hawk_pipelines.sources.groups import leading_groups
from hawk_pipelines.sources.reading import TimedText, note, some
from hawk_pipelines.sources.table_labels import NORMAL

_SPLITS: tuple[Split, ...] = ("test", "validation", "train")


@dataclass(frozen=True)
class VideoFacts:
    """What is certain about a video."""

    label: str | None = None
    spans: list[Span] = field(default_factory=list)
    open_spans: list[float] = field(default_factory=list)
    """See `FoundVideo`."""
    captions: list[TimedText] = field(default_factory=list)
    split: Split | None = None
    group: str | None = None


class CombinedRows(NamedTuple):
    """The rows about a video, taken together."""

    facts: VideoFacts | None
    """None where the video is left out, since a row that may say on which side of the split it is cannot be read."""
    consequences: dict[int, str]
    """What follows from the refused rows for the video, by their lines: words that come after its name."""


def combine_rows(
    name: str, rows: Sequence[CaptionRow], refused: Sequence[RefusedRow], table: str, notes: list[Rejection]
) -> CombinedRows:
    """What all rows about a video say together.

    Args:
        name: the video.
        rows: those that could be read.
        refused: those that could not.
        table: the name of the table.
        notes: where contradictions are named, each with its lines.
    """
    rows = _without_repeated(name, rows, table, notes)
    everything: list[CaptionRow | RefusedRow] = [*rows, *refused]
    sides = {"split": _split(name, everything, table, notes), "group": next((row.group for row in everything if row.group), None)}
    for row in refused:
        if missing := sorted(column for column in row.unknown if not sides[column]):
            return CombinedRows(None, {row.line: f"is left out, since the line may say its {' and '.join(missing)}"})
    label, spans = _label(name, rows, table, notes)
    lost = [row.line for row in refused if row.anomaly_possible]
    consequences = {}
    if lost:
        consequence = "has no label"
        if label == NORMAL:
            label, consequence = None, "does not count as normal"
        elif label:
            spans, consequence = [], f"keeps the label {label} without the times of its anomaly, since they may not be all"
        consequences = dict.fromkeys(lost, consequence)
    facts = VideoFacts(
        label,
        [Span(start_s=start_s, end_s=end_s) for start_s, end_s in spans if end_s is not None],
        [start_s for start_s, end_s in spans if end_s is None],
        [TimedText(row.start_s or 0.0, row.end_s, row.caption) for row in rows if row.caption],
        sides["split"],  # type: ignore[arg-type]
        sides["group"],
    )
    return CombinedRows(facts, consequences)


def note_times(rows: Mapping[str, Sequence[CaptionRow]], table: str) -> list[Rejection]:
    """Say in one line each how the times of rows are understood that do not say it all themselves.

    Args:
        rows: by video.
        table: the name of the table.
    """
    unusual = [row for of_video in rows.values() for row in of_video if row.label not in (None, NORMAL)]
    timed_normal = [
        row
        for of_video in rows.values()
        if not any(row.label not in (None, NORMAL) or (row.label == NORMAL and not _is_timed(row)) for row in of_video)
        for row in of_video
        if row.label == NORMAL and row.caption
    ]
    kinds = (
        (
            [row.line for row in unusual if row.start_s is not None and row.end_s is None],
            "of an anomaly with a start and no end: it lasts to the end of the video; write the end where it ends before",
        ),
        (
            [row.line for row in unusual if row.start_s is None and row.end_s is not None],
            "of an anomaly with an end and no start: it lasts from the beginning of the video; write the start where it is later",
        ),
        (
            [row.line for row in timed_normal],
            f"with a caption, times and the label {NORMAL}: the times are those of the caption, and the whole video counts as "
            f"{NORMAL}; leave out the label where only that time is",
        ),
    )
    return [
        note(f"{table}:{min(lines)}", f"{table} has {len(lines):,} row(s) {what} (line {some(list(map(str, sorted(lines))))}).")
        for lines, what in kinds
        if lines
    ]


def join_groups(
    facts: Mapping[str, VideoFacts], groups: Mapping[str, Sequence[tuple[int, str]]], table: str, notes: list[Rejection]
) -> dict[str, VideoFacts]:
    """Make one group of those that share a video: only then no recording is on both sides of the split.

    Args:
        facts: by video.
        groups: of each video the lines that say a group, with it.
        table: the name of the table.
        notes: where such videos are named.
    """
    for name, memberships in groups.items():
        several = list(dict.fromkeys(group for _, group in memberships))
        if len(several) > 1:
            lines = ", ".join(f"{group} in line {line}" for line, group in memberships)
            what = f"{name} is in {len(several)} groups ({lines}), which count as one; mend the rows if they are two recordings"
            notes.append(note(f"{table}:{memberships[0][0]}", f"{what}."))
    leaders = leading_groups([[group for _, group in memberships] for memberships in groups.values()])
    return {
        name: replace(known, group=leaders.get(known.group, known.group)) if known.group else known
        for name, known in facts.items()
    }


def _without_repeated(name: str, rows: Iterable[CaptionRow], table: str, notes: list[Rejection]) -> list[CaptionRow]:
    first: dict[tuple[object, ...], CaptionRow] = {}
    for row in rows:
        key = (row.start_s, row.end_s, row.caption, row.label, row.split, row.group)
        kept = first.setdefault(key, row)
        if kept is not row:
            what = f"Line {row.line} of {table} says of {name} what line {kept.line} says already, and counts once"
            notes.append(note(f"{table}:{row.line}", f"{what}; remove one of the two."))
    return list(first.values())


def _split(name: str, rows: Sequence[CaptionRow | RefusedRow], table: str, notes: list[Rejection]) -> Split | None:
    """A video in several splits is tested on before it is trained on."""
    lines: dict[Split, int] = {}
    for row in rows:
        if row.split:
            lines.setdefault(row.split, row.line)
    split = next((split for split in _SPLITS if split in lines), None)
    if split and len(lines) > 1:
        splits = " and ".join(f"{other} (line {line})" for other, line in lines.items())
        what = f"{name} is in the splits {splits} of {table}; it is used for {split} only"
        notes.append(note(f"{table}:{max(lines.values())}", f"{what}. Remove it from the other."))
    return split


def _label(
    name: str, rows: Sequence[CaptionRow], table: str, notes: list[Rejection]
) -> tuple[str | None, list[tuple[float, float | None]]]:
    """The label of a video and when its anomalies are.

    Anomalies of several classes at several times are all kept. A stretch that is normal and unusual at once leaves the video
    without a label; one that is of two classes at once is an anomaly whose class is not certain.
    """
    normal = [row for row in rows if row.label == NORMAL]
    unusual = [row for row in rows if row.label and row.label != NORMAL]
    if not unusual:
        if not normal or any(row.caption or not _is_timed(row) for row in normal):  # a caption's times are its own
            return (NORMAL if normal else None), []
        times = " and ".join(f"{_times(row)} (line {row.line})" for row in normal)
        what = f"{table} calls {name} {NORMAL} {times}, and what is at other times is not known, so it has no label"
        notes.append(note(f"{table}:{normal[0].line}", f"{what}. Leave out the times where all of it is {NORMAL}."))
        return None, []
    for calm in normal:
        for row in unusual:
            if _contradict(calm, row):
                what = f"Lines {calm.line} and {row.line} of {table} call {name} normal and {row.label} at the same time"
                notes.append(note(f"{table}:{row.line}", f"{what}; it has no label until one of them is mended."))
                return None, []
    spans = list(dict.fromkeys((row.start_s or 0.0, row.end_s) for row in unusual if _is_timed(row)))
    classes: dict[str, CaptionRow] = {}
    for row in unusual:
        classes.setdefault((row.label or "").casefold(), row)
    first, *others = classes.values()
    if not others:
        return first.label, spans
    clash = _clash(unusual)
    if clash:
        labels = " and ".join(f"{row.label} (line {row.line})" for row in clash)
        what = f"{name} is {labels} of {table} at the same time; which of the two is not certain, so it counts as an anomaly"
        notes.append(note(f"{table}:{clash[1].line}", f"{what} of no class. Mend the rows."))
        return ANOMALY, spans
    return " and ".join(row.label or "" for row in classes.values()), spans


def _is_timed(row: CaptionRow) -> bool:
    return row.start_s is not None or row.end_s is not None


def _times(row: CaptionRow) -> str:
    return f"from {row.start_s or 0:g} s to {'its end' if row.end_s is None else f'{row.end_s:g} s'}"


def _stretch(row: CaptionRow) -> tuple[float, float]:
    return row.start_s or 0.0, float("inf") if row.end_s is None else row.end_s


def _contradict(normal: CaptionRow, unusual: CaptionRow) -> bool:
    """Whether a row calls normal what another calls unusual. An anomaly without times may be anywhere, not everywhere."""
    if not _is_timed(normal) or not _is_timed(unusual):
        return not _is_timed(normal)
    (start, end), (other_start, other_end) = _stretch(normal), _stretch(unusual)
    return max(start, other_start) < min(end, other_end)


def _clash(rows: Iterable[CaptionRow]) -> tuple[CaptionRow, CaptionRow] | None:
    """Two rows that give the same stretch, or the video without a time, two classes."""
    first: dict[tuple[bool, float, float | None], CaptionRow] = {}
    for row in rows:
        other = first.setdefault((_is_timed(row), row.start_s or 0.0, row.end_s), row)
        if (other.label or "").casefold() != (row.label or "").casefold():
            return other, row
    return None
