"""What each part of the model is worth in both rendered worlds: variants × seeds, with paired intervals, and how long that took.

    .venv/bin/python benchmarks/ablations.py FOLDER [--worlds motion appearance] [--seeds 0 1 2] [--steps 1200]

Each world gets a copy of the project in FOLDER. What is in FOLDER already is not made again, so that this can be stopped and
started at any time; copied code is replaced. The time of a seed is that from the start of its first training to the last of its
answers, pauses included; one seed's trainings begin before the last ones of the seed before have ended.
"""

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

import mlflow
import yaml

ROOT = Path(__file__).parents[1]
VARIANTS = {
    "full": {},
    "no_motion": {"model.branches.motion": False},
    "no_video_motion_loss": {"finetune.losses.video_motion": 0.0},
    "no_motion_language_loss": {"finetune.losses.motion_language": 0.0},
}
UNTIL_FEATURES = "ingest,split,caption,annotate,validate,motion,encode"


def main() -> None:
    """Train, compare, and print the tables."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("folder", type=Path)
    options.add_argument("--worlds", nargs="+", default=["motion", "appearance"])
    options.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    options.add_argument("--steps", type=int, default=1200)
    chosen = options.parse_args()
    for world in chosen.worlds:
        place = _project(chosen.folder / world, world, chosen.seeds, chosen.steps)
        for pipelines in (UNTIL_FEATURES, "ablate"):
            kedro = str(Path(sys.executable).parent / "kedro")
            subprocess.run([kedro, "run", "--pipelines", pipelines], cwd=place, check=True)
    for world in chosen.worlds:
        print(f"\n## World {world}, {chosen.steps} steps, {os.cpu_count()} cores\n")
        for seed in chosen.seeds:
            print(f"- seed {seed}: {_minutes(chosen.folder / world, seed):.1f} minutes")
        print("\n" + (chosen.folder / world / "data/08_reporting/ablations.md").read_text())


def _project(place: Path, world: str, seeds: list[int], steps: int) -> Path:
    place.mkdir(parents=True, exist_ok=True)
    for name in ("conf", "src"):
        shutil.rmtree(place / name, ignore_errors=True)
        shutil.copytree(ROOT / name, place / name, ignore=shutil.ignore_patterns("__pycache__", "local"))
    for name in ("pyproject.toml", ".telemetry"):
        shutil.copy(ROOT / name, place)
    # A section in conf/local stands in place of the one in conf/base; what it leaves out has its default.
    base = yaml.safe_load((ROOT / "conf/base/parameters_ingest.yml").read_text())
    base["ingest"]["synthetic"]["world"] = world
    base["ablate"] = {"seeds": seeds, "at_a_time": 2, "common": {"finetune.steps": steps}, "variants": VARIANTS}
    (place / "conf/local").mkdir(exist_ok=True)
    (place / "conf/local/parameters.yml").write_text(yaml.safe_dump(base))
    return place


def _minutes(place: Path, seed: int) -> float:
    """From the start of a seed's first training to the last answers of its models."""
    client = mlflow.MlflowClient(f"sqlite:///{place}/mlflow.db")
    experiments = [one.experiment_id for one in client.search_experiments()]
    runs = client.search_runs(experiments, f"tags.seed = '{seed}' AND tags.variant LIKE '%'")
    start = min(run.info.start_time for run in runs)
    answers = place.glob(f"data/06_models/ablations/*-{seed}/**/answers-*.jsonl")
    return (max(path.stat().st_mtime for path in answers) - start / 1000) / 60


if __name__ == "__main__":
    main()
