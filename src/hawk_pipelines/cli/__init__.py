"""The `hawk` command, and `kedro run` with errors in one sentence. One file per command; heavy imports inside."""

import click

from hawk_pipelines.cli.ask import ask
from hawk_pipelines.cli.describe import describe
from hawk_pipelines.cli.probe import probe
from hawk_pipelines.cli.run import run
from hawk_pipelines.cli.store import store


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="hawk-pipelines")
def main() -> None:
    """Ask a trained HAWK model about videos, and look after what it was made from."""


for command in (ask, describe, probe, store):
    main.add_command(command)


# Kedro looks here for commands that replace its own.
cli = click.Group("hawk_pipelines", commands={"run": run})
