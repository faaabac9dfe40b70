"""Does the memory of a training grow? 200,000 samples over a few repeated features, 2,000 steps of a tiny model.

    .venv/bin/python benchmarks/training_memory.py [--samples 200000] [--steps 2000]

Everything is made up and lies in a temporary folder. The whole of a training takes part: samples from a file, features from a
store, checkpoints, validation, MLflow. What is printed is the most memory the process has taken so far, from its journal.
"""

import argparse
import json
import tempfile
from pathlib import Path

import mlflow
import numpy as np

from hawk_pipelines.engine.store import ItemStore
from hawk_pipelines.model.settings import (
    BranchSettings,
    LanguageModelSettings,
    ModelSettings,
    TinyDecoderSettings,
    TinyFrameEncoderSettings,
)
from hawk_pipelines.schema import Sample, StoredItem
from hawk_pipelines.training.job import Job
from hawk_pipelines.training.journal import read_journal
from hawk_pipelines.training.parameters import FinetuneParameters
from hawk_pipelines.training.tracking import JOURNAL
from hawk_pipelines.training.train import train

ENCODER = TinyFrameEncoderSettings(size=32, grid=2, prototypes=6, position_width=4)
DISTINCT, FRAMES, TOKENS, WIDTH = 40, 4, 4, 16
WORDS = ["a", "person", "in", "red", "walks", "runs", "falls", "near", "the", "gate", "while", "others", "stand", "and", "look"]


def main() -> None:
    """Make, train, print."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--samples", type=int, default=200_000)
    options.add_argument("--steps", type=int, default=2000)
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        memory = _memory_by_step(folder, given.samples, given.steps)
    steps = sorted(memory)
    grown = memory[steps[-1]] - memory[steps[0]]
    print(json.dumps({"megabytes": {step: memory[step] for step in steps}, "grown by": grown, "limit": 200}, indent=1))


def _memory_by_step(folder: Path, count: int, steps: int) -> dict[int, int]:
    store = ItemStore(folder / "features")
    rng = np.random.default_rng(0)
    facts = {"frame_encoder": ENCODER.model_dump(mode="json"), "frame_encoder_sha256": None, "mask": "soft", "flow": "farneback"}
    times = [[float(frame) for frame in range(FRAMES)]]
    for number in range(DISTINCT):
        tokens = {name: rng.standard_normal((1, FRAMES, TOKENS, WIDTH)).astype(np.float16) for name in ("appearance", "motion")}
        store.write(f"{number:032x}", tokens, facts | {"times_s": times})
    store.pack(4)
    samples, features = [], []
    for number in range(count // 2):
        features.append(StoredItem(item_id=f"i{number}", key=f"{number % DISTINCT:032x}"))
        for task in ("description", "question"):
            said = " ".join(rng.choice(WORDS, rng.integers(4, 20)))
            asked = f"Who is number {number}?"
            samples.append(Sample(item_id=f"i{number}", task=task, question=asked, answer=said, motion_text="person walks"))
    speaks = LanguageModelSettings(tiny=TinyDecoderSettings(width=32, heads=2, vocabulary=400))
    branches = BranchSettings(queries=2, width=16, heads=2, compression_width=4)
    validation = {"share": 0.01, "every": steps // 2, "most_items": 50}
    parameters = FinetuneParameters(steps=steps, batch_size=8, log_every=max(1, steps // 20), validation=validation)
    job = Job(
        stage="finetune",
        model=ModelSettings(branches=branches, language_model=speaks),
        parameters=parameters,
        init_from=None,
        frame_encoder=ENCODER,
        mask="soft",
        frames=FRAMES,
        flow="farneback",
        store=store.root,
        seed=0,
    )
    uri = f"sqlite:///{folder}/mlflow.db"
    mlflow.set_tracking_uri(uri)
    mlflow.set_experiment("memory")
    groups = {item.item_id: item.item_id for item in features}
    with mlflow.start_run() as run:
        model = train(folder / "trainings", job, samples, groups, features, run, {}, uri)
    lines = read_journal(model.parent / JOURNAL)
    found = {line["step"]: line["values"]["memory_gb"] for line in lines if "memory_gb" in line.get("values", {})}
    return {step: round(gigabytes * 1000) for step, gigabytes in found.items()}


if __name__ == "__main__":
    main()
