"""Commands that are refused before anything starts, in one process: `python -m tests.cli.mistakes` reads them, a JSON list."""

import json
import sys
from pathlib import Path

from click.testing import CliRunner
from kedro.framework.cli.cli import KedroCLI

from hawk_pipelines.cli import main


def _ended(program: str, arguments: list[str]) -> list:
    kedro = KedroCLI(Path.cwd())
    ended = CliRunner().invoke(main if program == "hawk" else kedro, arguments, obj=kedro._metadata)
    unexpected = "" if isinstance(ended.exception, SystemExit | None) else f"Traceback: {ended.exception!r}"
    return [ended.exit_code, f"{ended.output}{unexpected}"]


if __name__ == "__main__":
    out = sys.stdout  # Kedro's logs come there, too
    answers = [_ended(program, arguments) for program, *arguments in json.load(sys.stdin)]
    Path(sys.argv[1]).write_text(json.dumps(answers))
