"""Putting a model into the MLflow registry, and getting it out again."""

import logging
import os
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import mlflow
import yaml
from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, Schema

from hawk_pipelines.errors import HawkError
from hawk_pipelines.serving.hawk import Hawk

logger = logging.getLogger(__name__)

_REQUIREMENTS = ("av", "mlflow", "numpy", "opencv-python-headless", "peft", "safetensors", "torch", "transformers")
_SIGNATURE = ModelSignature(
    Schema([ColSpec("string", "video"), ColSpec("string", "question", required=False)]),
    Schema([ColSpec("string", "answer")]),
)


class ModelNotFound(HawkError):
    """A model that the registry or the disk does not have."""


class Registered(NamedTuple):
    """A version in the registry."""

    name: str
    version: str
    alias: str
    uri: str


def register(folder: Path, name: str, alias: str, tags: Mapping[str, str]) -> Registered:
    """Log a saved model to the active MLflow run, register it as a new version, and give that version the alias."""
    logged = mlflow.pyfunc.log_model(
        name="model",
        python_model=str(Path(__file__).with_name("pyfunc.py")),
        artifacts={"model": str(folder)},
        signature=_SIGNATURE,
        pip_requirements=[f"{package}=={version(package).split('+')[0]}" for package in _REQUIREMENTS],
        registered_model_name=name,
    )
    client = mlflow.MlflowClient()
    number = str(logged.registered_model_version)
    for key, value in tags.items():
        client.set_model_version_tag(name, number, key, value)
    client.set_registered_model_alias(name, alias, number)
    return Registered(name, number, alias, f"models:/{name}@{alias}")


def load(model: str | Path) -> Hawk:
    """Load a model.

    Args:
        model: an MLflow model URI (`models:/hawk@production`), or a `save_pretrained` folder.

    Raises:
        ModelNotFound: it is not there.
    """
    if not str(model).startswith(("models:/", "runs:/")):
        return Hawk.from_folder(model)
    uri = tracking_uri()
    try:
        folder = mlflow.artifacts.download_artifacts(str(model), tracking_uri=uri, registry_uri=uri)
    except MlflowException as error:
        msg = (
            f"{model} is not in the registry at {uri} ({error.message}); make one with `kedro run`, or name another with --model."
        )
        raise ModelNotFound(msg) from error
    found = next(Path(folder).rglob("config.json"), None)
    if found is None:
        msg = f"{model} at {uri} holds no HAWK model; name another with --model."
        raise ModelNotFound(msg)
    return Hawk.from_folder(found.parent)


def tracking_uri() -> str:
    """Where MLflow's records are: `MLFLOW_TRACKING_URI`, otherwise what the project around the working directory says.

    Raises:
        ModelNotFound: neither is there.
    """
    if "MLFLOW_TRACKING_URI" in os.environ:
        return os.environ["MLFLOW_TRACKING_URI"]
    for folder in (Path.cwd(), *Path.cwd().parents):
        settings = folder / "conf" / "base" / "mlflow.yml"
        if settings.is_file():
            uri = yaml.safe_load(settings.read_text(encoding="utf-8"))["server"]["mlflow_tracking_uri"]
            return _absolute(uri, folder)
    msg = f"{Path.cwd()} is not inside a HAWK project and MLFLOW_TRACKING_URI is not set; change into the project or set it."
    raise ModelNotFound(msg)


def _absolute(uri: str, project: Path) -> str:
    prefix = "sqlite:///"
    if uri.startswith(prefix) and not uri.startswith(f"{prefix}/"):
        return f"{prefix}{project / uri.removeprefix(prefix)}"
    return uri
