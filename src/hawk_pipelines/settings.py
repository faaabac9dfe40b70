"""Kedro's settings of this project."""

from hawk_pipelines.hooks import LocationHooks, ProjectHooks
from hawk_pipelines.pipelines.configuration import CONFIG_LOADER_ARGS, ConfigLoader

HOOKS = (LocationHooks(), ProjectHooks())
CONFIG_LOADER_CLASS = ConfigLoader

__all__ = ["CONFIG_LOADER_ARGS", "CONFIG_LOADER_CLASS", "HOOKS", "ConfigLoader"]
