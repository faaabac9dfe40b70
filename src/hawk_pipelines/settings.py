"""Kedro's settings of this project."""

from typing import Any

from kedro.config import OmegaConfigLoader

from hawk_pipelines.hooks import LocationHooks, ProjectHooks, TrackingHooks
from hawk_pipelines.project import joined


class ConfigLoader(OmegaConfigLoader):
    """A part of a section in conf/local leaves the rest as it is in conf/base; a section of another `kind` replaces it."""

    @staticmethod
    def _soft_merge(config: dict[str, Any], env_config: dict[str, Any], env_path: str | None = None) -> dict[str, Any]:
        return joined(config, env_config)


DISABLE_HOOKS_FOR_PLUGINS = ("kedro-mlflow", "kedro_mlflow")  # as its releases are called; `TrackingHooks` are in their place
HOOKS = (LocationHooks(), ProjectHooks(), TrackingHooks())  # Kedro calls the last one first
CONFIG_LOADER_CLASS = ConfigLoader
CONFIG_LOADER_ARGS = {
    "base_env": "base",
    "default_run_env": "local",
    "config_patterns": {"mlflow": ["mlflow*", "mlflow*/**", "**/mlflow*"]},
    "merge_strategy": {"parameters": "soft", "mlflow": "soft"},
}
