"""Versions of data and models: `dvc repro`, and push and pull with a folder as the remote."""

import shutil

import pytest

from tests.conftest import Project

pytestmark = pytest.mark.slow

GIT = ("git", "-c", "user.name=Test", "-c", "user.email=test@example.org")


def _git(project, *command):
    import subprocess

    return subprocess.run([*GIT, *command], cwd=project.folder, check=True, capture_output=True, text=True).stdout


@pytest.fixture(scope="module")
def reproduced(tmp_path_factory):
    """A small project under git in which `dvc repro` has run once."""
    project = Project(tmp_path_factory.mktemp("dvc")).smallest()
    _git(project, "init", "-q")
    project.run("dvc", "init", "-q")
    project.first = project.run("dvc", "repro")
    return project


def test_repro_runs_every_stage_once_and_a_second_one_none(reproduced):
    stages = ["ingest", "split", "caption", "annotate", "validate", "motion", "encode", "finetune", "evaluate", "register"]
    assert [stage for stage in stages if f"Running stage '{stage}'" in reproduced.first.stdout] == stages
    again = reproduced.run("dvc", "repro")
    assert "Running stage" not in again.stdout
    assert "up to date" in again.stdout


def test_the_database_of_runs_is_no_output(reproduced):
    lock = (reproduced.folder / "dvc.lock").read_text()
    assert "mlflow" not in lock
    assert "data/06_models/finetuned_model" in lock


def test_push_and_pull_restore_data_and_models(reproduced, tmp_path):
    """Another clone, with nothing but what git and the remote hold."""
    raw = reproduced.folder / "data/01_raw/my_videos"
    raw.mkdir()
    (raw / "a.mp4").write_bytes(b"a video of mine")
    reproduced.run("dvc", "add", "data/01_raw/my_videos")
    reproduced.run("dvc", "remote", "add", "-d", "store", str(tmp_path / "remote"))
    reproduced.run("dvc", "push")
    _git(reproduced, "add", "-A")
    _git(reproduced, "commit", "-qm", "A run")
    assert "my_videos.dvc" in _git(reproduced, "ls-files", "data/01_raw")
    assert ".mp4" not in _git(reproduced, "ls-files")

    clone = Project.of(tmp_path / "clone")
    _git(reproduced, "clone", "-q", str(reproduced.folder), str(clone.folder))
    shutil.rmtree(clone.folder / ".venv", ignore_errors=True)
    assert not (clone.folder / "data/06_models").exists()
    clone.run("dvc", "pull")
    for name in (
        "data/06_models/finetuned_model/model.safetensors",
        "data/01_raw/my_videos/a.mp4",
        "data/03_primary/annotations.jsonl",
    ):
        assert (clone.folder / name).read_bytes() == (reproduced.folder / name).read_bytes()
    videos = [sorted(path.name for path in (p.folder / "data/01_raw/synthetic").rglob("*.mp4")) for p in (clone, reproduced)]
    assert videos[0] == videos[1] != []
    assert any((tmp_path / "remote").iterdir())
