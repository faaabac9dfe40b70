"""Where the data of an environment lie: `data_root` of conf/<env>/globals.yml, as `kedro run --env` takes it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import yaml
from click.core import ParameterSource

from hawk_pipelines.errors import HawkError

ENV = "hawk_pipelines.env"
"""Where the chosen environment is kept while the other options of a command are read."""


class WorkspaceError(HawkError):
    """An environment that is not there, or whose settings cannot be read."""


def data_root(env: str | None) -> Path:
    """The folder of the data layers, as the project around the working directory has it; `data` where there is none.

    Args:
        env: the environment; None: conf/local, as with `kedro run`.

    Raises:
        WorkspaceError: there is no such environment, or its `globals.yml` cannot be read.
    """
    conf = Path("conf")
    if env is not None and not (conf / env).is_dir():
        there = ", ".join(sorted(path.name for path in conf.glob("*") if (path / "globals.yml").is_file())) or "none"
        msg = f"There is no environment {conf / env}; with a globals.yml there are {there}."
        raise WorkspaceError(msg)
    found: Any = "data"
    for file in (conf / "base" / "globals.yml", conf / (env or "local") / "globals.yml"):
        if file.is_file():
            found = _read(file).get("data_root", found)
    return Path(str(found))


def _read(file: Path) -> dict[str, Any]:
    try:
        told = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        msg = f"{file} cannot be read ({' '.join(str(error).split())[:200]}); it is lines of `name: value`."
        raise WorkspaceError(msg) from error
    if not isinstance(told, dict):
        msg = f"{file} is no list of settings; it is lines of `name: value`, such as `data_root: data/mine`."
        raise WorkspaceError(msg)
    return told


def env_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """The environment whose data a command is about. It is read before the options whose defaults lie in its data."""
    if any(option.name == "env" for option in getattr(command, "__click_params__", [])):
        return command
    option = click.option(
        "--env",
        "-e",
        envvar="KEDRO_ENV",
        is_eager=True,
        expose_value=False,
        callback=lambda context, _, value: context.meta.__setitem__(ENV, value),
        help="The configuration environment, as for `kedro run`.",
    )
    return option(command)


def in_data_root(*names: str, place: str, **options: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """An option that names a file or folder, by default one below the environment's `data_root`."""

    def chosen(context: click.Context, parameter: click.Parameter, value: Path) -> Path:
        if context.get_parameter_source(str(parameter.name)) is not ParameterSource.DEFAULT:
            return value
        try:
            return data_root(context.meta.get(ENV)) / place
        except WorkspaceError as error:
            raise click.ClickException(str(error)) from error

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        default = str(Path("data") / place)
        return click.option(*names, default=default, show_default=True, callback=chosen, **options)(env_option(command))

    return decorate
