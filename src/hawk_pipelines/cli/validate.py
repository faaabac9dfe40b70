"""`hawk validate FILE`."""

import json
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hawk_pipelines.plain_text import plain

if TYPE_CHECKING:
    from hawk_pipelines.schema import Finding, Rejection
    from hawk_pipelines.sources.annotation_file import Described

SHOWN = 20
"""Findings that are shown; `--all` and `--json` have all of them."""
UNREADABLE = 2

Lengths = dict[str, tuple[float, int]]


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--videos", type=click.Path(path_type=Path), help="The folder of the videos: then times are checked, too.")
@click.option("--all", "show_all", is_flag=True, help="Show every finding.")
@click.option("--json", "as_json", is_flag=True, help="The report as one JSON object.")
def validate(file: Path, videos: Path | None, show_all: bool, as_json: bool) -> None:
    """Check a FILE of annotations in HAWK's published format, as the `validate` pipeline checks drafts.

    FILE is a JSON list of {"video", "description", "QA": [{"q", "a"}]}, or JSON Lines of such objects. The exit status is 0 when
    nothing is found, 1 when something is, and 2 when the file cannot be read.
    """
    from hawk_pipelines.errors import HawkError
    from hawk_pipelines.machine_faults import machine_fault, name_fault
    from hawk_pipelines.sources.annotation_file import read_annotation_file

    notes: list[Rejection] = []
    try:
        described = read_annotation_file(file, notes)
        lengths = _lengths(described, videos, notes) if videos else {}
    except (HawkError, OSError) as error:
        fault = error if isinstance(error, HawkError) else machine_fault(error) or name_fault(error)
        if fault is None:
            raise
        click.echo(f"Error: {plain(str(fault))}", err=True)
        sys.exit(UNREADABLE)
    found = _findings(described, lengths)
    if as_json:
        click.echo(json.dumps(_json(file, described, notes, found), indent=2))
    else:
        _show(file, described, notes, found, show_all)
    sys.exit(1 if notes or any(found.values()) else 0)


def _findings(described: "list[Described]", lengths: Lengths) -> "dict[str, list[Finding]]":
    """What stands against each item, by its place in the file."""
    from hawk_pipelines.curation.judging import Known, findings_of
    from hawk_pipelines.engine.progress import progress
    from hawk_pipelines.schema import Draft, Finding

    first: dict[str, str] = {}
    found: dict[str, list[Finding]] = {}
    for item in progress(described, "validate"):
        draft = Draft(
            item_id=item.place, video_id=item.video, description=item.description, QA=item.qa, provider="published", sources=[]
        )
        found[item.place] = findings_of(draft, Known(lengths.get(item.place), None, []))
        if first.setdefault(item.video, item.place) != item.place:
            reason = f"{item.video} is described by {first[item.video]} already; remove one."
            found[item.place].append(Finding(check="single", place="description", verdict="rejected", reason=reason))
    return found


def _lengths(described: "list[Described]", root: Path, notes: "list[Rejection]") -> Lengths:
    """How long the videos are, by the place of their item."""
    from hawk_pipelines.sources.hawk import videos_below
    from hawk_pipelines.sources.inspection import inspect
    from hawk_pipelines.sources.published import Index
    from hawk_pipelines.sources.reading import existing_folder, note

    videos = videos_below(existing_folder(root, "--videos"))
    index = Index(videos)
    paths: dict[str, str] = {}
    for item in described:
        position = index.find(item.video)
        if isinstance(position, int):
            paths[item.place] = str(videos[position].path)
        else:
            notes.append(note(item.place, f"{item.what} names {item.video}: {position}"))
    lengths: Lengths = {}
    for place, row in zip(paths, inspect(list(paths.values()), workers=2), strict=True):
        if row.status == "ok" and row.duration_s is not None and row.frames is not None:
            lengths[place] = (row.duration_s, row.frames)
        else:
            notes.append(note(place, f"{place}: {row.reason}"))
    return lengths


def _json(file: Path, described: "list[Described]", notes: "list[Rejection]", found: "dict[str, list[Finding]]") -> dict:
    from hawk_pipelines.curation.judging import verdict

    return {
        "file": str(file),
        "items": len(described),
        "verdicts": dict(Counter(verdict(findings) for findings in found.values())),
        "unusable": [{"item": one.item, "reason": one.reason} for one in notes],
        "findings": [
            {"item": item.place, "video": item.video, **one.model_dump()} for item in described for one in found[item.place]
        ],
    }


def _show(
    file: Path, described: "list[Described]", notes: "list[Rejection]", found: "dict[str, list[Finding]]", show_all: bool
) -> None:
    from rich.table import Table
    from rich.text import Text

    from hawk_pipelines.curation.judging import CHECKS, verdict
    from hawk_pipelines.terminal import Terminal

    console = Terminal()
    verdicts = Counter(verdict(findings) for findings in found.values())
    counted = f"{verdicts['accepted']} accepted, {verdicts['needs_review']} need review, {verdicts['rejected']} rejected"
    head = f" in {plain(str(file))}: {counted}; {len(notes)} remark(s) about what could not be used."
    console.print(Text.assemble((f"{len(described)} item(s)", "bold"), head), soft_wrap=True)
    counts = Counter((one.check, one.verdict) for findings in found.values() for one in findings)
    if counts:
        table = Table(box=None, pad_edge=False)
        for title, justify in (("check", "left"), ("found", "right"), ("makes it", "left"), ("what is right", "left")):
            table.add_column(title, justify=justify)  # type: ignore[arg-type]
        for (check, makes), count in sorted(counts.items()):
            table.add_row(check, str(count), makes.replace("_", " "), CHECKS[check])
        console.print(table)
    lines = [(one.item, one.reason) for one in notes]
    lines += [(f"{item.place} {one.place}", one.reason) for item in described for one in found[item.place]]
    for place, reason in lines if show_all else lines[:SHOWN]:
        console.print(Text.assemble((plain(place), "bold"), f": {plain(reason)}"), soft_wrap=True)
    if len(lines) > SHOWN and not show_all:
        console.print(f"… and {len(lines) - SHOWN} more (`--all`, `--json`).")
