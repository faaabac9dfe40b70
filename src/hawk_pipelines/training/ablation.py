"""Variants of a model, each trained with several seeds and asked the same about the same test items.

A cell is one variant with one seed. Each is a training like any other (`train`), with a folder and an MLflow run of its own, so
that what is finished is never done again: a model that is there is not trained, and answers that are there are not asked for.
"""

import hashlib
import json
import logging
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import NamedTuple

from mlflow.entities import Run

from hawk_pipelines.engine.store import ItemStore
from hawk_pipelines.engine.whole_files import whole_file
from hawk_pipelines.errors import HawkError
from hawk_pipelines.model.settings import GenerationSettings
from hawk_pipelines.schema import Asked, Prediction, Sample, StoredItem
from hawk_pipelines.training.asking import ask_saved
from hawk_pipelines.training.errors import TrainingError
from hawk_pipelines.training.features import Features
from hawk_pipelines.training.job import Job
from hawk_pipelines.training.tracking import run_id_of
from hawk_pipelines.training.train import train

logger = logging.getLogger(__name__)


class Cell(NamedTuple):
    """One variant with one seed."""

    variant: str
    job: Job
    features: Sequence[StoredItem]
    settings: Mapping[str, object]
    """All of them, flat, for MLflow."""

    @property
    def name(self) -> str:
        """How it is called in the log and in MLflow."""
        return f"{self.variant}, seed {self.job.seed}"


class Answered(NamedTuple):
    """A cell whose model was trained and asked."""

    cell: Cell
    run_id: str
    """Of its training, in MLflow."""
    predictions: list[Prediction]
    """Their model is the variant's name."""


class Ablations(NamedTuple):
    """All cells."""

    answered: list[Answered]
    """In the order of the cells."""
    failed: dict[str, str]
    """Names of cells that came to nothing, and why."""


def run_cells(
    trainings: Path,
    cells: Sequence[Cell],
    samples: Sequence[Sample],
    groups: Mapping[str, str],
    asked: Sequence[Asked],
    parent: Run,
    tracking_uri: str,
    at_a_time: int,
    batch_size: int,
    generation: GenerationSettings,
) -> Ablations:
    """Train and ask every cell; one that fails costs no other.

    Args:
        trainings: where their folders are; they stay, so that this can be stopped and started again at any time.
        cells: what to train.
        samples: of the train split.
        groups: the source video of each item.
        asked: about the test items.
        parent: the MLflow run under which each has its own.
        tracking_uri: of the tracking server.
        at_a_time: trainings beside each other, each in a process of its own where there is more than one.
        batch_size: for asking.
        generation: how is answered.

    Raises:
        TrainingError: not one cell came to anything.
    """
    one_asks = threading.Lock()

    def work(cell: Cell) -> Answered:
        tags = {"variant": cell.variant, "seed": str(cell.job.seed), "mlflow.runName": cell.name}
        own = trainings / f"{cell.variant}-{cell.job.seed}"  # what one cell leaves there is no other's business
        model = train(
            own, cell.job, samples, groups, cell.features, parent, cell.settings, tracking_uri, tags, apart=at_a_time > 1
        )
        with one_asks:
            return Answered(cell, run_id_of(model.parent), _answers(model, cell, asked, batch_size, generation))

    done: dict[str, Answered] = {}
    failed: dict[str, str] = {}
    for cell, result in _beside_each_other(work, cells, at_a_time):
        if isinstance(result, Answered):
            done[cell.name] = result
            logger.info("ablate: %s is done (%d of %d).", cell.name, len(done), len(cells))
        else:
            known = isinstance(result, HawkError)
            failed[cell.name] = str(result) if known else f"{type(result).__name__}: {result}"
            logger.error("ablate: %s came to nothing. %s", cell.name, failed[cell.name], exc_info=None if known else result)
    if not done:
        msg = f"Not one of {len(cells)} cells came to anything. The first reason: {next(iter(failed.values()), 'there is none')}"
        raise TrainingError(msg)
    return Ablations([done[cell.name] for cell in cells if cell.name in done], failed)


def _beside_each_other(work, cells: Sequence[Cell], at_a_time: int) -> Iterator[tuple[Cell, Answered | Exception]]:  # type: ignore[no-untyped-def]
    """Each cell with its result, or with whatever ended it: a device without memory, too, is no reason to lose the others."""
    pool = ThreadPoolExecutor(at_a_time)
    try:
        waiting = {pool.submit(work, cell): cell for cell in cells}
        for future in as_completed(waiting):
            fault = future.exception()
            if fault is not None and not isinstance(fault, Exception):
                raise fault
            yield waiting[future], fault or future.result()
    finally:
        pool.shutdown(cancel_futures=True)


def _answers(
    model: Path, cell: Cell, asked: Sequence[Asked], batch_size: int, generation: GenerationSettings
) -> list[Prediction]:
    """What the cell's model answers, kept beside it."""
    told = json.dumps([[one.model_dump(mode="json") for one in asked], batch_size, generation.model_dump(mode="json")])
    kept = model.with_name(f"answers-{hashlib.sha256(told.encode()).hexdigest()[:16]}.jsonl")
    if kept.is_file():
        return [Prediction.model_validate_json(line) for line in kept.read_text(encoding="utf-8").splitlines()]
    seen = Features(cell.features, ItemStore(cell.job.store))
    job = cell.job
    made_by = seen.made_by(job.frame_encoder, job.mask, job.frames, job.flow)
    predictions = ask_saved(model, asked, seen, made_by, batch_size, generation, cell.variant)
    with whole_file(kept) as unfinished:
        unfinished.write_text("".join(one.model_dump_json() + "\n" for one in predictions), encoding="utf-8")
    return predictions
