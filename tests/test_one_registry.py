"""One tracking server, registry and project folder, wherever one stands: moved, copied, below, in a notebook, with a server."""

import os
import shutil
import subprocess
import sys

import mlflow
import pytest

from tests.conftest import BIN
from tests.servers.mlflow_server import free_port, mlflow_server

REGISTER = "kedro", "run", "--pipelines=register"
FORCE = "--params", "register.force=Another reason."
QUESTION = "Who is involved?"
SESSION = """
from pathlib import Path
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project

bootstrap_project(Path("..").resolve())
with KedroSession.create(project_path=Path("..").resolve()) as session:
    session.run(pipeline_names=["ingest"])
import hawk_pipelines
print("ANSWER", hawk_pipelines.load().ask(next(Path("../data/01_raw/synthetic").rglob("*.mp4")), "Who is involved?"))
print("IN", Path.cwd().name)
"""


@pytest.fixture
def answer(small_run):
    """What the registered model of the small run says."""
    return _ask(small_run)


def _ask(project, *options, below="."):
    """The registered model's answer about the project's first video, asked from a folder below it."""
    video = next((project.folder / "data/01_raw/synthetic").rglob("*.mp4"))
    done = project.run("hawk", "ask", str(video), QUESTION, *options, below=below)
    return done.stdout.strip()


def _files(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts}


def _versions(uri):
    return sorted(int(one.version) for one in mlflow.MlflowClient(uri, uri).search_model_versions("name = 'hawk'"))


def _uri(project, name="mlflow.db"):
    return f"sqlite:///{project.folder}/{name}"


def _databases(project):
    return sorted(str(path.relative_to(project.folder)) for path in project.folder.rglob("mlflow*.db"))


def test_a_moved_project_goes_on_inside_itself(copied, tmp_path, answer):
    moved = copied.copy(tmp_path / "a folder elsewhere" / "project")
    shutil.rmtree(copied.folder)
    assert _ask(moved) == answer
    moved.run(*REGISTER, *FORCE)
    assert _versions(_uri(moved)) == [1, 2]
    assert _ask(moved, "--model", "models:/hawk/2") == answer
    assert not copied.folder.exists()
    client = mlflow.MlflowClient(_uri(moved))
    for run in client.search_runs([client.get_experiment_by_name("hawk").experiment_id]):
        assert str(moved.folder).replace(" ", "%20") in run.info.artifact_uri


def test_a_copy_leaves_the_original_alone(copied, small_run, answer):
    before = _files(small_run.folder / "mlartifacts")
    copied.run(*REGISTER, *FORCE)
    assert _files(small_run.folder / "mlartifacts") == before
    assert _ask(copied) == answer
    assert _versions(_uri(copied)) == [1, 2]
    assert _versions(_uri(small_run)) == [1]


def test_from_a_folder_below_and_from_a_notebook_nothing_is_made_there(copied, answer):
    notebooks = copied.folder / "notebooks"
    notebooks.mkdir()
    assert _ask(copied, below="notebooks") == answer
    copied.run("hawk", "store", "ls", below="notebooks")
    copied.run(*REGISTER, *FORCE, below="notebooks")
    environment = {name: value for name, value in os.environ.items() if name != "MLFLOW_TRACKING_URI"}
    environment["PYTHONPATH"] = str(copied.folder / "src")
    session = subprocess.run(
        [sys.executable, "-c", SESSION], cwd=notebooks, env=environment, capture_output=True, text=True, check=False
    )
    assert session.returncode == 0, session.stderr[-3000:]
    assert f"ANSWER {answer}" in session.stdout
    assert "IN notebooks" in session.stdout
    assert _files(notebooks) == set()
    assert _databases(copied) == ["mlflow.db"]


def test_conf_local_and_another_environment_name_the_registry_for_all(copied, answer):
    for env in ("local", "team"):
        (copied.folder / "conf" / env).mkdir(exist_ok=True)
        text = f"server:\n  mlflow_tracking_uri: sqlite:///mlflow_{env}.db\n"
        (copied.folder / "conf" / env / "mlflow.yml").write_text(text)
    for options in ((), ("--env", "team")):
        empty = copied.run("hawk", "ask", "no.mp4", QUESTION, *options, check=False)
        assert "is not there. Make a model with `kedro run`" in empty.stderr
        assert _databases(copied) == ["mlflow.db"]
    for env, options in (("local", ()), ("team", ("--env", "team"))):
        copied.run(*REGISTER, *options)
        assert _versions(_uri(copied, f"mlflow_{env}.db")) == [1]
        assert _ask(copied, *options) == answer
        assert "forced" in copied.run("hawk", "rollback", "--list", *options).stdout
    assert _versions(_uri(copied)) == [1]
    assert _databases(copied) == ["mlflow.db", "mlflow_local.db", "mlflow_team.db"]


@pytest.fixture
def server(tmp_path):
    """The address of a real MLflow server that keeps files itself."""
    port = free_port()
    with mlflow_server(tmp_path, port):
        yield f"http://127.0.0.1:{port}"


def test_a_server_has_runs_files_and_versions(copied, server, tmp_path, answer):
    before = _files(copied.folder / "mlartifacts"), (copied.folder / "mlflow.db").read_bytes()
    copied.environment = {"MLFLOW_TRACKING_URI": server}
    copied.run("kedro", "run", "--pipelines=finetune,evaluate,register")
    assert _versions(server) == [1]
    assert any("model.safetensors" in name for name in _files(tmp_path / "kept"))
    assert _ask(copied) == answer
    assert f"pages of its own: {server}" in copied.run("hawk", "ui").stdout
    assert (_files(copied.folder / "mlartifacts"), (copied.folder / "mlflow.db").read_bytes()) == before
    (run,) = mlflow.MlflowClient(server).search_runs(["1"], "attributes.status = 'FINISHED'", max_results=1)
    assert run.info.artifact_uri.startswith("mlflow-artifacts:")


TRIALS = int(os.environ.get("HAWK_TEST_TRIALS", "10"))
"""Of first runs at the same time; one of them is in `make test`."""


@pytest.mark.parametrize("trial", [0, *(pytest.param(number, marks=pytest.mark.nightly) for number in range(1, TRIALS))])
def test_first_runs_at_the_same_time_wait_for_each_other(empty_project, trial):
    count = 3 if trial else 2
    environment = {name: value for name, value in os.environ.items() if name != "MLFLOW_TRACKING_URI"}
    environment |= {"PYTHONPATH": str(empty_project.folder / "src"), "KEDRO_DATASET_VALIDATION": "0"}
    command = [BIN / "kedro", "run", "--pipelines=ingest"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    runs = [subprocess.Popen(command, cwd=empty_project.folder, env=environment, **pipes) for _ in range(count)]
    for run in runs:
        output, _ = run.communicate(timeout=300)
        assert run.returncode == 0, output[-3000:]
        assert "Traceback" not in output
    client = mlflow.MlflowClient(_uri(empty_project))
    done = client.search_runs([client.get_experiment_by_name("hawk").experiment_id])
    assert [run.info.status for run in done] == ["FINISHED"] * count
