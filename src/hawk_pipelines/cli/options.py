"""What several commands share."""

import functools
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from hawk_pipelines import logs
from hawk_pipelines.errors import HawkError
from hawk_pipelines.machine_faults import machine_fault, name_fault
from hawk_pipelines.plain_text import printable

logger = logging.getLogger(__name__)

model_option = click.option(
    "--model",
    default="models:/hawk@production",
    show_default=True,
    help="An MLflow model URI, or a folder with a saved model.",
)

registry_env_option = click.option(
    "--env", "-e", help="The configuration environment whose mlflow.yml names the registry, as for `kedro run`."
)

span_option = click.option(
    "--span",
    type=(float, float),
    metavar="START END",
    help="Seconds from the beginning to look at; without it the whole video.",
)


_LOG_OPTIONS = (
    click.option(
        "--log-file",
        envvar="HAWK_LOG_FILE",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="Tell it to FILE, too, with times; it is added to, and may be a named pipe or a device. Or set HAWK_LOG_FILE.",
    ),
    click.option("--verbose", "-v", is_flag=True, help="Show times, and what the libraries say."),
    click.option("--quiet", "-q", is_flag=True, help="Show refusals, warnings and errors only."),
)


def log_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Where and how much is told, of `hawk` and of `kedro run`: the command gives it to `begin_to_tell`."""
    for option in reversed(_LOG_OPTIONS):
        command = option(command)
    return command


def begin_to_tell(log_file: Path | None, verbose: bool, quiet: bool) -> None:
    """Set up what `log_options` ask for.

    Raises:
        click.ClickException: that contradicts itself, or the file cannot be written.
    """
    if verbose and quiet:
        msg = "--verbose and --quiet contradict each other; leave one out."
        raise click.UsageError(msg)
    with one_sentence():
        logs.set_up(None if log_file is None else log_file.absolute(), verbose, quiet)


def generation_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """How an answer is drawn: the command gets it as `generation`."""

    @click.option("--beams", type=click.IntRange(1, 32), default=1, show_default=True, help="Answers searched side by side.")
    @click.option(
        "--temperature",
        type=click.FloatRange(0, 100),
        default=0.0,
        show_default=True,
        help="0: the likeliest words; from 0.01 on, words are drawn.",
    )
    @click.option(
        "--seed",
        type=click.IntRange(0, 2**63 - 1),
        metavar="INTEGER",
        default=0,
        show_default=True,
        help="Of the words that are drawn above temperature 0.",
    )
    @click.option(
        "--max-new-tokens", type=click.IntRange(1, 4096), default=64, show_default=True, help="An answer is cut off there."
    )
    @functools.wraps(command)
    def with_generation(beams: int, temperature: float, seed: int, max_new_tokens: int, **others: Any) -> Any:
        from pydantic import ValidationError

        from hawk_pipelines.model.settings import GenerationSettings

        try:
            drawn = GenerationSettings(beams=beams, temperature=temperature, seed=seed, max_new_tokens=max_new_tokens)
        except ValidationError as error:
            first = error.errors()[0]
            msg = f"{first['input']} cannot be: {first['msg'].removeprefix('Value error, ')}."
            raise click.BadParameter(msg, param_hint=f"--{first['loc'][0]}") from error
        return command(**others, generation=drawn)

    return with_generation


def say(line: str, *, err: bool = False) -> None:
    """Print a line that may hold anything, also control characters and ends of lines."""
    click.echo(printable(line).replace("\n", " "), err=err)


@contextmanager
def one_sentence() -> Iterator[None]:
    """Show an error that the user can mend as one sentence, without a traceback; the exit status is 1."""
    try:
        yield
    except click.ClickException:  # is a sentence already
        raise
    except HawkError as error:
        logger.error("%s", error, extra=logs.ONLY_IN_FILE)
        raise click.ClickException(printable(str(error))) from error
    except Exception as error:
        if fault := machine_fault(error) or name_fault(error):
            raise click.ClickException(printable(str(fault))) from error
        raise
