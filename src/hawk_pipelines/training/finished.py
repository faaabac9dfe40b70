"""Whether a saved model is the result of a training that would be done now: then it is used as it is.

Beside the weights lies `finished.json`: the training's fingerprint, and the hash of every file that the model is loaded from.
A model that was changed since, or put there by somebody else, is not taken for it.
"""

import hashlib
import json
import shutil
from pathlib import Path

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from pydantic import BaseModel, ConfigDict, ValidationError

from hawk_pipelines.engine.whole_files import whole_file
from hawk_pipelines.training.job import FINISHED_RECORD, MODEL, RECORDS, RUN, TRAINING_TAG


class FinishedTraining(BaseModel):
    """The record beside a trained model."""

    model_config = ConfigDict(extra="forbid")

    fingerprint: str
    """Of the training: job, samples, features, and the weights it started from."""
    files: dict[str, str]
    """SHA-256 of every file of the model by its name, but for records."""


def write_finished(model: Path, fingerprint: str) -> None:
    """Leave the record beside a trained model, whole or not at all."""
    record = FinishedTraining(fingerprint=fingerprint, files=_hashes(model))
    with whole_file(model / FINISHED_RECORD) as unfinished:
        unfinished.write_text(json.dumps(record.model_dump(), indent=1, sort_keys=True) + "\n", encoding="utf-8")


def is_finished(model: Path, fingerprint: str) -> bool:
    """Whether a folder holds the model of this training, and nobody has changed it since."""
    try:
        record = FinishedTraining.model_validate_json((model / FINISHED_RECORD).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, ValidationError):
        return False
    return record.fingerprint == fingerprint and record.files == _hashes(model)


def run_of(folder: Path) -> str | None:
    """The MLflow run of a training by its folder; None where nobody knows it any more."""
    try:
        return str(json.loads((folder / RUN).read_text(encoding="utf-8"))["run_id"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def training_run_of(model: Path, trainings: Path, uri: str) -> str | None:
    """The MLflow run in which a saved model was trained; None where neither its training's folder nor the server knows it.

    Args:
        model: its folder.
        trainings: where trainings have their folders.
        uri: of the tracking server.
    """
    try:
        record = FinishedTraining.model_validate_json((model / FINISHED_RECORD).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, ValidationError):
        return None
    client = MlflowClient(uri)
    for run_id in filter(None, (run_of(folder) for folder in sorted(trainings.glob(f"*-{record.fingerprint}")))):
        try:
            return str(client.get_run(run_id).info.run_id)
        except MlflowException as error:  # it is on another server, or was removed
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
    experiments = [one.experiment_id for one in client.search_experiments()]
    of_this = f"tags.{TRAINING_TAG} = '{record.fingerprint}' AND attributes.status = 'FINISHED'"
    found = client.search_runs(experiments, of_this, max_results=1)
    return str(found[0].info.run_id) if found else None


def forget_handed_over(training: Path, model: Path) -> None:
    """Remove a model from its training's folder where it is in its place already: its run was stopped in between.

    Otherwise it would be taken for one that nobody has taken yet. A file system without links leaves it there.
    """
    left = training / MODEL
    try:
        same = (left / "config.json").samefile(model / "config.json")
    except OSError:
        return
    if same:
        gone = left.with_name(f".{left.name}.gone")
        shutil.rmtree(gone, ignore_errors=True)
        left.replace(gone)
        shutil.rmtree(gone, ignore_errors=True)


def _hashes(model: Path) -> dict[str, str]:
    found = {}
    for path in sorted(model.rglob("*")):
        if path.is_file() and path.name not in RECORDS and path.suffix != ".part":
            with path.open("rb") as file:
                found[path.relative_to(model).as_posix()] = hashlib.file_digest(file, "sha256").hexdigest()
    return found
