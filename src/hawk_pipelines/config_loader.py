"""Settings as Kedro loads them, with this project's two rules: sections are joined, and conf/local need not be there."""

from pathlib import Path
from typing import Any

from kedro.config import OmegaConfigLoader

from hawk_pipelines.project import check_environment, joined


class ConfigLoader(OmegaConfigLoader):
    """A part of a section in conf/local leaves the rest as it is in conf/base; a section of another `kind` replaces it."""

    def __init__(
        self, conf_source: str, env: str | None = None, runtime_params: dict[str, Any] | None = None, **how: Any
    ) -> None:
        """Args: those of Kedro's own.

        Raises:
            ProjectError: there is no such environment.
        """
        here = "://" not in conf_source and (Path(conf_source) / CONFIG_LOADER_ARGS["base_env"]).is_dir()
        if here and not check_environment(Path(conf_source), env):
            env, how = None, {**how, "default_run_env": CONFIG_LOADER_ARGS["base_env"]}
        super().__init__(conf_source, env, runtime_params, **how)

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
