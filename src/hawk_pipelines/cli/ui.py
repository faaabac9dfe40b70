"""`hawk ui`: MLflow's pages over the project's runs, metrics and registered models."""

import os
import sys

import click

from hawk_pipelines.cli.options import one_sentence, registry_env_option


@click.command(context_settings={"ignore_unknown_options": True})
@registry_env_option
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
def ui(env: str | None, options: tuple[str, ...]) -> None:
    """Show runs, metrics and registered models in the browser.

    They are those of `MLFLOW_TRACKING_URI`, otherwise of the project, from whatever folder. OPTIONS go to `mlflow ui`: `--port
    5001`, for example.
    """
    from hawk_pipelines.serving.tracking_server import database_ready, tracking_uri

    with one_sentence():
        uri = tracking_uri(env)
        if uri.startswith(("http://", "https://")):
            click.echo(f"The tracking server has pages of its own: {uri}")
            return
        with database_ready(uri):
            pass
    os.execv(sys.executable, [sys.executable, "-m", "mlflow", "ui", "--backend-store-uri", uri, *options])  # noqa: S606
