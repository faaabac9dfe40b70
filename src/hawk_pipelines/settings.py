"""Kedro's settings of this project."""

from hawk_pipelines.config_loader import CONFIG_LOADER_ARGS, ConfigLoader
from hawk_pipelines.hooks import LocationHooks, ProjectHooks

__all__ = ["CONFIG_LOADER_ARGS", "CONFIG_LOADER_CLASS", "HOOKS"]

HOOKS = (LocationHooks(), ProjectHooks())
CONFIG_LOADER_CLASS = ConfigLoader
