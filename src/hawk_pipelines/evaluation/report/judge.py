"""The tables of the judge: what became of what it was asked, and how far it can be trusted."""

from collections.abc import Mapping
from typing import Any

from hawk_pipelines.evaluation.judge_request import DIMENSIONS, OUTCOMES
from hawk_pipelines.evaluation.report.cells import TITLES, Cell, Group, Row, Table, Tone, figure_cell, number, signed, tone

COLUMNS = {
    "judged": "judged",
    "empty": "empty, worth 0",
    "out_of_range": "not in [0, 1]",
    "refused": "refused",
    "broken": "no usable reply",
    "no_reference": "no reference",
}
"""Outcomes, as they are called on the page."""


def outcomes(summary: Mapping[str, Any]) -> Table | None:
    """What became of everything that was put to the judge; what has a score stands in the published form."""
    groups: dict[str, list[Row]] = {}
    for one in summary.get("results", []):
        row = Row(one["dimension"].capitalize(), [Cell(f"{one['outcomes'].get(name, 0):,}") for name in OUTCOMES])
        groups.setdefault(f"{one['model']}, {TITLES[one['task']].lower()}", []).append(row)
    if not groups:
        return None
    note = "What is not in [0, 1], refused, without a usable reply or without reference has no score, and is in no mean."
    return Table(
        "What became of the answers",
        [COLUMNS[name] for name in OUTCOMES],
        [Group(title, rows) for title, rows in groups.items()],
        note,
    )


def agreement(summary: Mapping[str, Any]) -> Table | None:
    """Whether the judge says the same when it is asked the same again."""
    calibration = summary.get("calibration") or {}
    rows = []
    for one in calibration.get("agreement", []):
        missing = (f"{one['missing']:,} without a score",) if one["missing"] else ()
        cells = [figure_cell(one["difference"]), Cell(number(one["near"])), Cell(number(one["correlation"]))]
        rows.append(Row(one["dimension"].capitalize(), [*cells, Cell(f"{one['pairs']:,}", missing)]))
    if not rows:
        return None
    columns = ["mean difference", "share within 0.1", "correlation", "pairs of replies"]
    return Table(f"Asked the same {calibration['repeats']} times", columns, [Group("", rows)])


def styles(summary: Mapping[str, Any]) -> Table | None:
    """What another style that keeps every fact does to the scores."""
    known = {(one["style"], one["dimension"]): one for one in (summary.get("calibration") or {}).get("styles", [])}
    if not known:
        return None
    dimensions = [name for name in DIMENSIONS if any(name == dimension for _, dimension in known)]
    rows = []
    for style in dict.fromkeys(style for style, _ in known):
        cells = []
        for dimension in dimensions:
            one = known[style, dimension]
            apart = {"read the same": one["unchanged"], "without a score": one["missing"]}
            told = figure_cell(one["change"], signed)
            minds: Tone = "worse" if tone(one["change"]["low"], one["change"]["high"]) else ""
            cells.append(Cell(told.text, (*told.below, *(f"{count:,} {what}" for what, count in apart.items() if count)), minds))
        rows.append(Row(style.replace("_", " "), cells))
    note = "A judge of what is said does not mind how it is said. Changes whose interval leaves out 0 are marked."
    return Table("Score in another style − score as given", [name.capitalize() for name in dimensions], [Group("", rows)], note)
