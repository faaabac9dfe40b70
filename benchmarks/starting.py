"""How long commands take to start, beside the import of what they cannot do without: user CPU seconds, the smallest of several.

.venv/bin/python benchmarks/starting.py PROJECT [--turns 3]

PROJECT is a folder in which `kedro run` has run. Commands and imports take turns.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

BIN = Path(sys.executable).parent
MODEL = "import torch; from transformers import Blip2QFormerModel, LlamaForCausalLM"
CLIENT = f"{MODEL}; from mlflow import MlflowClient"


def main() -> None:
    """Measure and print a Markdown table."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("project", type=Path)
    options.add_argument("--turns", type=int, default=3)
    chosen = options.parse_args()
    video = str(next(path.relative_to(chosen.project) for path in (chosen.project / "data/01_raw").rglob("*.mp4")))
    question = ("What happens?", "--max-new-tokens", "1")
    rows = {
        "import torch and the model's classes": [BIN / "python", "-c", MODEL],
        "the same and MLflow's client": [BIN / "python", "-c", CLIENT],
        "hawk ask --model FOLDER": [BIN / "hawk", "ask", video, *question, "--model", "data/06_models/finetuned_model"],
        "hawk ask (registry)": [BIN / "hawk", "ask", video, *question],
        "hawk --help": [BIN / "hawk", "--help"],
        "hawk probe": [BIN / "hawk", "probe", video],
        "kedro run with nothing to do": [BIN / "kedro", "run"],
    }
    seconds = {name: [] for name in rows}
    for _ in range(chosen.turns):
        for name, command in rows.items():
            seconds[name].append(_user_seconds(command, chosen.project))
    least = {name: min(values) for name, values in seconds.items()}
    model, client = list(least.values())[:2]
    print("| command | user CPU, s | ÷ torch and the model | ÷ with MLflow's client |\n|---|---|---|---|")
    for name, value in least.items():
        print(f"| {name} | {value:.2f} | {value / model:.2f} | {value / client:.2f} |")


def _user_seconds(command: list, folder: Path) -> float:
    before = os.times().children_user
    subprocess.run(command, cwd=folder, env=os.environ | {"OMP_NUM_THREADS": "1"}, check=True, capture_output=True)
    return os.times().children_user - before


if __name__ == "__main__":
    main()
