"""What each part of the model is worth in both rendered worlds: variants × seeds, with paired intervals, and how long that took.

    .venv/bin/python benchmarks/ablations.py FOLDER [--worlds motion appearance] [--seeds 0 1 2] [--steps 1500]

Each world gets a copy of the project in FOLDER. The first seed of all variants is trained and timed for itself, then the others.
What is in FOLDER already is not made again, so that this can be stopped and started at any time; copied code is replaced.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

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
    options.add_argument("--steps", type=int, default=1500)
    chosen = options.parse_args()
    for world in chosen.worlds:
        place = _project(chosen.folder / world, world)
        _timed(place, "features", ["--pipelines", UNTIL_FEATURES])
        for seeds in (chosen.seeds[:1], chosen.seeds):
            _configure(place, world, seeds, chosen.steps)
            _timed(place, f"seeds {seeds}", ["--pipelines", "ablate"])
            shutil.copy(place / "data/08_reporting/ablations.md", place / f"ablations-{len(seeds)}.md")
    for world in chosen.worlds:
        print(f"\n## World {world}, {chosen.steps} steps, {os.cpu_count()} cores\n")
        for line in (chosen.folder / world / "times.jsonl").read_text().splitlines():
            print("- {part}: {minutes} minutes ({began}); load at its start {load}".format(**json.loads(line)))
        print("\n" + (chosen.folder / world / "data/08_reporting/ablations.md").read_text())


def _project(place: Path, world: str) -> Path:
    place.mkdir(parents=True, exist_ok=True)
    for name in ("conf", "src"):
        shutil.rmtree(place / name, ignore_errors=True)
        shutil.copytree(ROOT / name, place / name, ignore=shutil.ignore_patterns("__pycache__", "local"))
    for name in ("pyproject.toml", ".telemetry"):
        shutil.copy(ROOT / name, place)
    _configure(place, world, [0], 1)
    return place


def _configure(place: Path, world: str, seeds: list[int], steps: int) -> None:
    """A section in conf/local stands in place of the one in conf/base; what it leaves out has its default."""
    base = yaml.safe_load((ROOT / "conf/base/parameters_ingest.yml").read_text())
    base["ingest"]["synthetic"]["world"] = world
    base["ablate"] = {"seeds": seeds, "at_a_time": 2, "common": {"finetune.steps": steps}, "variants": VARIANTS}
    (place / "conf/local").mkdir(exist_ok=True)
    (place / "conf/local/parameters.yml").write_text(yaml.safe_dump(base))


def _timed(place: Path, part: str, arguments: list[str]) -> None:
    load, began, start = os.getloadavg()[0], time.strftime("%Y-%m-%d %H:%M"), time.perf_counter()
    subprocess.run([str(Path(sys.executable).parent / "kedro"), "run", *arguments], cwd=place, check=True)
    told = {"part": part, "minutes": round((time.perf_counter() - start) / 60, 1), "began": began, "load": round(load, 1)}
    with (place / "times.jsonl").open("a") as times:
        times.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    main()
