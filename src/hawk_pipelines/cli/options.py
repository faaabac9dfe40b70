"""What several commands share."""

from collections.abc import Iterator
from contextlib import contextmanager

import click

from hawk_pipelines.errors import HawkError

model_option = click.option(
    "--model",
    default="models:/hawk@production",
    show_default=True,
    help="An MLflow model URI, or a folder with a saved model.",
)

span_option = click.option(
    "--span",
    type=(float, float),
    metavar="START END",
    help="Seconds from the beginning to look at; without it the whole video.",
)


@contextmanager
def one_sentence() -> Iterator[None]:
    """Show an error that the user can mend as one sentence, without a traceback; the exit status is 1."""
    try:
        yield
    except HawkError as error:
        raise click.ClickException(str(error)) from error
