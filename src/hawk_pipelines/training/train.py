"""A training from its samples to its model: begun, or taken up where it was stopped, in an MLflow run of its own."""

import fcntl
import logging
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities import Run

from hawk_pipelines.schema import Sample, StoredItem
from hawk_pipelines.training import checkpoints
from hawk_pipelines.training.errors import TrainingError
from hawk_pipelines.training.finished import write_finished
from hawk_pipelines.training.inputs import write_inputs
from hawk_pipelines.training.job import (
    FINISHED,
    LOSS_CURVE,
    MODEL,
    TRAINING_TAG,
    Circumstances,
    Job,
    fingerprint,
    write_circumstances,
)
from hawk_pipelines.training.journal import write_loss_curve
from hawk_pipelines.training.launch import check_launch, launch
from hawk_pipelines.training.tracking import JOURNAL, deliver_what_is_left, is_left, told, training_run

logger = logging.getLogger(__name__)


def train(
    trainings: Path,
    job: Job,
    samples: Sequence[Sample],
    groups: Mapping[str, str],
    features: Sequence[StoredItem],
    parent: Run,
    parameters: Mapping[str, object],
    tracking_uri: str,
    tags: Mapping[str, str] | None = None,
    *,
    apart: bool = False,
) -> Path:
    """Train a model.

    The same job with the same samples goes on from its newest whole checkpoint, in the MLflow run in which it began. A training
    that was finished begins anew, unless nobody has taken its model yet (see `finished`).

    Args:
        trainings: where all trainings have their folders.
        job: what to do.
        samples: of the train split.
        groups: the source video of each item, for holding some out.
        features: what is stored of the items.
        parent: the MLflow run of the pipeline.
        parameters: flat, for MLflow.
        tracking_uri: of the tracking server.
        tags: more of them for its MLflow run.
        apart: in a process of its own in any case, so that others can train beside it.

    Returns:
        The folder of the trained model.

    Raises:
        TrainingError: it cannot begin or go on; what was saved stays.
    """
    check_launch(job.stage, job.parameters)
    if not samples:
        msg = "There is no sample: the train split is empty. Add the rest of the data set, or annotations of its videos."
        raise TrainingError(msg)
    deliver_what_is_left(trainings, tracking_uri)
    with _folder(trainings, job, samples, groups, features) as folder:
        finished = (folder / MODEL).is_dir()
        known_by = folder.name.removeprefix(f"{job.stage}-")
        named = {TRAINING_TAG: known_by, **(tags or {})}
        with training_run(job.stage, folder, parent, parameters, tracking_uri, named) as run_id:
            if finished:
                logger.info("%s: the training in %s was finished before; its model is taken now.", job.stage, folder)
            else:
                write_circumstances(folder, _circumstances(tracking_uri, run_id))
                launch(folder, job, apart=apart)
            write_loss_curve(folder / JOURNAL, folder / MODEL / LOSS_CURVE)
            write_finished(folder / MODEL, known_by)
            (folder / FINISHED).touch()
            with told("The model was not put into its MLflow run"):
                MlflowClient(tracking_uri).log_artifacts(run_id, str(folder / MODEL), MODEL)
    return folder / MODEL


@contextmanager
def _folder(
    trainings: Path, job: Job, samples: Sequence[Sample], groups: Mapping[str, str], features: Sequence[StoredItem]
) -> Iterator[Path]:
    """The folder of this training, with all that it needs, for this process alone; those of finished ones are removed."""
    trainings.mkdir(parents=True, exist_ok=True)
    with ExitStack() as opened:
        with tempfile.TemporaryDirectory(dir=trainings, prefix=".new-") as name:
            new = Path(name)
            write_inputs(new, job, samples, groups, features)
            folder = trainings / f"{job.stage}-{fingerprint(new, job)}"
            _sweep(trainings, job, folder)
            folder.mkdir(exist_ok=True)
            opened.enter_context(_alone(folder))
            for file in new.iterdir():
                shutil.move(file, folder / file.name)
        yield folder


def _sweep(trainings: Path, job: Job, folder: Path) -> None:
    """Remove what finished trainings of this stage left; say what unfinished ones hold."""
    for other in sorted(trainings.glob(f"{job.stage}-*")):
        steps = checkpoints.steps(other)
        if (other / FINISHED).exists() and not (other / MODEL).is_dir():
            if other == folder or not is_left(other):
                shutil.rmtree(other)
        elif other != folder and steps and not (other / FINISHED).exists():
            what = f"An unfinished training with other settings or samples is in {other} (step {steps[-1]})"
            logger.info("%s: set them back to go on with it, or remove it.", what)


def _circumstances(tracking_uri: str, run_id: str) -> Circumstances:
    return Circumstances(tracking_uri=tracking_uri, run_id=run_id, parent_pid=os.getpid(), host=socket.gethostname())


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One process trains in a folder at a time."""
    with (folder / ".lock").open("w") as lock:
        try:
            fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # unlike a flock no forked reader keeps it
        except (BlockingIOError, PermissionError) as error:
            msg = f"Another process trains in {folder}; wait for it, or end it."
            raise TrainingError(msg) from error
        yield
