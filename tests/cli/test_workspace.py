"""Where commands look for an environment's data."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from hawk_pipelines.cli import main
from hawk_pipelines.cli.workspace import data_root
from hawk_pipelines.project import ProjectError


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project's conf/, and the working directory in it."""
    told = {"base": "data_root: data\n", "mine": "data_root: data/mine\n", "other": "llm_url: x\n", "bad": "- a\n"}
    for env, text in told.items():
        (tmp_path / "conf" / env).mkdir(parents=True)
        (tmp_path / "conf" / env / "globals.yml").write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("KEDRO_ENV", raising=False)
    return tmp_path


@pytest.mark.parametrize(("env", "root"), [(None, "data"), ("mine", "data/mine"), ("other", "data"), ("base", "data")])
def test_an_environment_has_a_data_folder_of_its_own_or_that_of_base(project, env, root):
    assert data_root(env) == Path(root)


@pytest.mark.parametrize(("env", "said"), [("nowhere", "no environment conf/nowhere"), ("bad", "is no list of settings")])
def test_an_environment_that_is_not_there_or_cannot_be_read_is_told(project, env, said):
    with pytest.raises(ProjectError, match=said):
        data_root(env)


def test_from_a_folder_below_it_is_still_the_projects(project, monkeypatch):
    (project / "notebooks").mkdir()
    monkeypatch.chdir(project / "notebooks")
    assert data_root("mine") == project / "data/mine"


def test_without_a_project_it_is_data(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert data_root(None) == Path("data")


@pytest.mark.parametrize(
    ("command", "place"),
    [
        (["review", "list", "--env", "mine"], "data/mine/03_primary/review_queue.jsonl"),
        (["review", "next", "--env", "mine"], "data/mine/03_primary/review_queue.jsonl"),
        (["review", "next"], "data/03_primary/review_queue.jsonl"),
        (["review", "next", "--env", "mine", "--queue", "q.jsonl"], "q.jsonl"),
        (["store", "ls", "--env", "mine"], "data/mine"),
        (["store", "gc", "--dry-run", "--env", "mine"], "data/mine"),
        (["store", "ls"], "data"),
    ],
)
def test_commands_look_in_the_environments_data(project, command, place):
    done = CliRunner().invoke(main, command)
    assert done.exit_code
    assert place in done.output
    assert isinstance(done.exception, SystemExit)


def test_the_environment_may_stand_in_the_variable_of_kedro(project, monkeypatch):
    monkeypatch.setenv("KEDRO_ENV", "mine")
    (project / "data/mine").mkdir(parents=True)
    assert "data/mine" in CliRunner().invoke(main, ["store", "ls"]).output
