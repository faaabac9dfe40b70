"""The `hawk` command, and `kedro run` with errors in one sentence. One file per command; heavy imports inside."""

import click

from hawk_pipelines.cli.ask import ask
from hawk_pipelines.cli.describe import describe
from hawk_pipelines.cli.run import run


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="hawk-pipelines")
def main() -> None:
    """Ask a trained HAWK model about videos."""


main.add_command(ask)
main.add_command(describe)


# Kedro looks here for commands that replace its own.
cli = click.Group("hawk_pipelines", commands={"run": run})
