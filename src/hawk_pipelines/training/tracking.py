"""A training's own MLflow run, below the run of the pipeline; found again when the training goes on after a stop."""

import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities import Param, Run
from mlflow.exceptions import MlflowException
from pydantic import BaseModel

from hawk_pipelines.engine.whole_files import whole_file
from hawk_pipelines.training.job import FINISHED, RUN
from hawk_pipelines.training.journal import deliver, delivered

logger = logging.getLogger(__name__)

LONGEST_VALUE = 500
"""Characters of a parameter's value that are written."""
JOURNAL = "journal.jsonl"
SQLITE = "sqlite:///"


def flat(settings: object, prefix: str = "") -> dict[str, object]:
    """Nested settings as one level of dotted names: `{"finetune": {"steps": 3}}` → `{"finetune.steps": 3}`."""
    if isinstance(settings, BaseModel):
        settings = settings.model_dump(mode="json")
    if not isinstance(settings, Mapping):
        return {prefix: settings}
    result: dict[str, object] = {}
    for name, value in settings.items():
        result |= flat(value, f"{prefix}.{name}" if prefix else str(name))
    return result


@contextmanager
def training_run(
    stage: str,
    folder: Path,
    parent: Run,
    parameters: Mapping[str, object],
    uri: str,
    tags: Mapping[str, str] | None = None,
) -> Iterator[str]:
    """The MLflow run of a training: its id.

    Args:
        stage: `pretrain` or `finetune`.
        folder: of the training; it keeps the run's id.
        parent: the run of the pipeline.
        parameters: flat.
        uri: of the tracking server.
        tags: more of them for the run.
    """
    client = MlflowClient(uri)
    run_id = _again(client, folder, parent) or _new(client, stage, parent, tags or {})
    _keep(folder, run_id, uri)
    status = "FAILED"
    try:
        _log_parameters(client, run_id, parameters)
        yield run_id
        status = "FINISHED"
    except KeyboardInterrupt:
        status = "KILLED"
        raise
    finally:
        with told("The training's MLflow run could not be ended"):
            client.set_terminated(run_id, status)


def _keep(folder: Path, run_id: str, uri: str) -> None:
    """Whole or not at all: without it a training that goes on would not find its run."""
    with whole_file(folder / RUN) as unfinished:
        unfinished.touch(mode=0o600)  # the address may hold a password
        unfinished.write_text(json.dumps({"run_id": run_id, "tracking_uri": uri}), encoding="utf-8")


def _log_parameters(client: MlflowClient, run_id: str, parameters: Mapping[str, object]) -> None:
    """MLflow keeps a parameter as it was first written; what is another one now (how often it is saved, say) becomes a tag."""
    there = client.get_run(run_id).data.params
    values = {name: str(value)[:LONGEST_VALUE] for name, value in parameters.items()}
    new = [Param(name, value) for name, value in values.items() if name not in there]
    for start in range(0, len(new), 100):
        client.log_batch(run_id, params=new[start : start + 100])
    for name, value in values.items():
        if there.get(name, value) != value:
            client.set_tag(run_id, f"resumed.{name}", value)


def run_id_of(folder: Path) -> str:
    """The MLflow run of a training that was begun."""
    return str(json.loads((folder / RUN).read_text(encoding="utf-8"))["run_id"])


def _new(client: MlflowClient, stage: str, parent: Run, more: Mapping[str, str]) -> str:
    tags = {"mlflow.runName": stage, "mlflow.parentRunId": parent.info.run_id, "mlflow.source.name": stage, "stage": stage}
    return client.create_run(parent.info.experiment_id, tags=tags | dict(more)).info.run_id


def _again(client: MlflowClient, folder: Path, parent: Run) -> str | None:
    """The run in which the training began, put below the pipeline's present run; None where there is none.

    Raises:
        MlflowException: the tracking server does not answer.
    """
    try:
        run_id = run_id_of(folder)
    except (OSError, ValueError, KeyError):
        return None
    try:
        run = client.get_run(run_id)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return None
    if run.info.lifecycle_stage != "active" or run.info.experiment_id != parent.info.experiment_id:
        return None
    stopped = run.data.tags.get("mlflow.parentRunId")
    if stopped and stopped != parent.info.run_id:
        with told("The MLflow run that was stopped could not be ended"):
            if client.get_run(stopped).info.status == "RUNNING":
                client.set_terminated(stopped, "KILLED")
    client.set_tag(run_id, "mlflow.parentRunId", parent.info.run_id)
    client.update_run(run_id, status="RUNNING")
    logger.info("The training goes on in its MLflow run %s.", run_id)
    return run_id


def deliver_what_is_left(trainings: Path, uri: str) -> None:
    """Bring measurements of earlier trainings to MLflow that it did not take then.

    Args:
        trainings: a folder of them.
        uri: of the tracking server now. A training keeps its own; but where both are files, the project was moved or copied, and
            its database with it.
    """
    for journal in sorted(trainings.glob(f"*/{JOURNAL}")):
        run = journal.with_name(RUN)
        if not run.is_file():
            continue
        with told(f"Measurements in {journal} are still not in MLflow"):
            facts = json.loads(run.read_text(encoding="utf-8"))
            begun_on = facts["tracking_uri"]
            client = MlflowClient(uri if begun_on.startswith(SQLITE) and uri.startswith(SQLITE) else begun_on)
            left = delivered(journal, facts["run_id"]) < journal.stat().st_size
            if left:
                deliver(client, facts["run_id"], journal)
                logger.info("Measurements of MLflow run %s, left in %s, are delivered.", facts["run_id"], journal)
            if journal.with_name(FINISHED).exists() and client.get_run(facts["run_id"]).info.status == "RUNNING":
                client.set_terminated(facts["run_id"])


def is_left(folder: Path) -> bool:
    """Whether there are measurements of a training that MLflow did not take yet."""
    try:
        run_id = run_id_of(folder)
        return delivered(folder / JOURNAL, run_id) < (folder / JOURNAL).stat().st_size
    except (OSError, ValueError, KeyError):
        return False  # nobody knows where they belong


@contextmanager
def told(what: str) -> Iterator[None]:
    """Say it where MLflow does not answer, and go on: a training outlives its tracking server."""
    try:
        yield
    except (MlflowException, OSError, ValueError, KeyError) as error:
        logger.warning("%s (%s).", what, " ".join(str(error).split())[:200])
