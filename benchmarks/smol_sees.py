"""Does a small pretrained model see? It is trained on a few real clips, and every caption is then read under every clip.

    .venv/bin/python benchmarks/smol_sees.py ANNOTATIONS VIDEOS [--folder FOLDER] [--steps 300]

ANNOTATIONS and VIDEOS are in HAWK's published format; the clips of the train split are trained on and compared. Memorising is
allowed: the question is whether what the branches hand to the frozen language model depends on the clip. Stopped while it trains,
the same command goes on where it was.
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
PIPELINES = "ingest,split,caption,annotate,validate,motion,encode,finetune"


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
    _train(project, given.annotations.resolve(), given.videos.resolve(), given.steps)
    print(json.dumps({"steps": given.steps} | _compare(project), indent=2))
    print(f"{time.perf_counter() - started:.0f} s in this call")


def _project(folder: Path) -> Path:
    """A project of its own, so that the caller's data stay as they are."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("conf", "src"):
        shutil.copytree(ROOT / name, folder / name, dirs_exist_ok=True)
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


def _train(project: Path, annotations: Path, videos: Path, steps: int) -> None:
    """From files to a model, by the pipelines; what is done is not done again."""
    source = f"ingest.source=hawk,ingest.hawk.annotations={annotations},ingest.hawk.videos={videos}"
    training = (
        f"finetune.init_from=null,finetune.steps={steps},finetune.checkpoints.every={SAVE_EVERY},finetune.validation.share=0"
    )
    kedro = Path(sys.executable).parent / "kedro"
    command = [str(kedro), "run", "--env", "smol", "--pipelines", PIPELINES, "--params", f"{source},{training}"]
    subprocess.run(command, cwd=project, env=os.environ | {"PYTHONPATH": "src"}, check=True, stdout=subprocess.DEVNULL)


def _compare(project: Path) -> dict[str, object]:
    import torch

    from hawk_pipelines.datasets.records import RecordsDataset
    from hawk_pipelines.engine.store import ItemStore
    from hawk_pipelines.model.batch import collate
    from hawk_pipelines.model.checkpoint import load
    from hawk_pipelines.model.language_model import padding_id
    from hawk_pipelines.training.data import Layout
    from hawk_pipelines.training.features import Features

    def records(file: str, record: str) -> list:
        return RecordsDataset(filepath=str(project / "data" / file), record=record).load()

    features = Features(
        records("04_feature/features.parquet", "StoredItem"), ItemStore(project / "data/04_feature/feature_items")
    )
    samples = records("05_model_input/train_samples.jsonl", "Sample")
    described = [sample for sample in samples if sample.task == "description" and sample.item_id in features]
    parts = load(project / "data/06_models/finetuned_model", "cpu")
    layout = Layout(parts.tokenizer, parts.prompt, parts.model.config.queries, parts.model.config.motion_branch, None)
    videos = [features.read(sample.item_id) for sample in described]
    losses = []  # row: caption, column: clip
    for sample, video in zip(described, videos, strict=True):
        laid_out = layout.example(sample, sample.question, video.times_s)
        batch = collate([laid_out] * len(videos), videos, padding_id(parts.tokenizer))
        with torch.no_grad():
            losses.append(parts.model(**batch).sample_losses["video_language_loss"].tolist())
    table = torch.tensor(losses)
    own = table.diagonal()
    others = table[~torch.eye(len(table), dtype=torch.bool)].view(len(table), -1)
    return {
        "clips": len(described),
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
