"""HAWK: from raw surveillance video to a registered model that says what is unusual.

Importing this package imports nothing heavy.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from hawk_pipelines.serving.hawk import Hawk

__version__ = "0.1.0"

# Nothing phones home and no foreign bar runs across the terminal, unless the environment says otherwise.
for _name, _value in {
    "DO_NOT_TRACK": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "TOKENIZERS_PARALLELISM": "false",
}.items():
    os.environ.setdefault(_name, _value)


def load(model: str | Path = "models:/hawk@production", env: str | None = None) -> Hawk:
    """Load a model that can be asked about videos.

    Args:
        model: an MLflow model URI, or a `save_pretrained` folder. The registry is the one that `MLFLOW_TRACKING_URI` names,
            otherwise the one of the project around the working directory.
        env: the configuration environment whose `mlflow.yml` names the registry; None: the one in `KEDRO_ENV`, or conf/local.

    Returns:
        A model with `ask(video, question)` and `describe(video)`.

    Raises:
        ModelNotFound: the registry does not have it.
        TrackingServerError: no registry is named.
        CheckpointError: the folder holds no HAWK model.
    """
    if not str(model).startswith(("models:/", "runs:/")):
        from hawk_pipelines.serving.hawk import Hawk

        return Hawk.from_folder(model)
    from hawk_pipelines.serving.registry import load as load_registered  # MLflow takes a second, for those that ask it

    return load_registered(str(model), env)
