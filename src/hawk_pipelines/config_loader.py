"""Settings as Kedro loads them, with this project's three rules: sections are joined, conf/local need not be there, and places
may lie in the data folder of the environment. The same for `kedro run` and for `hawk`.
"""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from kedro.config import OmegaConfigLoader

from hawk_pipelines.project import check_environment, check_folder, joined

DATA_ROOT = "<data_root>"
"""Begins a place in the data folder of the environment (conf/base/globals.yml). Kedro's own `${globals:…}` says the same, but
`dvc exp run -S` refuses a file that has it."""


class ConfigLoader(OmegaConfigLoader):
    """A part of a section in conf/local leaves the rest as it is in conf/base; a section of another `kind` replaces it."""

    def __init__(
        self, conf_source: str, env: str | None = None, runtime_params: dict[str, Any] | None = None, **how: Any
    ) -> None:
        """Args: those of Kedro's own.

        Raises:
            ProjectError: there is no such environment, or the path of the folder is a pattern to Kedro.
        """
        if "://" not in conf_source:
            check_folder(Path(conf_source).absolute().parent)
        here = "://" not in conf_source and (Path(conf_source) / CONFIG_LOADER_ARGS["base_env"]).is_dir()
        if here and not check_environment(Path(conf_source), env):
            env, how = None, {**how, "default_run_env": CONFIG_LOADER_ARGS["base_env"]}
        super().__init__(conf_source, env, runtime_params, **how)

    def __getitem__(self, key: str) -> dict[str, Any]:
        """The settings of a kind; in parameters, with the places that they mean."""
        found: dict[str, Any] = super().__getitem__(key)
        if key != "parameters":
            return found
        return self._placed(found, cache(lambda: str(self["globals"]["data_root"])))  # Kedro would read the files for each place

    @classmethod
    def _placed(cls, value: Any, data_root: Callable[[], str]) -> Any:
        if isinstance(value, dict):
            return {name: cls._placed(part, data_root) for name, part in value.items()}
        if isinstance(value, list):
            return [cls._placed(part, data_root) for part in value]
        if isinstance(value, str) and value.startswith(f"{DATA_ROOT}/"):
            return value.replace(DATA_ROOT, data_root(), 1)
        return value

    @staticmethod
    def _soft_merge(config: dict[str, Any], env_config: dict[str, Any], env_path: str | None = None) -> dict[str, Any]:
        return joined(config, env_config)


CONFIG_LOADER_ARGS: dict[str, Any] = {
    "base_env": "base",
    "default_run_env": "local",
    "config_patterns": {"mlflow": ["mlflow*", "mlflow*/**", "**/mlflow*"]},
    "merge_strategy": {"parameters": "soft", "mlflow": "soft"},
}


def settings_of(env: str | None, runtime_params: dict[str, Any] | None = None) -> ConfigLoader:
    """Settings below `conf` in the working directory, for commands that start no session of Kedro.

    Raises:
        ProjectError: there is no such environment.
    """
    return ConfigLoader("conf", env, runtime_params, **CONFIG_LOADER_ARGS)
