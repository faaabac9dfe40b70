"""`hawk rollback`: an alias goes back to the version that had it before."""

from typing import TYPE_CHECKING

import click

from hawk_pipelines.cli.options import one_sentence, registry_env_option, say
from hawk_pipelines.plain_text import plain

if TYPE_CHECKING:
    from mlflow import MlflowClient


@click.command()
@click.option("--name", default="hawk", show_default=True, help="Under which the model is registered (`register.name`).")
@click.option("--alias", default="production", show_default=True, help="That moves (`register.alias`).")
@click.option(
    "--to", type=click.IntRange(min=1), metavar="VERSION", help="The version that gets it; without it the one that had it before."
)
@click.option("--reason", default="", help="In words; needed where the version never had the alias.")
@registry_env_option
@click.option("--list", "listed", is_flag=True, help="Only show which versions had it, when and why.")
def rollback(name: str, alias: str, to: int | None, reason: str, env: str | None, listed: bool) -> None:
    """Give an alias back to the version that had it before, and record it.

    What has been loaded already stays loaded; `models:/hawk@production` is the other version from now on.
    """
    import mlflow
    from mlflow.exceptions import MlflowException

    from hawk_pipelines.serving.alias import RegistryError, roll_back
    from hawk_pipelines.serving.tracking_server import check_server, database_ready, missing_database, tracking_uri

    with one_sentence():
        uri = tracking_uri(env)
        if database := missing_database(uri):
            msg = f"There is no registry: {database} is not there. Make a model with `kedro run`."
            raise RegistryError(msg)
        try:
            check_server(uri)
            with database_ready(uri):
                client = mlflow.MlflowClient(uri, uri)
            if listed:
                _list(client, name, alias)
                return
            move = roll_back(client, name, alias, None if to is None else str(to), reason)
        except MlflowException as error:
            msg = f"The registry does not answer as it should ({' '.join(str(error.message).split())[:300]})."
            raise RegistryError(msg) from error
    before = f"version {move.before}" if move.before else "no version"
    say(f"`{name}`: version {move.version} is `{alias}` now, and {before} was it before.")


def _list(client: "MlflowClient", name: str, alias: str) -> None:
    from rich.table import Table

    from hawk_pipelines.serving.alias import holder, moves
    from hawk_pipelines.terminal import Terminal

    kept = moves(client, name, alias)
    now = holder(client, name, alias)
    console = Terminal()
    console.print(f"Version {now} of `{name}` is `{alias}`." if now else f"No version of `{name}` is `{alias}`.", soft_wrap=True)
    if not kept:
        return
    table = Table(box=None, pad_edge=False)
    for title in ("when (UTC)", "version", "before", "how", "why"):
        table.add_column(title, justify="right" if title in ("version", "before") else "left", overflow="fold")
    for move in kept:
        table.add_row(move.time[:19].replace("T", " "), move.version, move.before or "–", move.how, plain(move.reason) or "–")
    console.print(table)
