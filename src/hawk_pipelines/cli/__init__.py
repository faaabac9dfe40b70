"""The `hawk` command, and `kedro run` with errors in one sentence. One file per command; heavy imports inside."""

import gc
import os
import sys
from pathlib import Path
from typing import Any

import click

from hawk_pipelines.cli.annotate import annotate
from hawk_pipelines.cli.ask import ask
from hawk_pipelines.cli.chat import chat
from hawk_pipelines.cli.check_data import check_data
from hawk_pipelines.cli.describe import describe
from hawk_pipelines.cli.import_checkpoint import import_checkpoint
from hawk_pipelines.cli.local_llm import local_llm
from hawk_pipelines.cli.options import begin_to_tell, log_options, one_sentence
from hawk_pipelines.cli.plan import plan
from hawk_pipelines.cli.probe import probe
from hawk_pipelines.cli.review import review
from hawk_pipelines.cli.rollback import rollback
from hawk_pipelines.cli.store import store
from hawk_pipelines.cli.ui import ui
from hawk_pipelines.cli.validate import validate
from hawk_pipelines.plain_text import printable
from hawk_pipelines.standard_output import StandardOutputError, guard

# Imports make millions of objects that stay. At Python's own threshold of 700 a fifth of a start goes into looking for garbage
# among them.
gc.set_threshold(50_000)
# torch's threads on CPUs wait for each other by spinning. Where another program wants the core, that is most of the time; a short
# spin costs nothing where none does. It counts as long as torch is not imported.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")


class _Commands(click.Group):
    """What click itself says repeats what was typed, also names of files; what goes wrong is a sentence in every command."""

    def main(self, *arguments: Any, **options: Any) -> Any:
        """Read what was typed, and run the command."""
        guard(goes_on=False)
        try:
            return super().main(*arguments, **options)
        except StandardOutputError as error:  # also of `--help`
            click.echo(f"Error: {error}", err=True)
            sys.exit(1)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            with one_sentence():
                return super().invoke(ctx)
        except click.ClickException as error:
            error.message = printable(error.message)  # type: ignore[misc]  # there is no other way to change it
            raise


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="hawk-pipelines")
@log_options
def main(log_file: Path | None, verbose: bool, quiet: bool) -> None:
    """Ask a trained HAWK model about videos, and look after what it was made from."""
    begin_to_tell(log_file, verbose, quiet)


for command in (
    annotate,
    ask,
    chat,
    check_data,
    describe,
    import_checkpoint,
    local_llm,
    plan,
    probe,
    review,
    rollback,
    store,
    ui,
    validate,
):
    main.add_command(command)


def __getattr__(name: str) -> Any:
    """Give Kedro, which looks here for `cli`, the commands that replace its own.

    On demand: importing Kedro sets up logging to stdout, where `hawk probe --json` writes.
    """
    if name != "cli":
        raise AttributeError(name)
    from hawk_pipelines.cli.run import run

    return click.Group("hawk_pipelines", commands={"run": run})
