"""Folders that a project can be in, and those in which its records or settings would be looked for somewhere else."""

import shutil
import sqlite3

import pytest
from click.testing import CliRunner

from hawk_pipelines.cli import main
from hawk_pipelines.config_loader import settings_of
from hawk_pipelines.project import ProjectError, check_folder
from hawk_pipelines.serving.tracking_server import database_ready, tracking_uri
from tests.conftest import ROOT, Project

ODD = {"quest?x": "?", "star*": "*", "fifty%20": "%20", "Prüf 50% #1 [x]": "[x]"}


def _sentence(folder, sign):
    return f"The project's folder {folder} has a {sign} in its path, which the addresses of MLflow or the settings of Kedro"


@pytest.fixture(params=ODD)
def odd(request, tmp_path, monkeypatch):
    """A folder with settings, and the sign in its path that cannot be held."""
    folder = tmp_path / request.param
    shutil.copytree(ROOT / "conf", folder / "conf")
    shutil.copy(ROOT / "pyproject.toml", folder)
    monkeypatch.chdir(folder)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return folder, ODD[request.param]


@pytest.mark.parametrize("command", ["ask a.mp4 Who?", "rollback --list", "plan", "annotate --estimate"])
def test_a_folder_that_addresses_cannot_hold_is_a_sentence_and_nothing_is_written(odd, command):
    folder, sign = odd
    before = set(folder.parent.rglob("*"))
    done = CliRunner().invoke(main, command.split())
    assert done.exit_code == 1
    assert _sentence(folder, sign) in " ".join(done.output.split())
    assert set(folder.parent.rglob("*")) == before


def test_a_run_in_such_a_folder_is_a_sentence_and_nothing_is_written(tmp_path):
    folder = tmp_path / "Prüf [x]"
    folder.mkdir()
    project = Project(folder)
    done = project.run("kedro", "run", "--pipelines=ingest", check=False)
    assert done.returncode == 1
    assert f"Error: {_sentence(folder, '[x]')}" in done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["Prüf [x]"]
    assert not (folder / "mlflow.db").exists()


def test_a_database_named_from_such_a_folder_outside_a_project_is_refused(tmp_path, monkeypatch):
    folder = tmp_path / "quest?x"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///mlflow.db")
    with pytest.raises(ProjectError, match="quest"):
        tracking_uri()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:5000")
    assert tracking_uri() == "http://127.0.0.1:5000"


def test_other_signs_are_all_right(tmp_path, monkeypatch):
    folder = tmp_path / "Prüf 50% #1 + & ' {x} $HOME a[b c%zz"
    shutil.copytree(ROOT / "conf", folder / "conf")
    monkeypatch.chdir(folder)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    check_folder(folder)
    assert settings_of(None)["globals"]["data_root"] == "data"
    with database_ready(tracking_uri()), sqlite3.connect(folder / "mlflow.db") as connection:
        assert connection.execute("SELECT name FROM experiments").fetchall() == [("Default",)]
    assert [path.name for path in tmp_path.iterdir()] == [folder.name]
