"""Commands that are refused before anything starts, in one process: `mistakes.py COMMANDS ANSWERS`, both JSON lists."""

import json
import sys
from pathlib import Path

from click.testing import CliRunner
from kedro.framework.cli.cli import KedroCLI

from hawk_pipelines.cli import main


def _ended(kedro: KedroCLI, program: str, arguments: list[str]) -> list:
    ended = CliRunner().invoke(main if program == "hawk" else kedro, arguments, obj=kedro._metadata)
    unexpected = "" if isinstance(ended.exception, SystemExit | None) else f"Traceback: {ended.exception!r}"
    return [ended.exit_code, f"{ended.output}{unexpected}"]


if __name__ == "__main__":
    commands, answers = (Path(name) for name in sys.argv[1:])
    project = KedroCLI(Path.cwd())  # once: to set a project up takes longer than to refuse a command
    ended = [_ended(project, program, arguments) for program, *arguments in json.loads(commands.read_text())]
    answers.write_text(json.dumps(ended))
