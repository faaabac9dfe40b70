"""Runs that a kill left RUNNING are closed by the next start; nobody else's are."""

import socket
import subprocess
import sys

import mlflow
import psutil
import pytest

from hawk_pipelines.serving.abandoned_runs import OWNER, close_abandoned, owned_from_the_beginning, owner

PRINT_OWNER = "from hawk_pipelines.serving.abandoned_runs import owner; print(owner())"


@pytest.fixture
def run_of(registry):
    """A run that somebody began, and its experiment."""
    experiment = registry.create_experiment("runs")

    def begin(tag=None, parent=None):
        tags = ({OWNER: tag} if tag else {}) | ({"mlflow.parentRunId": parent} if parent else {})
        return registry.create_run(experiment, tags=tags).info.run_id

    begin.experiment = experiment
    return begin


@pytest.fixture(scope="module")
def owner_that_is_gone():
    """A process that ran on this machine and has ended."""
    return subprocess.run([sys.executable, "-c", PRINT_OWNER], capture_output=True, text=True, check=True).stdout.strip()


def test_runs_of_processes_that_are_gone_are_closed_with_the_trainings_below_them(registry, run_of, owner_that_is_gone):
    killed = run_of(owner_that_is_gone)
    training = run_of(parent=killed)
    assert close_abandoned(registry, run_of.experiment) == sorted([killed, training])
    assert {registry.get_run(run).info.status for run in (killed, training)} == {"KILLED"}
    assert close_abandoned(registry, run_of.experiment) == []


def test_a_number_that_was_given_again_is_another_process(registry, run_of):
    host, number, _ = owner().split("/")
    assert close_abandoned(registry, run_of.experiment) == []
    earlier = run_of(f"{host}/{number}/{psutil.boot_time():.1f}")
    assert close_abandoned(registry, run_of.experiment) == [earlier]


@pytest.mark.parametrize("tag", [None, "here", "another-machine/1/5.0", f"{socket.gethostname()}/x/5.0", "own"])
def test_runs_that_go_on_or_are_elsewhere_are_left_alone(registry, run_of, tag):
    run = run_of(owner() if tag == "own" else tag)
    child = run_of(parent=run)
    assert close_abandoned(registry, run_of.experiment) == []
    assert {registry.get_run(one).info.status for one in (run, child)} == {"RUNNING"}


def test_a_run_that_ended_stays_as_it_ended(registry, run_of, owner_that_is_gone):
    run = run_of(owner_that_is_gone)
    registry.set_terminated(run, "FAILED")
    assert close_abandoned(registry, run_of.experiment) == []
    assert registry.get_run(run).info.status == "FAILED"


def test_a_run_has_its_owner_from_the_moment_in_which_it_is_there(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_RUN_CONTEXT", '{"team": "roads"}')
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/mlflow.db")
    try:
        experiment = mlflow.create_experiment("runs", artifact_location=str(tmp_path))
        with owned_from_the_beginning(), mlflow.start_run(experiment_id=experiment) as run:
            pass
        with mlflow.start_run(experiment_id=experiment) as other:
            pass
    finally:
        mlflow.set_tracking_uri(None)
    tags = [mlflow.MlflowClient(f"sqlite:///{tmp_path}/mlflow.db").get_run(one.info.run_id).data.tags for one in (run, other)]
    assert [(tag.get(OWNER), tag["team"]) for tag in tags] == [(owner(), "roads"), (None, "roads")]
