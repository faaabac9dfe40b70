"""What both stages of training do around the library: tables in, a model's folder out."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import BaseModel

from hawk_pipelines.engine.joins import check_annotated, check_joined
from hawk_pipelines.engine.store import ItemStore
from hawk_pipelines.model.settings import ModelSettings
from hawk_pipelines.pipelines.encode.parameters import EncodeParameters
from hawk_pipelines.schema import Annotation, Pair, Sample, StoredItem, Video
from hawk_pipelines.training.job import Job, Stage
from hawk_pipelines.training.parameters import FinetuneParameters, PretrainParameters
from hawk_pipelines.video.streams import StreamParameters

logger = logging.getLogger(__name__)

PRETRAINED = "pretrained_model"
"""The value of `init_from` that means the catalog's entry of this name."""


class StageInput(NamedTuple):
    """What is trained on."""

    samples: list[Sample]
    annotations: list[Annotation]
    videos: list[Video]
    features: list[StoredItem]
    feature_store: ItemStore
    trainings: Path


def train_stage(
    stage: Stage,
    given: StageInput,
    former: Path | None,
    pretrained: Path | None,
    motion: StreamParameters,
    encode: EncodeParameters,
    model: ModelSettings,
    parameters: PretrainParameters | FinetuneParameters,
    seed: int,
) -> Path:
    """The folder of the model: the former one where it is of this very training, otherwise one that is trained now.

    It is trained in an MLflow run of its own below the pipeline's.
    """
    from hawk_pipelines.serving.provenance import read_training, training_of, write_training

    table = "pretraining_pairs" if stage == "pretrain" else "train_samples"
    check_trained_on(table, given.samples, given.annotations, given.videos)
    job = job_of(stage, model, parameters, pretrained, motion, encode, given.feature_store, seed)
    groups = groups_of(given.annotations, given.videos)
    told: dict[str, BaseModel] = {stage: parameters, "model": model, "encode": encode, "motion": motion}
    folder = _finished_model(job, given, groups, former)
    kept = read_training(folder) if folder else None
    if folder is None:
        folder = _train(job, given, groups, told)
    settings: dict[str, Any] = {name: section.model_dump(mode="json") for name, section in told.items()} | {"seed": seed}
    settings[stage].pop("again")  # it says what is done now, and not how the model is trained
    items = {sample.item_id for sample in given.samples}
    before = read_training(job.init_from) if job.init_from else None
    record = training_of(
        stage,
        parameters.steps,
        seed,
        len(given.samples),
        items,
        given.annotations,
        given.videos,
        init_from=parameters.init_from,
        before=before,
        settings=(kept and kept.settings) or settings,  # those of the run that trained it
    )
    write_training(folder, record)
    return folder


def _finished_model(job: Job, given: StageInput, groups: dict[str, str], former: Path | None) -> Path | None:
    """The former model where it is of this very training; None where it is not, or where there is none."""
    from hawk_pipelines.training.finished import forget_handed_over, is_finished, run_of
    from hawk_pipelines.training.inputs import training_key

    if former is None or not given.samples:
        return None
    key = training_key(job, given.samples, groups, given.features)
    if not is_finished(former, key):
        return None
    training = given.trainings / f"{job.stage}-{key}"
    forget_handed_over(training, former)
    if job.parameters.again:
        return None
    run_id = run_of(training)
    where = f" (MLflow run {run_id})" if run_id else ""
    shown = former.relative_to(Path.cwd()) if former.is_relative_to(Path.cwd()) else former
    what = f"the model in {shown} is of these samples and settings{where}"
    logger.info("%s: nothing to do; %s. `%s.again=true` trains it again.", job.stage, what, job.stage)
    return former


def _train(job: Job, given: StageInput, groups: dict[str, str], settings: Mapping[str, BaseModel]) -> Path:
    import mlflow

    from hawk_pipelines.training.tracking import flat
    from hawk_pipelines.training.train import train

    parent = mlflow.active_run()
    assert parent is not None  # noqa: S101 (kedro-mlflow begins one)
    parameters = flat(settings) | {"seed": job.seed}
    return train(given.trainings, job, given.samples, groups, given.features, parent, parameters, mlflow.get_tracking_uri())


def job_of(
    stage: Stage,
    model: ModelSettings,
    parameters: PretrainParameters | FinetuneParameters,
    pretrained: Path | None,
    motion: StreamParameters,
    encode: EncodeParameters,
    feature_store: ItemStore,
    seed: int,
) -> Job:
    """What a training is by these settings.

    Raises:
        TrainingError: there is no model to start from.
    """
    return Job(
        stage=stage,
        model=model,
        parameters=parameters,
        init_from=initial_model(stage, parameters.init_from, pretrained),
        frame_encoder=encode.frame_encoder,
        mask=encode.mask,
        frames=motion.frames,
        flow=motion.flow,
        store=feature_store.root.resolve(),
        seed=seed,
    )


def check_trained_on(table: str, samples: list[Sample], annotations: list[Annotation], videos: list[Video]) -> None:
    """Refuse samples of other annotations, and annotations of other videos, than those that are there.

    Raises:
        TablesApart: which table is about what the other does not have.
    """
    check_joined(table, (sample.item_id for sample in samples), "annotations", {one.item_id for one in annotations}, "item")
    check_annotated(annotations, videos)


def groups_of(annotations: list[Annotation], videos: list[Video]) -> dict[str, str]:
    """The source video of each item."""
    group = {video.id: video.group or video.id for video in videos}
    return {one.item_id: group.get(one.video_id, one.video_id) for one in annotations}


def annotated_samples(samples: list[Sample], pairs: list[Pair]) -> list[Sample]:
    """What is fine-tuned on: not the items of which only captions are known, unless there is nothing else."""
    captioned = {pair.item_id for pair in pairs}
    annotated = [sample for sample in samples if sample.item_id not in captioned]
    if annotated and len(annotated) < len(samples):
        logger.info("finetune: %d samples of captioned items are left to pretraining.", len(samples) - len(annotated))
    return annotated or samples


def initial_model(stage: Stage, init_from: str | None, pretrained: Path | None) -> Path | None:
    """The folder of the model that a training starts from; None where it starts anew.

    Raises:
        TrainingError: there is no such model.
    """
    from hawk_pipelines.training.errors import TrainingError

    if init_from is None:
        return None
    folder = pretrained if init_from == PRETRAINED else Path(init_from)
    if folder is None:
        how = "run `kedro run --pipelines=pretrain` first, or set it to null (new branches) or to the folder of a saved model"
        msg = f"`{stage}.init_from` is {PRETRAINED}, but there is no pretrained model yet; {how}."
        raise TrainingError(msg)
    if not (folder / "config.json").is_file():
        msg = f"`{stage}.init_from` is {init_from}, but that folder holds no saved model; name another, or set it to null."
        raise TrainingError(msg)
    return folder.resolve()
