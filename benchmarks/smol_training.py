"""Both stages of training with small pretrained parts: pretrained on a few captioned clips, fine-tuned on a few annotated ones.

    OMP_NUM_THREADS=2 .venv/bin/python benchmarks/smol_training.py DATA [--folder FOLDER]

DATA holds captioned clips and their table (`videos/captioned`, `videos/captioned/webvid_csv`) and annotations in HAWK's format
(`hawk_format`, `videos`). A clip that is in both counts once in a run, so there are two: first the captioned clips that are not
tested on are pretrained on, then all annotated clips are read. Stopped while it trains, the same command goes on where it was.
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
BIN = Path(sys.executable).parent
PREPARE = "ingest,split,caption,annotate,validate,motion,encode"
TERMS = ("loss", "video_language_loss", "video_motion_loss", "motion_language_loss", "cosine", "grad_norm")
ASKED = {
    "ucf_crime/RoadAccidents133_x264_270_451.mp4": "What unusual event happens in the video?",
    "captioned/000001_000050/DKZg4kIEa0A_31_36.avi": "Describe what is to be seen in this video.",
}


def main() -> None:
    """Prepare, pretrain, fine-tune, register, ask; print, and insist that the losses fall."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("data", type=Path)
    options.add_argument("--folder", type=Path, default=Path("data/smol_training"), help="for everything that is made")
    given = options.parse_args()
    data, project = given.data.resolve(), make_project(given.folder)
    began = time.perf_counter()
    if not (project / "data/06_models/pretrained_model").is_dir():
        _read(project, ["webvid", "hawk"], data)
        _kedro(project, "captioned clips: from files to features", PREPARE)
        _kedro(project, "pretrain", "pretrain")
    _read(project, ["hawk"], data)
    _kedro(project, "annotated clips: from files to features", PREPARE)
    _kedro(project, "finetune", "finetune")
    _kedro(project, "evaluate, register", "evaluate,register")
    print(f"{(time.perf_counter() - began) / 60:5.1f} min in this call", flush=True)
    registered = json.loads((project / "data/08_reporting/registered_model.json").read_text(encoding="utf-8"))
    print(f"version {registered['version']} of {registered['name']}: {registered['reason']}")
    for clip, question in ASKED.items():
        asked = [BIN / "hawk", "ask", data / "videos" / clip, question, "--model", registered["uri"]]
        answer = subprocess.run(asked, cwd=project, env=_environment(), check=True, stdout=subprocess.PIPE, text=True).stdout
        print(f"{clip}: {question}\n  {answer.strip()}")
    fell = [_show(project, stage) for stage in ("pretrain", "finetune")]
    if not all(fell):
        sys.exit("A loss did not fall.")


def make_project(folder: Path) -> Path:
    """A project of its own, so that the caller's data stay as they are."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("conf", "src"):
        shutil.copytree(ROOT / name, folder / name, dirs_exist_ok=True)
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder.resolve()


def _read(project: Path, sources: list[str], data: Path) -> None:
    """Which clips the following runs read."""
    videos = data / "videos"
    webvid = {"path": str(videos / "captioned/webvid_csv"), "videos": str(videos / "captioned")}
    hawk = {"annotations": str(data / "hawk_format"), "videos": str(videos)}
    settings = {"ingest": {"source": sources, "webvid": webvid, "hawk": hawk}}
    (project / "conf/smol/parameters_ingest.yml").write_text(yaml.safe_dump(settings), encoding="utf-8")


def _kedro(project: Path, what: str, pipelines: str) -> None:
    began, cpu = time.perf_counter(), os.times()
    command = [BIN / "kedro", "run", "--env", "smol", "--pipelines", pipelines]
    with (project / "log.txt").open("a", encoding="utf-8") as log:
        subprocess.run(command, cwd=project, env=_environment(), check=True, stdout=log, stderr=subprocess.STDOUT)
    minutes, now = (time.perf_counter() - began) / 60, os.times()
    busy = (now.children_user + now.children_system - cpu.children_user - cpu.children_system) / 60
    print(f"{minutes:5.1f} min, {busy:5.1f} min of processor time: {what}", flush=True)


def _environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": "src", "HF_HUB_OFFLINE": "1"}


def _show(project: Path, stage: str) -> bool:
    """Print the first and last values of every term in MLflow: whether the losses fell."""
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{project}/mlflow.db")
    experiment = client.get_experiment_by_name("hawk").experiment_id
    run = client.search_runs([experiment], f"tags.stage = '{stage}'", order_by=["attributes.start_time DESC"])[0]
    print(f"{stage}: {run.data.params[f'{stage}.steps']} steps; means of the first ten and of the last ten")
    fell = True
    for term in (*TERMS, "validation_loss"):
        values = [one.value for one in client.get_metric_history(run.info.run_id, term)]
        few = 1 if term == "validation_loss" else min(10, len(values) // 2)
        first, last = sum(values[:few]) / few, sum(values[-few:]) / few
        print(f"  {term:22}{first:8.3f} → {last:.3f}")
        fell = fell and (last < first or term not in {"loss", "video_language_loss", "motion_language_loss"})
    return fell


if __name__ == "__main__":
    main()
