"""Kedro's settings of this project."""

from hawk_pipelines.hooks import ProjectHooks

HOOKS = (ProjectHooks(),)
CONFIG_LOADER_ARGS = {"base_env": "base", "default_run_env": "local"}
