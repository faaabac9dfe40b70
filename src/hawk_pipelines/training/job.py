"""A training as a folder: everything that a process needs to take part in it, and everything that it leaves.

::

    <folder>/job.json          what to do
    <folder>/circumstances.json   for whom, this time
    <folder>/samples.jsonl, held_out.jsonl, features.jsonl
    <folder>/checkpoint-…      see `checkpoints`
    <folder>/journal.jsonl     see `journal`
    <folder>/fault.json        why a process ended, in a sentence
    <folder>/model/            the trained model, once it is finished
"""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from hawk_pipelines.engine.whole_files import whole_file
from hawk_pipelines.model.settings import FrameEncoderSettings, ModelSettings
from hawk_pipelines.model.sources import language_model_sha256
from hawk_pipelines.schema import StoredItem
from hawk_pipelines.training.errors import TrainingError
from hawk_pipelines.training.parameters import FinetuneParameters, PretrainParameters
from hawk_pipelines.video.flow import FlowMethod, Mask

Stage = Literal["pretrain", "finetune"]

SAMPLES, HELD_OUT, FEATURES = "samples.jsonl", "held_out.jsonl", "features.jsonl"
RUN = "mlflow_run.json"
TRAINING_TAG = "training"
"""Of a training's MLflow run: the training's fingerprint, by which its model leads back to it."""
JOB, CIRCUMSTANCES, FAULT, MODEL, FINISHED = "job.json", "circumstances.json", "fault.json", "model", "finished"
FINISHED_RECORD = "finished.json"
"""In the folder of a trained model: of which training it is (see `finished`)."""
LOSS_CURVE = "losses.json"
"""In the same place: the loss along the training, for `dvc plots`."""
RECORDS = frozenset({FINISHED_RECORD, LOSS_CURVE, "training.json"})
"""Files of a model's folder that say how it was made. Nothing is loaded from them, so they decide no result."""
TRAINING_VERSION = 1
"""Raised whenever the same job, samples and features give another model: a finished one is not taken for it any more."""
MEANS = "tokens of the batch"
"""What language losses are means over: a training of a time when they were others is another one, and is not gone on with."""


class Job(BaseModel):
    """What a training is. What is not about its result has a place of its own (`Circumstances`)."""

    model_config = ConfigDict(extra="forbid")

    stage: Stage
    model: ModelSettings
    parameters: PretrainParameters | FinetuneParameters
    init_from: Path | None
    """The folder of the model that it starts from."""
    frame_encoder: FrameEncoderSettings
    mask: Mask
    frames: int
    flow: FlowMethod
    store: Path
    """Of the features."""
    seed: int


class Circumstances(BaseModel):
    """Where a training reports to; other from start to start."""

    model_config = ConfigDict(extra="forbid")

    tracking_uri: str
    run_id: str
    parent_pid: int
    """Ends with it: nobody would hear of the result."""
    host: str
    """Where that process is."""


def write_job(folder: Path, job: Job) -> None:
    """Write what to do."""
    (folder / JOB).write_text(job.model_dump_json(indent=1), encoding="utf-8")


def write_circumstances(folder: Path, circumstances: Circumstances) -> None:
    """Write for whom it is done."""
    with whole_file(folder / CIRCUMSTANCES) as unfinished:
        unfinished.touch(mode=0o600)  # the address may hold a password
        unfinished.write_text(circumstances.model_dump_json(indent=1), encoding="utf-8")


def read_circumstances(folder: Path) -> Circumstances:
    """For whom it is done."""
    return Circumstances.model_validate_json((folder / CIRCUMSTANCES).read_text(encoding="utf-8"))


def read_job(folder: Path) -> Job:
    """What to do."""
    return Job.model_validate_json((folder / JOB).read_text(encoding="utf-8"))


def write_features(folder: Path, features: Iterable[StoredItem]) -> None:
    """Write which stored items it sees."""
    with (folder / FEATURES).open("w", encoding="utf-8") as file:
        file.writelines(item.model_dump_json() + "\n" for item in features)


def read_features(folder: Path) -> list[StoredItem]:
    """Which stored items it sees."""
    with (folder / FEATURES).open("rb") as file:
        return [StoredItem.model_validate_json(line) for line in file]


def fingerprint(folder: Path, job: Job) -> str:
    """What decides the result of a training: a hash of the job, of its samples and features, and of the weights it starts from.

    Neither how often it is saved or reported, nor in how many processes it runs, nor where its files lie is a part of it.

    Raises:
        TrainingError: there is no model to start from.
        CheckpointError: the language model is missing.
    """
    told = job.model_dump(mode="json", exclude={"store", "init_from"}) | {"means": MEANS, "version": TRAINING_VERSION}
    for name in ("again", "init_from", "log_every", "loader_workers", "checkpoints", "launch", "exploding"):
        told["parameters"].pop(name)
    told["parameters"]["validation"].pop("generated")
    if job.model.language_model.source is not None:  # its name stays the same where its weights do not
        told["language_model_sha256"] = language_model_sha256(job.model.language_model)
    if job.init_from and not job.init_from.is_dir():
        msg = f"There is no folder {job.init_from} to start from; set `{job.stage}.init_from` to another model's, or to null."
        raise TrainingError(msg)
    everything = hashlib.sha256(json.dumps(told, sort_keys=True).encode())
    files = [folder / name for name in (SAMPLES, HELD_OUT, FEATURES)]
    if job.init_from:
        files += sorted(path for path in job.init_from.iterdir() if path.is_file() and path.name not in RECORDS)
    for path in files:
        with path.open("rb") as file:
            everything.update(f"{path.name}:{hashlib.file_digest(file, 'sha256').hexdigest()}".encode())
    return everything.hexdigest()[:16]
