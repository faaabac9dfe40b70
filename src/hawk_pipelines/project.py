"""The project around the working directory, and what the settings of an environment say there, without Kedro."""

import difflib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from hawk_pipelines.errors import HawkError
from hawk_pipelines.plain_text import plain

LOCAL = "local"
"""The environment of whoever names none; it is not in git."""


_NOT_HELD = re.compile(r"%[0-9A-Fa-f]{2}|[?*]|\[[^/]*\]")
"""In a path: what an address of SQLite or MLflow cuts off or decodes, and what Kedro looks for its settings by."""


class ProjectError(HawkError):
    """A project in a folder that cannot be used; an environment that is not there, or whose settings cannot be read."""


def project_folder(start: Path | None = None) -> Path | None:
    """The nearest folder upwards that holds `conf/base`; None outside of a project.

    Args:
        start: where to begin; None: the working directory.
    """
    here = (start or Path.cwd()).absolute()
    return next((folder for folder in (here, *here.parents) if (folder / "conf" / "base").is_dir()), None)


def check_folder(folder: Path) -> None:
    """Refuse a folder of a project in which records or settings would be looked for, or made, somewhere else.

    Raises:
        ProjectError: its path holds a question mark, an asterisk, brackets or a percent sign with two hexadecimal digits.
    """
    if found := _NOT_HELD.search(str(folder.absolute())):
        msg = (
            f"The project's folder {plain(str(folder.absolute()))} has a {plain(found[0])} in its path, "
            "which the addresses of MLflow or the settings of Kedro cannot hold; move or rename it."
        )
        raise ProjectError(msg)


def environment_settings(project: Path, file: str, env: str | None) -> dict[str, Any]:
    """What `conf/base` and an environment say together in a file of settings; the environment's word counts.

    Args:
        project: its folder.
        file: name of the file, such as `globals.yml`.
        env: the environment; None: conf/local, as with `kedro run`.

    Raises:
        ProjectError: there is no such environment, or a file cannot be read.
    """
    conf = project / "conf"
    check_environment(conf, env)
    settings: dict[str, Any] = {}
    for path in (conf / "base" / file, conf / (env or "local") / file):
        if path.is_file():
            settings = joined(settings, _read(path))
    return settings


def check_environment(conf: Path, env: str | None) -> bool:
    """Whether the folder of an environment is there; conf/local, which holds what is one's own, need not be.

    Args:
        conf: the folder of all environments.
        env: a name; None: conf/local.

    Raises:
        ProjectError: there is no such environment.
    """
    name = env or LOCAL
    if os.path.isdir(conf / name) and Path(name).name == name:  # noqa: PTH112 (Path's own raises where a name is too long)
        return True
    if name == LOCAL:
        return False
    there = sorted({LOCAL, *(path.name for path in conf.glob("*") if any(path.glob("*.yml")))})
    near = difflib.get_close_matches(name, there, n=1)
    meant = f"; did you mean `{near[0]}`?" if near else "."
    msg = f"There is no environment conf/{plain(name)}{meant} There are {', '.join(there)}."
    raise ProjectError(msg)


def joined(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of two files: what stands above counts, and what it leaves out stays as it is below.

    A section that chooses another `kind` of thing shares no setting with the one below, and replaces it.
    """
    result = {**below, **above}
    for name in below.keys() & above:
        lower, upper = below[name], above[name]
        if isinstance(lower, Mapping) and isinstance(upper, Mapping):
            other_kind = upper.get("kind", lower.get("kind")) != lower.get("kind")
            result[name] = upper if other_kind else joined(lower, upper)
    return result


def _read(file: Path) -> dict[str, Any]:
    try:
        settings = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        msg = f"{file} cannot be read ({' '.join(str(error).split())[:200]}); it is lines of `name: value`."
        raise ProjectError(msg) from error
    if not isinstance(settings, dict):
        msg = f"{file} is no list of settings; it is lines of `name: value`, such as `data_root: data/mine`."
        raise ProjectError(msg)
    return settings
