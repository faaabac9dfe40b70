"""`hawk check-data PATH`."""

import json
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hawk_pipelines.cli.options import one_sentence, say
from hawk_pipelines.cli.run_settings import written
from hawk_pipelines.plain_text import plain

if TYPE_CHECKING:
    from hawk_pipelines.sources.checking import Recognised

SHOWN = 10
"""Remarks that are shown; `--json` has all of them."""


@click.command("check-data")
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="One JSON object per data set, in one list, with every remark.")
@click.option("--follow-links", is_flag=True, help="Follow links that lead out of the data set, as `ingest.follow_links` does.")
def check_data(path: Path, as_json: bool, follow_links: bool) -> None:
    """Say which data set PATH is, and what is missing.

    Published data sets are told by their folders and lists; no video is opened. PATH is a data set's folder, or one up to two
    levels above it. The exit status is 0 when a data set is recognised, complete or not, otherwise 1.
    """
    from hawk_pipelines.sources.checking import check

    with one_sentence():
        found = check(path, follow_links=follow_links)
    if as_json:
        click.echo(json.dumps([_json(one) for one in found], indent=2))
    elif found:
        for one in found:
            _show(one)
    else:
        _nothing(path)
    sys.exit(0 if found else 1)


def _nothing(path: Path) -> None:
    from hawk_pipelines.sources.parameters import PUBLISHED
    from hawk_pipelines.sources.tree import archives_in

    known = ", ".join(module.TITLE for module in PUBLISHED.values())
    say(f"{path} looks like no published data set, nor do the folders two levels below it. Known are {known}.")
    if packed := archives_in(path):
        say(f"It holds {len(packed)} archive(s), such as {packed[0].name}: extract them first.")
    say("A folder of other videos is read with `ingest.source=folder`.")


def _json(found: "Recognised") -> dict:
    return {
        "source": found.source,
        "title": found.title,
        "path": str(found.path),
        "complete": found.complete,
        "licence": found.licence,
        "videos": len(found.reading.videos),
        "parts": [part._asdict() | {"complete": part.complete} for part in found.reading.parts],
        "remarks": [{"item": one.item, "reason": one.reason} for one in found.reading.rejections],
        "settings": {"ingest": {"source": found.source, found.source: {"path": str(found.path)}} | _links(found)},
    }


def _links(found: "Recognised") -> dict[str, bool]:
    return {"follow_links": True} if found.follow_links else {}


def _show(found: "Recognised") -> None:
    from rich.table import Table
    from rich.text import Text

    from hawk_pipelines.terminal import Terminal

    console = Terminal()
    state = "complete" if found.complete else "incomplete"
    console.print(Text.assemble((found.title, "bold"), f" in {plain(str(found.path))}: {state}"), soft_wrap=True)
    table = Table(box=None, pad_edge=False)
    for title, justify in (("what", "left"), ("found", "right"), ("of", "right"), ("", "left")):
        table.add_column(title, justify=justify)  # type: ignore[arg-type]
    for part in found.reading.parts:
        of = "" if part.of is None else f"{part.of:,}"
        state = "" if part.complete else "in part" if part.found else "missing"
        table.add_row(part.what, f"{part.found:,}", of, f"{state} (optional)" if state and part.optional else state)
    console.print(table)
    remarks = found.reading.rejections
    for remark in remarks[:SHOWN]:
        console.print(f"- {plain(remark.reason)}", soft_wrap=True)
    if len(remarks) > SHOWN:
        console.print(f"- and {len(remarks) - SHOWN:,} remarks more: --json shows all.")
    console.print(found.licence, soft_wrap=True)
    if found.reading.videos:
        console.print(f"To ingest it: {_how(found)}", soft_wrap=True)
    console.print()


def _how(found: "Recognised") -> str:
    settings = f"ingest.source={found.source},{written(f'ingest.{found.source}.path', str(found.path))}"
    settings += ",ingest.follow_links=true" if found.follow_links else ""
    return f".venv/bin/kedro run --pipelines=ingest --params {shlex.quote(settings)}"
