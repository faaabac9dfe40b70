"""The default run from nothing, in an empty copy of the project: seconds by step, and what the model sees.

.venv/bin/python benchmarks/default_run.py [--world motion|appearance] [--seed N] [--steps N]
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]


def main() -> None:
    """Run and print a Markdown table."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--world", default="motion")
    options.add_argument("--seed", type=int, default=42)
    options.add_argument("--steps", type=int, help="of the training; otherwise as the settings have it")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as place:
        for name in ("conf", "src"):
            shutil.copytree(ROOT / name, Path(place) / name)
        for name in ("pyproject.toml", ".telemetry"):
            shutil.copy(ROOT / name, place)
        seconds = _run(place, chosen)
        metrics = json.loads((Path(place) / "data/08_reporting/metrics.json").read_text())
    print(f"world {chosen.world}, seed {chosen.seed}, {chosen.steps or 'default'} steps, {os.cpu_count()} cores\n")
    print("| step | seconds |\n|---|---|")
    for step, value in seconds.items():
        print(f"| {step} | {value:.0f} |")
    print("\n| on held-out videos | HAWK | without seeing | of |\n|---|---|---|---|")
    for slot, score in metrics["slots"].items():
        print(f"| {slot} | {score['accuracy']:.3f} | {score['chance']:.3f} | {score['count']:.0f} |")
    for task, score in metrics["tasks"].items():
        print(f"| {task}, BLEU-4 | {score['bleu_4']:.3f} | {score['best_constant']['bleu_4']:.3f} | {score['count']} |")


def _run(place: str, chosen: argparse.Namespace) -> dict[str, float]:
    """Run Kedro and take the time between the lines that say what is going on."""
    settings = f"ingest.synthetic.world={chosen.world},seed={chosen.seed}"
    if chosen.steps:
        settings += f",finetune.steps={chosen.steps}"
    kedro = str(Path(sys.executable).parent / "kedro")
    start = mark = time.perf_counter()
    step, seconds = "start", {}
    environment = os.environ | {"COLUMNS": "200"}
    with subprocess.Popen(
        [kedro, "run", "--params", settings],
        cwd=place,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as run:
        for line in run.stdout:
            now = time.perf_counter()
            if rendered := re.search(r"render: (\d+) done", line):
                seconds[f"rendering, in ingest_videos ({60 * int(rendered[1]) / (now - mark):.0f} videos a minute)"] = now - mark
            if started := re.search(r"INFO +(\w+) …", line):
                seconds[step] = now - mark
                step, mark = started[1], now
    if run.returncode:
        sys.exit(f"kedro run ended with {run.returncode}")
    seconds[step] = time.perf_counter() - mark
    return seconds | {"**all**": time.perf_counter() - start}


if __name__ == "__main__":
    main()
