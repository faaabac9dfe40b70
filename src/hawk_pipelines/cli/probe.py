"""`hawk probe FILE…`."""

import json
import sys
from typing import TYPE_CHECKING

import click

from hawk_pipelines.cli.options import say

if TYPE_CHECKING:
    from hawk_pipelines.sources.inspection import Inspection


@click.command()
@click.argument("inputs", nargs=-1, required=True, type=click.Path(), metavar="INPUT...")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per input, in one list.")
@click.option("--workers", type=click.IntRange(min=0), default=2, show_default=True, help="Processes; 0 works in this one.")
def probe(inputs: tuple[str, ...], as_json: bool, workers: int) -> None:
    """Say what each INPUT is: a video file, or a folder of numbered pictures.

    The exit status is 0 when all of them can be used, otherwise 1.
    """
    from hawk_pipelines.sources.inspection import inspect

    rows = inspect(inputs, workers)
    if as_json:
        click.echo(json.dumps([row._asdict() for row in rows], indent=2))
    else:
        for row in rows:
            say(_line(row) if row.status == "ok" else f"rejected {row.reason}")
            for note in row.notes:
                say(f"note     {note}")
    sys.exit(0 if all(row.status == "ok" for row in rows) else 1)


def _line(row: "Inspection") -> str:
    size = f"{row.width}×{row.height}"
    rate = f"{'~' if row.frame_intervals else ''}{row.fps:.3f}"  # an average, where the rate varies
    return f"ok       {row.frames:>8} frames {rate:>8}/s {size:>10} {row.duration_s:>9.2f} s  {row.path}"
