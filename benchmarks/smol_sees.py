"""Does a small pretrained model see? It is trained on a few real clips, and every caption is then read under every clip.

    .venv/bin/python benchmarks/smol_sees.py ANNOTATIONS VIDEOS [--folder FOLDER] [--steps 300]

ANNOTATIONS and VIDEOS are in HAWK's published format. Memorising is allowed: the question is whether what the branches hand to
the frozen language model depends on the clip. Stopped at any moment, the same command goes on where it was.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
STEPS, SAVE_EVERY = 300, 25


def main() -> None:
    """Prepare, train, compare, print."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("annotations", type=Path)
    options.add_argument("videos", type=Path)
    options.add_argument("--folder", type=Path, default=Path("data/smol_sees"), help="for everything that is made")
    options.add_argument("--steps", type=int, default=STEPS)
    given = options.parse_args()
    started = time.perf_counter()
    project = _project(given.folder)
    _encode(project, given.annotations.resolve(), given.videos.resolve())
    os.chdir(project)
    print(json.dumps(_train_and_compare(given.steps), indent=2))
    print(f"{time.perf_counter() - started:.0f} s in this call")


def _project(folder: Path) -> Path:
    """A project of its own, so that the caller's data stay as they are."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("conf", "src"):
        shutil.copytree(ROOT / name, folder / name, dirs_exist_ok=True)
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


def _encode(project: Path, annotations: Path, videos: Path) -> None:
    """From files to frame tokens, by the pipelines; what is done is not done again."""
    source = f"ingest.source=hawk,ingest.hawk.annotations={annotations},ingest.hawk.videos={videos}"
    steps = "ingest,split,caption,annotate,validate,motion,encode"
    kedro = Path(sys.executable).parent / "kedro"
    command = [str(kedro), "run", "--env", "smol", "--pipelines", steps, "--params", source]
    subprocess.run(command, cwd=project, env=os.environ | {"PYTHONPATH": "src"}, check=True, stdout=subprocess.DEVNULL)


def _train_and_compare(steps: int) -> dict[str, object]:
    import mlflow
    import torch
    import yaml

    from hawk_pipelines.datasets.records import RecordsDataset
    from hawk_pipelines.engine.store import ItemStore
    from hawk_pipelines.model.batch import collate
    from hawk_pipelines.model.checkpoint import FeatureFacts, Parts
    from hawk_pipelines.model.language_model import padding_id
    from hawk_pipelines.model.settings import EfficientNetLite0Settings, ModelSettings
    from hawk_pipelines.training.build import build_model, build_tokenizer
    from hawk_pipelines.training.data import encoder_sha256, load_tokens
    from hawk_pipelines.training.parameters import FinetuneParameters
    from hawk_pipelines.training.trainer import lay_out, train

    def section(name: str) -> dict:
        return yaml.safe_load(Path(f"conf/smol/parameters_{name}.yml").read_text())[name]

    def records(file: str, record: str) -> list:
        return RecordsDataset(filepath=f"data/{file}", record=record).load()

    store, features = ItemStore("data/04_feature/feature_items"), records("04_feature/features.parquet", "StoredItem")
    tokens = load_tokens(features, store)
    samples = [s for split in ("train", "test") for s in records(f"05_model_input/{split}_samples.jsonl", "Sample")]
    samples = [sample for sample in samples if sample.item_id in tokens]
    model = ModelSettings.model_validate(section("model"))
    parameters = FinetuneParameters.model_validate(section("finetune") | {"steps": steps})
    encoder = EfficientNetLite0Settings.model_validate(section("encode")["frame_encoder"])
    facts = FeatureFacts(encoder, encoder_sha256(features, store), "soft", section("motion")["frames"], "farneback")
    width = tokens[samples[0].item_id][0].appearance.shape[-1]
    tokenizer = build_tokenizer(samples, model)
    parts = Parts(build_model(model, parameters.losses, facts, width, tokenizer, seed=42), tokenizer)

    mlflow.set_tracking_uri("sqlite:///smol_sees.db")
    trained = time.perf_counter()
    with mlflow.start_run():
        train(parts, samples, tokens, parameters, 42, Path("trainer"), SAVE_EVERY)
    trained = time.perf_counter() - trained

    parts.model.eval()
    described = [sample for sample in samples if sample.task == "description"]
    losses = []  # row: caption, column: clip
    for sample in described:
        laid_out = lay_out(parts, sample, tokens[sample.item_id]).examples[0]
        videos = [tokens[other.item_id][0] for other in described]
        batch = collate([laid_out] * len(videos), videos, padding_id(tokenizer))
        with torch.no_grad():
            losses.append(parts.model(**batch).sample_losses["video_language_loss"].tolist())
    table = torch.tensor(losses)
    own = table.diagonal()
    others = table[~torch.eye(len(table), dtype=torch.bool)].view(len(table), -1)
    return {
        "clips": len(described),
        "steps": steps,
        "seconds of training in this call": round(trained),
        "caption's loss under its own clip": round(own.mean().item(), 3),
        "caption's loss under another clip": round(others.mean().item(), 3),
        "captions likelier under their own clip than under the others' mean": round(
            (own < others.mean(1)).float().mean().item(), 3
        ),
        "pairs in which the own clip wins": round((own[:, None] < others).float().mean().item(), 3),
        "captions likeliest under their own clip": round((own < others.min(1).values).float().mean().item(), 3),
    }


if __name__ == "__main__":
    main()
