"""Kedro's settings of this project."""

from hawk_pipelines.config_loader import CONFIG_LOADER_ARGS, ConfigLoader
from hawk_pipelines.hooks import ProjectHooks
from hawk_pipelines.tracking_hooks import LocationHooks, TrackingHooks

__all__ = ["CONFIG_LOADER_ARGS", "CONFIG_LOADER_CLASS", "HOOKS"]

DISABLE_HOOKS_FOR_PLUGINS = ("kedro-mlflow", "kedro_mlflow")  # as its releases are called; `TrackingHooks` are in their place
HOOKS = (LocationHooks(), ProjectHooks(), TrackingHooks())  # Kedro calls the last one first
CONFIG_LOADER_CLASS = ConfigLoader
