"""Versions of data and models: `dvc repro`, experiments, and push and pull with a folder as the remote."""

import json
import os
import shutil
import sqlite3
import subprocess

import pytest

from tests.conftest import BIN, ROOT, Project

pytestmark = pytest.mark.slow

GIT = ("git", "-c", "user.name=Test", "-c", "user.email=test@example.org")
NOT_ACTIVATED = {"PATH": "/usr/local/bin:/usr/bin:/bin"}
ACTIVATED = {"PATH": f"{BIN}:{NOT_ACTIVATED['PATH']}"}
STEPS = "conf/base/parameters_finetune.yml:finetune.steps"


def _git(project, *command):
    return subprocess.run([*GIT, *command], cwd=project.folder, check=True, capture_output=True, text=True).stdout


def _under_git(project):
    _git(project, "init", "-q")
    for name in ("user.name", "user.email"):  # DVC commits experiments
        _git(project, "config", name, "test@example.org")
    project.run("dvc", "init", "-q")
    return project


def _clean(project):
    return "up to date" in project.run("dvc", "status").stdout


@pytest.fixture(scope="module")
def reproduced(tmp_path_factory):
    """A small project under git in which `.venv/bin/dvc repro` has run once, without its environment activated."""
    project = _under_git(Project(tmp_path_factory.mktemp("dvc"), own_code=True).smallest())
    project.environment = NOT_ACTIVATED
    project.first = project.run("dvc", "repro")
    project.was_clean = _clean(project)
    _git(project, "add", "-A")
    _git(project, "commit", "-qm", "A run")
    return project


@pytest.fixture(scope="module")
def experiment(reproduced):
    """Code and a setting are changed, and that is tried in a copy."""
    code = reproduced.folder / "src/hawk_pipelines/training/features.py"
    before = code.read_text()
    code.write_text(before + "\nprint('IMPORTED', __file__)\n")
    done = reproduced.run("dvc", "exp", "run", "--temp", "--name", "shorter", "-S", f"{STEPS}=2")
    code.write_text(before)
    return done


def test_repro_runs_every_stage_once_and_a_second_one_none(reproduced):
    stages = ["ingest", "split", "caption", "annotate", "validate", "motion", "encode", "finetune", "evaluate", "register"]
    assert [stage for stage in stages if f"Running stage '{stage}'" in reproduced.first.stdout] == stages
    assert reproduced.was_clean
    again = reproduced.run("dvc", "repro")
    assert "Running stage" not in again.stdout
    assert "up to date" in again.stdout


def test_the_database_of_runs_is_no_output(reproduced):
    lock = (reproduced.folder / "dvc.lock").read_text()
    assert "mlflow" not in lock
    assert "data/06_models/finetuned_model" in lock


def test_metrics_are_the_headline_and_plots_are_drawn(reproduced):
    metrics = json.loads(reproduced.run("dvc", "metrics", "show", "--json").stdout)[""]["data"]
    assert list(metrics) == ["data/08_reporting/headline.json"]
    figures = metrics["data/08_reporting/headline.json"]["data"]
    whole = json.loads((reproduced.folder / "data/08_reporting/metrics.json").read_text())
    when = json.loads((reproduced.folder / "data/08_reporting/when.json").read_text())["figures"]
    assert len(figures) == 10
    assert figures["description_bleu_4"] == whole["tasks"]["description"]["bleu_4"]
    assert figures["follow_ups_accuracy"] == whole["conversation"]["short_later"]["accuracy"]
    assert [figures["frame_auc"]] == [r["value"] for r in when if (r["scored"], r["metric"]) == ("score", "frame_auc")]
    plots = json.loads(reproduced.run("dvc", "plots", "show", "--json").stdout)
    assert plots.get("errors") is None
    assert {"Loss over steps", "Answers by turn of the conversation", "ROC of the anomaly score of frames"} < set(plots["data"])


def test_an_experiment_in_a_copy_has_the_code_and_setting_of_the_copy(reproduced, experiment):
    imported = {line.split()[1] for line in experiment.stdout.splitlines() if line.startswith("IMPORTED")}
    assert len(imported) == 1
    assert imported.pop().startswith(str(reproduced.folder / ".dvc/tmp/exps"))
    shown = json.loads(reproduced.run("dvc", "exp", "show", "--json").stdout)
    tried = next(one["revs"][0]["data"] for row in shown for one in row["experiments"] or () if one["name"] == "shorter")
    assert tried["params"]["conf/base/parameters_finetune.yml"]["data"]["finetune"]["steps"] == 2
    assert len(tried["metrics"]["data/08_reporting/headline.json"]["data"]) == 10
    assert _git(reproduced, "status", "--porcelain") == ""


def test_records_and_models_of_an_experiment_stay_when_its_copy_is_removed(reproduced, experiment):
    with sqlite3.connect(reproduced.folder / "mlflow.db") as database:
        steps = database.execute("SELECT DISTINCT value FROM params WHERE key = 'finetune.steps'").fetchall()
        places = database.execute("SELECT artifact_location FROM logged_models").fetchall()
        versions = database.execute("SELECT version FROM model_versions").fetchall()
    assert sorted(steps) == [("2",), ("3",)]
    assert len(versions) == 2
    for (place,) in places:
        assert (reproduced.folder / "mlartifacts").is_dir()
        assert place.removeprefix("file://").startswith(str(reproduced.folder / "mlartifacts"))
    answered = reproduced.run("hawk", "ask", _video(reproduced), "Who is it?", "--model", "models:/hawk/2")
    assert answered.stdout.strip()


def _video(project):
    return str(next((project.folder / "data/01_raw/synthetic").rglob("*.mp4")))


def test_an_experiment_of_the_queue_runs_with_the_environment_activated(reproduced):
    environment = os.environ | ACTIVATED
    margin = "conf/base/parameters_register.yml:register.margin=0.02"
    for command in (("exp", "run", "--queue", "--name", "margin", "-S", margin), ("exp", "run", "--run-all")):
        subprocess.run(["dvc", *command], cwd=reproduced.folder, env=environment, timeout=600, check=True)
    assert "Success" in reproduced.run("dvc", "queue", "status").stdout
    assert "margin" in reproduced.run("dvc", "exp", "list", "--name-only").stdout.split()


def test_a_setting_without_its_file_is_refused_and_the_readme_gives_the_whole_form(reproduced):
    refused = reproduced.run("dvc", "exp", "run", "-S", "finetune.steps=20", check=False)
    assert refused.returncode != 0
    assert "Could not override 'finetune.steps'" in refused.stderr
    assert _git(reproduced, "status", "--porcelain") == ""
    assert f"-S {STEPS}=" in (ROOT / "README.md").read_text()


def test_what_kedro_run_has_made_is_taken_over_by_one_command(copied):
    shutil.copy(ROOT / "dvc.lock", copied.folder)  # of another run
    _under_git(copied)
    assert not _clean(copied)
    copied.run("dvc", "commit", "-f")
    assert _clean(copied)


def test_push_and_pull_restore_data_and_models(reproduced, tmp_path):
    """Another clone, with nothing but what git and the remote hold."""
    raw = reproduced.folder / "data/01_raw/my_videos"
    raw.mkdir()
    (raw / "a.mp4").write_bytes(b"a video of mine")
    reproduced.run("dvc", "add", "data/01_raw/my_videos")
    reproduced.run("dvc", "remote", "add", "-d", "store", str(tmp_path / "remote"))
    reproduced.run("dvc", "push")
    _git(reproduced, "add", "-A")
    _git(reproduced, "commit", "-qm", "My videos")
    assert "my_videos.dvc" in _git(reproduced, "ls-files", "data/01_raw")
    assert ".mp4" not in _git(reproduced, "ls-files")

    clone = Project.of(tmp_path / "clone")
    _git(reproduced, "clone", "-q", str(reproduced.folder), str(clone.folder))
    shutil.rmtree(clone.folder / ".venv", ignore_errors=True)
    assert not (clone.folder / "data/06_models").exists()
    clone.run("dvc", "pull")
    assert _clean(clone)
    for name in (
        "data/06_models/finetuned_model/model.safetensors",
        "data/01_raw/my_videos/a.mp4",
        "data/03_primary/annotations.jsonl",
    ):
        assert (clone.folder / name).read_bytes() == (reproduced.folder / name).read_bytes()
    videos = [sorted(path.name for path in (p.folder / "data/01_raw/synthetic").rglob("*.mp4")) for p in (clone, reproduced)]
    assert videos[0] == videos[1] != []
    assert any((tmp_path / "remote").iterdir())

    clone.environment = ACTIVATED  # it has no environment of its own
    clone.run("dvc", "repro", "--force", "--single-item", "split")
    assert _clean(clone)
