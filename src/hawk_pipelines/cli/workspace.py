"""Where the data of an environment lie: `data_root` of conf/<env>/globals.yml, as `kedro run --env` takes it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from hawk_pipelines.project import ProjectError, environment_settings, project_folder

ENV = "hawk_pipelines.env"
"""Where the chosen environment is kept while the other options of a command are read."""


def data_root(env: str | None) -> Path:
    """The folder of the data layers, as the project around the working directory has it; `data` where there is none.

    Args:
        env: the environment; None: conf/local, as with `kedro run`.

    Returns:
        A path from the working directory where that is in the project's root, from the file system's root below it.

    Raises:
        ProjectError: there is no such environment, or its `globals.yml` cannot be read.
    """
    project = project_folder()
    if project is None:
        return Path("data")
    root = Path(str(environment_settings(project, "globals.yml", env).get("data_root", "data")))
    return root if project == Path.cwd() else project / root


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
        except ProjectError as error:
            raise click.ClickException(str(error)) from error

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        default = str(Path("data") / place)
        return click.option(*names, default=default, show_default=True, callback=chosen, **options)(env_option(command))

    return decorate
