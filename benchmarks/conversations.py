"""Does a conversation hold, and what does it cost? Trainings with and without conversations, several seeds each, side by side.

    .venv/bin/kedro run --pipelines=ingest,split,caption,annotate,validate,motion,encode
    .venv/bin/python benchmarks/conversations.py FOLDER [--seeds 0 1 2] [--forms talk single] [--threads 1]

It reads the features and samples that the first command left in data/, and writes nothing there. Each training has a folder in
FOLDER; what is finished there is not made again. Figures of a form are means over its seeds.
"""

import argparse
import json
import statistics
import time
from pathlib import Path

import mlflow
import pyarrow.parquet as pq
import torch
import yaml

from hawk_pipelines import schema
from hawk_pipelines.engine.store import ItemStore
from hawk_pipelines.evaluation.answers import answer_all
from hawk_pipelines.evaluation.asked import asked
from hawk_pipelines.evaluation.conversations import (
    conversation_metrics,
    conversation_scores,
    hold_conversations,
    plan_conversations,
)
from hawk_pipelines.evaluation.scores import metrics, score
from hawk_pipelines.model.checkpoint import load
from hawk_pipelines.model.settings import GenerationSettings, ModelSettings
from hawk_pipelines.pipelines.encode.parameters import EncodeParameters
from hawk_pipelines.training.features import Features
from hawk_pipelines.training.job import Job
from hawk_pipelines.training.parameters import FinetuneParameters
from hawk_pipelines.training.train import train
from hawk_pipelines.video.streams import StreamParameters

ROOT = Path(__file__).parents[1]
FORMS: dict[str, dict] = {"talk": {}, "single": {"steps": 1000, "conversations": {"share": 0.0}}}
"""What is changed in `finetune`. The training of single turns is the default one of before there were conversations."""


def main() -> None:
    """Train and ask what is not there yet, and print the table."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("folder", type=Path)
    options.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    options.add_argument("--forms", nargs="+", choices=FORMS, default=list(FORMS))
    options.add_argument("--threads", type=int, default=1)
    chosen = options.parse_args()
    torch.set_num_threads(chosen.threads)
    found = {
        (form, seed): _measured(chosen.folder / f"{form}-{seed}", form, seed) for seed in chosen.seeds for form in chosen.forms
    }
    for form in chosen.forms:
        _show(form, [found[form, seed] for seed in chosen.seeds])


def _measured(folder: Path, form: str, seed: int) -> dict:
    figures = folder / "figures.json"
    if not figures.exists():
        seconds = _train(folder, form, seed)
        figures.write_text(json.dumps(_ask(folder / "model") | {"seconds": seconds}), encoding="utf-8")
    return json.loads(figures.read_text(encoding="utf-8"))


def _settings() -> dict:
    settings: dict = {}
    for file in (ROOT / "conf/base").glob("parameters*.yml"):
        settings |= yaml.safe_load(file.read_text(encoding="utf-8")) or {}
    return settings


def _rows(name: str, record: type[schema.Record]) -> list:
    path = ROOT / "data" / name
    if path.suffix == ".parquet":
        return [record.model_validate(row) for row in pq.read_table(path).to_pylist()]
    return [record.model_validate_json(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _features() -> Features:
    return Features(_rows("04_feature/features.parquet", schema.StoredItem), ItemStore(ROOT / "data/04_feature/feature_items"))


def _train(folder: Path, form: str, seed: int) -> float:
    settings = _settings()
    encode, motion = EncodeParameters.model_validate(settings["encode"]), StreamParameters.model_validate(settings["motion"])
    changed = FORMS[form]
    conversations = settings["finetune"]["conversations"] | changed.get("conversations", {})
    job = Job(
        stage="finetune",
        model=ModelSettings.model_validate(settings["model"]),
        parameters=FinetuneParameters.model_validate(settings["finetune"] | changed | {"conversations": conversations}),
        init_from=None,
        frame_encoder=encode.frame_encoder,
        mask=encode.mask,
        frames=motion.frames,
        flow=motion.flow,
        store=(ROOT / "data/04_feature/feature_items").resolve(),
        seed=seed,
    )
    samples = _rows("05_model_input/train_samples.jsonl", schema.Sample)
    groups = {one.item_id: one.video_id for one in _rows("03_primary/annotations.jsonl", schema.Annotation)}
    features = _rows("04_feature/features.parquet", schema.StoredItem)
    folder.mkdir(parents=True, exist_ok=True)
    uri = f"sqlite:///{folder.resolve()}/mlflow.db"
    mlflow.set_tracking_uri(uri)
    mlflow.set_experiment("conversations")
    start = time.perf_counter()
    with mlflow.start_run() as parent:
        trained = train(folder / "trainings", job, samples, groups, features, parent, {"form": form, "seed": seed}, uri)
    trained.rename(folder / "model")
    return time.perf_counter() - start


def _ask(model: Path) -> dict:
    parts, seen, generation = load(model), _features(), GenerationSettings()
    questions = asked(
        _rows("05_model_input/test_samples.jsonl", schema.Sample),
        _rows("03_primary/annotations.jsonl", schema.Annotation),
        _rows("02_intermediate/videos.parquet", schema.Video),
    )
    truths = _rows("02_intermediate/slot_truths.jsonl", schema.Truth)
    alone = answer_all(parts, questions, seen.read, 64, generation)
    told = metrics(score(alone, _rows("05_model_input/train_samples.jsonl", schema.Sample), truths))
    single = {slot: figures["accuracy"] for slot, figures in told["slots"].items()}
    single |= {f"{task} BLEU-4": figures["bleu_4"] for task, figures in told["tasks"].items()}
    turns = parts.model.config.conversation_turns or 1
    if turns < 2:
        return {"single": single, "conversation": {}}
    held = hold_conversations(parts, plan_conversations(questions, turns, 0), seen.read, 64, generation, "hawk")
    return {"single": single, "conversation": conversation_metrics(conversation_scores(held, alone, truths))}


def _show(form: str, of_seeds: list[dict]) -> None:
    seconds = ", ".join(f"{one['seconds']:.0f} s" for one in of_seeds)
    print(f"\n{form}, {len(of_seeds)} seed(s); trainings took {seconds}")
    for name in of_seeds[0]["single"]:
        values = [one["single"][name] for one in of_seeds]
        print(f"  {name:<22} {statistics.mean(values):.3f}   ({', '.join(f'{value:.3f}' for value in values)})")
    for place in of_seeds[0]["conversation"]:
        talk, alone = (
            statistics.mean(one["conversation"][place][name] for one in of_seeds) for name in ("accuracy", "accuracy_alone")
        )
        print(f"  {place:<22} {talk:.3f}   asked alone {alone:.3f}   {talk / alone:.3f} times that")


if __name__ == "__main__":
    main()
