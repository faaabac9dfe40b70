"""What a whole training needs, made up in a moment: stored features, samples, a job; and ways to run it, here or elsewhere."""

import json
import multiprocessing
import os
import signal
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from mlflow import MlflowClient

from hawk_pipelines.engine.store import ItemStore
from hawk_pipelines.language.requests import CAPTION_REQUESTS, DESCRIPTION_REQUESTS
from hawk_pipelines.model.answering import context_of
from hawk_pipelines.model.checkpoint import FeatureFacts, Parts
from hawk_pipelines.model.settings import (
    BranchSettings,
    LanguageModelSettings,
    LossSettings,
    ModelSettings,
    TinyDecoderSettings,
    TinyFrameEncoderSettings,
)
from hawk_pipelines.schema import DESCRIBE, Sample, StoredItem
from hawk_pipelines.training.build import build_model, build_tokenizer
from hawk_pipelines.training.data import Draws, Layout, usable_samples
from hawk_pipelines.training.features import Features
from hawk_pipelines.training.job import Job, Stage
from hawk_pipelines.training.parameters import ConversationParameters, FinetuneParameters, PretrainParameters
from hawk_pipelines.training.samples import SampleFile, write_samples

EXPERIMENT = "trainings"
ENCODER = TinyFrameEncoderSettings(size=32, grid=2, prototypes=6, position_width=4)
FACTS = FeatureFacts(ENCODER, None, "soft", 4, "farneback")
WIDTH = 16
MODEL = ModelSettings(
    branches=BranchSettings(queries=2, width=16, heads=2, compression_width=4),
    language_model=LanguageModelSettings(tiny=TinyDecoderSettings(width=32, heads=2, vocabulary=400)),
)
_WORDS = ("red", "blue", "black", "person", "car", "truck", "running", "walking", "falling", "slowly", "near", "gate", "road")

# --- what is learned ---------------------------------------------------------------------------------------------------


def tokens(samplings: int = 2, frames: int = 4, seed: int = 0) -> dict[str, np.ndarray]:
    """An item's arrays, as they are stored."""
    rng = np.random.default_rng(seed)
    return {name: rng.standard_normal((samplings, frames, 4, WIDTH)).astype(np.float16) for name in ("appearance", "motion")}


def facts(samplings: int = 2, frames: int = 4, **changes: object) -> dict[str, object]:
    """How an item was made; each sampling begins half a second later than the one before."""
    told = {
        "times_s": [[frame + late / 2 for frame in range(frames)] for late in range(samplings)],
        "frame_encoder_sha256": None,
        "frame_encoder": ENCODER.model_dump(mode="json"),
        "mask": "soft",
        "flow": "farneback",
    }
    return told | changes


def stored(folder: Path, items: Iterable[str], samplings: int = 2, frames: int = 4) -> tuple[ItemStore, list[StoredItem]]:
    """A store with features of items."""
    store, features = ItemStore(folder), []
    for number, item in enumerate(items):
        store.write(key := f"{number:032x}", tokens(samplings, frames, number), facts(samplings, frames))
        features.append(StoredItem(item_id=item, key=key))
    store.pack(4)
    return store, features


def sentences(items: Iterable[str], seed: int = 0) -> list[Sample]:
    """Of every item a description and two questions, of many lengths; every third item has no motion text."""
    rng, samples = np.random.default_rng(seed), []
    for number, item in enumerate(items):
        for task, question in (("description", DESCRIBE), ("question", "Who is it?"), ("question", "Where does it happen?")):
            answer = f"A {' '.join(rng.choice(_WORDS, rng.integers(3, 12)))}"
            motion_text = "person running" if number % 3 else ""
            samples.append(Sample(item_id=item, task=task, question=question, answer=answer, motion_text=motion_text))
    return samples


class Given(NamedTuple):
    """What a training is given."""

    folder: Path
    store: ItemStore
    samples: list[Sample]
    groups: dict[str, str]
    features: list[StoredItem]

    def job(self, stage: Stage = "finetune", model: ModelSettings = MODEL, init_from: Path | None = None, **told: Any) -> Job:
        """A job of a second. Whatever is told changes its parameters, but for `seed`.

        One thread: on a busy machine several wait for each other at every operation, many times longer than they compute.
        """
        seed = told.pop("seed", 1)
        told["launch"] = {"threads": 1} | told.get("launch", {})
        usual = {"steps": 8, "batch_size": 8, "learning_rate": 2e-3, "warmup_steps": 3, "log_every": 5}
        usual |= {"optimizer": "adamw"}  # Muon computes in bfloat16, which makes more of a last bit that differs
        usual |= {"validation": {"share": 0}, "checkpoints": {"every": 4}, "group_by_length": True}
        usual |= {"description_share": 0.5} if stage == "finetune" else {}
        kind = FinetuneParameters if stage == "finetune" else PretrainParameters
        return Job(
            stage=stage,
            model=model,
            parameters=kind(**usual | told),
            init_from=init_from,
            frame_encoder=ENCODER,
            mask="soft",
            frames=4,
            flow="farneback",
            store=self.store.root.resolve(),
            seed=seed,
        )

    def train(self, job: Job, uri: str, trainings: str = "trainings") -> Path:
        """Run a training below an MLflow run of its own: the folder of the model."""
        from hawk_pipelines.training.train import train

        client = MlflowClient(uri)
        parent = client.create_run(client.get_experiment_by_name(EXPERIMENT).experiment_id)
        told = {"finetune.steps": job.parameters.steps}
        return train(self.folder / trainings, job, self.samples, self.groups, self.features, parent, told, uri)


def given(folder: Path, items: int = 12) -> Given:
    """Items of two samplings, two of each source video."""
    names = [f"v{number}" for number in range(items)]
    store, features = stored(folder / "store", names)
    groups = {name: f"g{number // 2}" for number, name in enumerate(names)}
    return Given(folder, store, sentences(names), groups, features)


# --- what is left ------------------------------------------------------------------------------------------------------


def journal(training: Path, kind: str = "training") -> list[dict[str, float]]:
    """What a training's folder says of its steps, without figures of speed, which are never the same."""
    lines = [json.loads(line) for line in (training / "journal.jsonl").read_text(encoding="utf-8").splitlines()]
    aside = {"tokens_per_s", "samples_per_s", "memory_gb"}
    return [
        {"step": line["step"]} | {name: value for name, value in line["values"].items() if name not in aside}
        for line in lines
        if line["kind"] == kind
    ]


def losses(training: Path) -> list[float]:
    """The loss of each step."""
    return [step["loss"] for step in journal(training)]


def tracked(training: Path) -> str:
    """The id of a training's MLflow run."""
    return str(json.loads((training / "mlflow_run.json").read_text(encoding="utf-8"))["run_id"])


def the_folder(made: Given, trainings: str = "trainings") -> Path:
    """The folder of the only training; nothing else lies beside it."""
    (folder,) = (made.folder / trainings).iterdir()
    return folder


# --- parts of it, without a training -----------------------------------------------------------------------------------


def small_parts(samples: Sequence[Sample], model: ModelSettings = MODEL, seed: int = 0) -> Parts:
    """A small new model and its tokenizer."""
    tokenizer = build_tokenizer(samples, model, DESCRIPTION_REQUESTS)
    return Parts(build_model(model, LossSettings(), FACTS, WIDTH, tokenizer, seed), tokenizer)


def layout_of(parts: Parts) -> Layout:
    """How a sample becomes tokens for a model."""
    config = parts.model.config
    return Layout(parts.tokenizer, parts.prompt, config.queries, config.motion_branch, context_of(parts.model))


def draws_of(
    folder: Path,
    samples: Sequence[Sample],
    features: Features,
    layout: Layout,
    steps: int,
    batch_size: int,
    requests: Sequence[str] = DESCRIPTION_REQUESTS,
    description_share: float = 0.5,
    seed: int = 0,
    group_by_length: bool = True,
    conversations: ConversationParameters | None = None,
) -> Draws:
    """What a training would draw."""
    write_samples(folder / "samples.jsonl", samples)
    file = SampleFile(folder / "samples.jsonl")
    usable = usable_samples(file, features, layout, requests)
    return Draws(
        file, usable, features, layout, requests, description_share, steps, batch_size, seed, group_by_length, conversations
    )


REQUESTS = {"pretrain": CAPTION_REQUESTS, "finetune": DESCRIPTION_REQUESTS}

# --- in a process of its own -------------------------------------------------------------------------------------------

_elsewhere = multiprocessing.get_context("forkserver")
_elsewhere.set_forkserver_preload(
    ["mlflow.store.tracking.sqlalchemy_store", "mlflow.server.fastapi_app", "hawk_pipelines.training.run"]
)


def elsewhere(what: Callable[..., Any], *arguments: Any) -> multiprocessing.Process:
    """Call a function of a module in a process that can be killed; it has the libraries, and nothing of what was done here."""
    process = _elsewhere.Process(target=_quietly, args=(what, *arguments), daemon=False)
    process.start()
    return process


def _quietly(what: Callable[..., Any], *arguments: Any) -> None:
    """Its output is nobody's; where it fails, its status says so; it can be interrupted, also where our shell ignores that."""
    import torch

    signal.signal(signal.SIGINT, signal.default_int_handler)
    torch.set_num_threads(1)
    for descriptor in (1, 2):
        os.dup2(os.open(os.devnull, os.O_WRONLY), descriptor)
    what(*arguments)
