"""`kedro run` as Kedro has it, with errors that the user can mend in one sentence instead of a traceback."""

import contextlib
import logging
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

import click
import yaml
from click.core import ParameterSource
from kedro.config import MissingConfigException
from kedro.framework.cli.project import run as kedro_run
from kedro.framework.cli.utils import KedroCliError, split_node_names, split_string
from kedro.framework.project import LOGGING, pipelines
from kedro.io import DatasetError
from kedro.utils import find_kedro_project
from pydantic import ValidationError
from yaml import YAMLError

from hawk_pipelines import logs
from hawk_pipelines.cli.options import begin_to_tell, log_options
from hawk_pipelines.cli.run_choices import OWN_RUNNER, check_choices, load_versions, named_pipelines
from hawk_pipelines.cli.run_settings import RepeatedOption, settings_option
from hawk_pipelines.config_loader import CONFIG_LOADER_ARGS
from hawk_pipelines.errors import HawkError
from hawk_pipelines.machine_faults import machine_fault, name_fault
from hawk_pipelines.pipelines.staged_runner import Interrupted
from hawk_pipelines.plain_text import plain
from hawk_pipelines.project import check_environment, check_folder
from hawk_pipelines.serving.tracking_server import database_file, records_folder, server_fault, tracking_uri
from hawk_pipelines.standard_output import guard

logger = logging.getLogger(__name__)

_kedro_run = cast(Callable[..., Any], kedro_run.callback)
_CHOICES = ("pipelines", "pipeline", "node_names", "to_nodes", "to_outputs", "tags", "namespaces")
"""Options of `kedro run` that ask for certain steps."""
_NO_NODES = "contains no nodes after applying"
"""In Kedro's own words for options that leave nothing."""


class InterruptedRun(click.ClickException):
    """Somebody pressed Ctrl-C; the exit status is that of shells."""

    exit_code = 130


def _run(log_file: Path | None, verbose: bool, quiet: bool, **options: Any) -> Any:
    guard(goes_on=True)
    project = find_kedro_project(Path.cwd()) or Path.cwd()
    _refuse_empty(options)
    _find_logging(project)
    logs.name_run(None)
    begin_to_tell(log_file, verbose, quiet)
    conf = Path(options.get("conf_source") or project / "conf")
    try:
        check_folder(project)
        if (conf / CONFIG_LOADER_ARGS["base_env"]).is_dir():
            check_environment(conf, options.get("env") or os.environ.get("KEDRO_ENV"))
        elif conf.is_dir():
            msg = (
                f"{plain(str(conf))} holds no folder `{CONFIG_LOADER_ARGS['base_env']}`; --conf-source names a folder like conf."
            )
            raise click.UsageError(msg)
        check_choices(options, pipelines)
        if not options.get("runner"):
            runs_all = "__default__" in named_pipelines(options) or not any(options.get(option) for option in _CHOICES)
            options |= {"runner": OWN_RUNNER, "runner_params": {**(options.get("runner_params") or {}), "runs_all": runs_all}}
        with contextlib.chdir(project):  # so that relative paths mean the same from every sub-directory
            return _kedro_run(**options)
    except (HawkError, DatasetError, MissingConfigException, ValidationError, YAMLError) as error:
        if "HAWK_TRACEBACK" in os.environ:
            raise
        if not isinstance(error, HawkError):
            _tell_of_the_machine(error, project, options.get("env"))
        raise _refusal(str(error), InterruptedRun if isinstance(error, Interrupted) else click.ClickException) from error
    except KedroCliError as error:
        raise click.UsageError(plain(str(error))) from error
    except ValueError as error:
        if _NO_NODES not in str(error) or "HAWK_TRACEBACK" in os.environ:
            raise
        msg = "No node is left to run: the options together choose none. Leave one of them out."
        raise click.UsageError(msg) from error
    except Exception as error:
        if "HAWK_TRACEBACK" not in os.environ:
            _tell_of_the_machine(error, project, options.get("env"))
        raise


def _refuse_empty(options: Mapping[str, Any]) -> None:
    """Refuse options that are given without a value, as by a variable of the shell that is not set: all steps would be run."""
    context = click.get_current_context()
    for name in (*_CHOICES, "env", "runner", "conf_source"):
        if not options.get(name) and context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            option = next(parameter.opts[0] for parameter in context.command.params if parameter.name == name)
            msg = f"{option} is given without a value; name what is meant, or leave the option out."
            raise click.UsageError(msg)


def _tell_of_the_machine(error: Exception, project: Path, env: str | None) -> None:
    """End with a sentence where the machine or the tracking server is at fault.

    Raises:
        ClickException: it is.
    """
    fault: HawkError | None = name_fault(error)
    if fault is None:
        uri = tracking_uri(env, records_folder(project))
        fault = machine_fault(error, database=database_file(uri)) or server_fault(error, uri)
    if fault:
        raise _refusal(str(fault)) from error


def _refusal(message: str, kind: type[click.ClickException] = click.ClickException) -> click.ClickException:
    """A sentence that ends the command; the file of the log has it, too, and the MLflow run is named where one was opened."""
    logger.error("%s", message, extra=logs.ONLY_IN_FILE)
    run = f"MLflow run {logs.named_run()}; " if logs.named_run() else ""
    return kind(f"{plain(logs.without_secrets(message))} ({run}HAWK_TRACEBACK=1 shows where.)")


def _find_logging(project: Path) -> None:
    """Set up logging as the project has it: Kedro has looked for it where one stands."""
    file = project / "conf" / "logging.yml"
    if project != Path.cwd() and "KEDRO_LOGGING_CONFIG" not in os.environ and file.is_file():
        LOGGING.configure(yaml.safe_load(file.read_text(encoding="utf-8")))


def _from_file(context: click.Context, _: click.Parameter, value: str | None) -> str | None:
    """Options of a file that `--config` names, below `run:`; what is typed counts more."""
    if not value:
        return value
    known = sorted({str(option.name) for option in run.params} - {"config"})
    try:
        given = yaml.safe_load(Path(value).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, YAMLError) as error:
        msg = f"{plain(value)} cannot be read as YAML ({plain(str(error))[:200]})."
        raise click.UsageError(msg, context) from error
    options = given.get("run") if isinstance(given, dict) else None
    if not isinstance(options, dict):
        msg = f"{plain(value)} has no options of a run; it is `run:` and below it lines such as `  pipelines: finetune`."
        raise click.UsageError(msg, context)
    of_no_use = [name for name, option in options.items() if not _is_text(option, deep=name in ("params", "runner_params"))]
    if of_no_use:
        msg = f"`{plain(str(of_no_use[0]))}` in {plain(value)} is neither a text or a number nor a list of such."
        raise click.UsageError(msg, context)
    if unknown := [name for name in options if name not in known]:
        msg = f"`{plain(str(unknown[0]))}` in {plain(value)} is no option of a run; there are {', '.join(known)}."
        raise click.UsageError(msg, context)
    context.default_map = {**(context.default_map or {}), **options}
    return value


def _is_text(option: Any, deep: bool) -> bool:
    """Whether an option of a file is what could be typed; settings may be sections."""
    if deep and isinstance(option, dict):
        return True
    parts = option if isinstance(option, list) else [option]
    return all(isinstance(part, str | int | float) for part in parts)


def _versions(_: click.Context, __: click.Parameter, value: str | dict[str, str]) -> dict[str, str]:
    return value if isinstance(value, dict) else load_versions(value or "")


def _or_nothing(split: Callable[..., Any]) -> Callable[..., Any]:
    return lambda context, option, value: split(context, option, value or "")


def _options() -> list[click.Parameter]:
    """Kedro's, some of them read in our way, and ours."""

    @log_options
    @settings_option
    def ours() -> None:
        """Only for its options."""

    own: list[click.Parameter] = list(reversed(getattr(ours, "__click_params__")))  # noqa: B009 (click's own, unknown to types)
    options: list[click.Parameter] = []
    for option in kedro_run.params:
        if option.name in {one.name for one in own} or not isinstance(option, click.Option):
            continue
        named: dict[str, Any] = {"param_decls": [*option.opts, option.name], "help": option.help}
        if option.callback in (split_string, split_node_names):
            options.append(RepeatedOption(**named, multiple=True, callback=_or_nothing(option.callback)))
        elif option.name == "load_versions":
            options.append(RepeatedOption(**named, multiple=True, callback=_versions))
        elif option.name == "config":
            options.append(click.Option(**named, type=option.type, callback=_from_file))
        else:
            options.append(option)
    return [*options, *own]


run = click.Command("run", callback=_run, params=_options(), help=kedro_run.help)
