"""`kedro run` as Kedro has it, with errors that the user can mend in one sentence instead of a traceback."""

import contextlib
import functools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import click
from kedro.config import MissingConfigException
from kedro.framework.cli.project import run as kedro_run
from kedro.framework.project import pipelines
from kedro.io import DatasetError
from kedro.utils import find_kedro_project
from pydantic import ValidationError
from yaml import YAMLError

from hawk_pipelines.errors import HawkError

_kedro_run = cast(Callable[..., Any], kedro_run.callback)


@functools.wraps(_kedro_run)
def _run(*args: Any, **kwargs: Any) -> Any:
    project = find_kedro_project(Path.cwd()) or Path.cwd()
    try:
        _known([*(kwargs.get("pipelines") or []), *filter(None, [kwargs.get("pipeline")])])
        kwargs["runner"] = kwargs.get("runner") or "hawk_pipelines.pipelines.runner.ReusingRunner"
        with contextlib.chdir(project):  # so that relative paths mean the same from every sub-directory
            return _kedro_run(*args, **kwargs)
    except (HawkError, DatasetError, MissingConfigException, ValidationError, YAMLError) as error:
        if "HAWK_TRACEBACK" in os.environ:
            raise
        msg = f"{' '.join(str(error).split())} (HAWK_TRACEBACK=1 shows where.)"
        raise click.ClickException(msg) from error


def _known(names: list[str]) -> None:
    for name in names:
        if name not in pipelines:
            msg = f"There is no pipeline `{name}`; there are {', '.join(pipelines)}."
            raise click.UsageError(msg)


run = click.Command("run", callback=_run, params=kedro_run.params, help=kedro_run.help)
