"""`kedro run` as Kedro has it, with errors that the user can mend in one sentence instead of a traceback."""

import functools
import os
from collections.abc import Callable
from typing import Any, cast

import click
from kedro.config import MissingConfigException
from kedro.framework.cli.project import run as kedro_run
from kedro.io import DatasetError
from yaml import YAMLError

from hawk_pipelines.errors import HawkError

_kedro_run = cast(Callable[..., Any], kedro_run.callback)


@functools.wraps(_kedro_run)
def _run(*args: Any, **kwargs: Any) -> Any:
    try:
        return _kedro_run(*args, **kwargs)
    except (HawkError, DatasetError, MissingConfigException, YAMLError) as error:
        if "HAWK_TRACEBACK" in os.environ:
            raise
        msg = f"{' '.join(str(error).split())} (HAWK_TRACEBACK=1 shows where.)"
        raise click.ClickException(msg) from error


run = click.Command("run", callback=_run, params=kedro_run.params, help=kedro_run.help)
