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

from hawk_pipelines.cli.run_choices import check_choices, named_pipelines
from hawk_pipelines.errors import HawkError
from hawk_pipelines.plain_text import plain

_kedro_run = cast(Callable[..., Any], kedro_run.callback)
_RUNNER = "hawk_pipelines.pipelines.staged_runner.StagedRunner"
_CHOICES = ("pipelines", "pipeline", "node_names", "to_nodes", "to_outputs", "tags", "namespaces")
"""Options of `kedro run` that ask for certain steps."""
_NO_NODES = "contains no nodes after applying"
"""In Kedro's own words for options that leave nothing."""


@functools.wraps(_kedro_run)
def _run(*args: Any, **kwargs: Any) -> Any:
    project = find_kedro_project(Path.cwd()) or Path.cwd()
    try:
        check_choices(kwargs, pipelines)
        if not kwargs.get("runner"):
            runs_all = "__default__" in named_pipelines(kwargs) or not any(kwargs.get(option) for option in _CHOICES)
            kwargs |= {"runner": _RUNNER, "runner_params": {**(kwargs.get("runner_params") or {}), "runs_all": runs_all}}
        with contextlib.chdir(project):  # so that relative paths mean the same from every sub-directory
            return _kedro_run(*args, **kwargs)
    except (HawkError, DatasetError, MissingConfigException, ValidationError, YAMLError) as error:
        if "HAWK_TRACEBACK" in os.environ:
            raise
        where = "".join(f"{note}; " for note in getattr(error, "__notes__", ()))
        msg = f"{plain(str(error))} ({where}HAWK_TRACEBACK=1 shows where.)"
        raise click.ClickException(msg) from error
    except ValueError as error:
        if _NO_NODES not in str(error) or "HAWK_TRACEBACK" in os.environ:
            raise
        msg = "No node is left to run: the options together choose none. Leave one of them out."
        raise click.UsageError(msg) from error


run = click.Command("run", callback=_run, params=kedro_run.params, help=kedro_run.help)
