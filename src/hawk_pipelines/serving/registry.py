"""Putting a model into the MLflow registry, and getting it out again."""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import mlflow
from mlflow.exceptions import MlflowException
from mlflow.store.artifact.utils.models import get_model_name_and_version

import hawk_pipelines
from hawk_pipelines.errors import HawkError
from hawk_pipelines.serving.hawk import Hawk
from hawk_pipelines.serving.invocation import SIGNATURE
from hawk_pipelines.serving.tracking_server import check_server, database_ready, missing_database, no_answer, tracking_uri

_LONGEST_DESCRIPTION = 5000
"""MLflow keeps no more of a version's description."""


class ModelNotFound(HawkError):
    """A model that the registry or the disk does not have."""


class Version(NamedTuple):
    """A version in the registry."""

    name: str
    number: str
    model_id: str
    """Of its files, in MLflow."""


def add_version(folder: Path, name: str, requirements: Sequence[str], tags: Mapping[str, str] | None = None) -> Version:
    """Log a saved model to the active MLflow run and register it as a new version, which has no alias yet.

    The version carries this package's source files, so that whoever loads it needs the requirements and nothing else.

    Args:
        folder: of the saved model.
        name: under which it is registered.
        requirements: what has to be installed where it is loaded, as pip takes it.
        tags: of the version.
    """
    logged = mlflow.pyfunc.log_model(
        name="model",
        python_model=str(Path(__file__).with_name("pyfunc.py")),
        artifacts={"model": str(folder)},
        signature=SIGNATURE,
        pip_requirements=list(requirements),
        code_paths=[str(Path(hawk_pipelines.__file__).parent)],
    )
    added = mlflow.register_model(logged.model_uri, name, tags=dict(tags or {}))
    return Version(name, str(added.version), logged.model_id)


def describe(version: Version, files: Mapping[str, str], description: str) -> None:
    """Put texts beside a version's files and into the active MLflow run, and give the version its description.

    Args:
        version: that was just added.
        files: texts by the names of their files.
        description: in Markdown; what is longer than MLflow keeps is cut off.
    """
    if len(description) > _LONGEST_DESCRIPTION:
        description = f"{description[: _LONGEST_DESCRIPTION - 2]} …"
    with tempfile.TemporaryDirectory() as folder:
        for name, text in files.items():
            (Path(folder) / name).write_text(text, encoding="utf-8")
        mlflow.MlflowClient().log_model_artifacts(version.model_id, folder)
        mlflow.log_artifacts(folder, "registered_model")
    mlflow.MlflowClient().update_model_version(version.name, version.number, description)


def fetch(model: str, uri: str) -> Path:
    """The folder of a registered model's files on this machine, downloaded where they are elsewhere.

    Args:
        model: an MLflow model URI.
        uri: of the registry.

    Raises:
        ModelNotFound: it is not there.
        TrackingServerError: the registry does not answer.
    """
    try:
        client = mlflow.MlflowClient(uri, uri)
        folder = Path(mlflow.artifacts.download_artifacts(_files(client, model), tracking_uri=uri))
    except (MlflowException, OSError) as error:
        if fault := no_answer(error, uri):
            raise fault from error
        said = " ".join(str(getattr(error, "message", error)).split())
        msg = f"{model} is not in the registry ({said})"
        raise ModelNotFound(msg) from error
    if not _configurations(folder):
        msg = f"{model} holds no HAWK model"
        raise ModelNotFound(msg)
    return folder


def _files(client: mlflow.MlflowClient, model: str) -> str:
    """Where a model's files are. MLflow would look `models:/` addresses up on the server of its own settings."""
    if not model.startswith("models:/"):
        return model
    found = get_model_name_and_version(client, model)
    if len(found) == 1:
        return str(client.get_logged_model(found[0]).artifact_location)
    return str(client.get_model_version_download_uri(*found))


def weights_in(folder: Path) -> Path:
    """Of what `fetch` gives, the `save_pretrained` folder."""
    return _configurations(folder)[0].parent


def _configurations(folder: Path) -> list[Path]:
    """Those of models: the code that a version carries is none."""
    return [file for file in folder.rglob("config.json") if file.relative_to(folder).parts[0] != "code"]


def load(model: str, env: str | None = None) -> Hawk:
    """Load a registered model.

    Args:
        model: an MLflow model URI (`models:/hawk@production`).
        env: the configuration environment whose `mlflow.yml` names the registry; None: as `kedro run` without `--env`.

    Raises:
        ModelNotFound: it is not there.
        TrackingServerError: no registry is named, or it does not answer.
    """
    uri = tracking_uri(env)
    if database := missing_database(uri):
        advice = "Make a model with `kedro run`, or name another with --model."
        msg = f"{model} is not in the registry: {database} is not there. {advice}"
        raise ModelNotFound(msg)
    check_server(uri)
    try:
        with database_ready(uri):
            folder = fetch(model, uri)
    except ModelNotFound as error:
        msg = f"{error}; that is the one at {uri}. Make a model with `kedro run`, or name another with --model."
        raise ModelNotFound(msg) from error
    return Hawk.from_folder(weights_in(folder))
