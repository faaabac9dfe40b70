"""A run that is killed at any moment leaves nothing that the next one does not put in order.

`HAWK_TEST_KILLS` sets another number of kills.
"""

import contextlib
import os
import random
import signal
import sqlite3
import subprocess
import time
from collections import Counter

import mlflow
import pytest

from tests.conftest import BIN

KILLS = int(os.environ.get("HAWK_TEST_KILLS", "15"))
STEPS = 6
LONGEST_S = 30
"""A kill comes at most so long after the start, or after the MLflow run is there."""


def _started(project, number):
    environment = {name: value for name, value in os.environ.items() if name != "MLFLOW_TRACKING_URI"}
    environment |= {"PYTHONPATH": str(project.folder / "src"), "KEDRO_DATASET_VALIDATION": "0"}
    with (project.folder / f"run-{number}.txt").open("w") as output:
        return subprocess.Popen(
            [BIN / "kedro", "run"], cwd=project.folder, env=environment, stdout=output, stderr=subprocess.STDOUT
        )


def _count(project):
    """MLflow runs so far; 0 where there is no database yet."""
    with contextlib.suppress(sqlite3.Error), sqlite3.connect(f"file:{project.folder}/mlflow.db?mode=ro", uri=True) as connection:
        return connection.execute("SELECT count(*) FROM runs").fetchone()[0]
    return 0


def _wait(process, seconds, until=lambda: False):
    """Wait so long, or until something is so, or until the process has ended."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and process.poll() is None and not until():
        time.sleep(0.005)


def _killed(project, number, draw):
    """Start a run and kill it: anywhere from its start on, or as soon as its MLflow run is there; whether it came to that."""
    before, process = _count(project), _started(project, number)
    if number % 3:
        _wait(process, 120, lambda: _count(project) > before)
        _wait(process, draw.choice([0, 0.05, 0.5, draw.uniform(0, LONGEST_S)]))
    else:
        _wait(process, draw.uniform(0, LONGEST_S / 2))
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(signal.SIGKILL)
    return process.wait() == -signal.SIGKILL


@pytest.mark.nightly
def test_after_kills_at_random_places_no_run_is_left_running_and_none_is_doubled(empty_project, record_property):
    empty_project.set("finetune", steps=STEPS, checkpoints__every=2)
    draw, killed, number = random.Random(21), 0, 0
    while killed < KILLS:
        empty_project.set(
            "finetune", learning_rate=1e-3 + 1e-5 * (number - killed)
        )  # after a run that ended there is something to do
        killed += _killed(empty_project, number, draw)
        number += 1
    last = _started(empty_project, "last")
    status, said = last.wait(timeout=900), (empty_project.folder / "run-last.txt").read_text()
    assert status == 0, said[-3000:]
    assert "Traceback" not in said

    client = mlflow.MlflowClient(f"sqlite:///{empty_project.folder}/mlflow.db")
    runs = client.search_runs([client.get_experiment_by_name("hawk").experiment_id], max_results=1000)
    statuses = Counter(run.info.status for run in runs)
    record_property("killed", killed)
    record_property("statuses", dict(statuses))
    print(f"{killed} kills in {number} runs: {dict(statuses)}")  # noqa: T201 (what was measured)
    assert statuses.keys() <= {"FINISHED", "KILLED"}
    assert statuses["KILLED"] > KILLS / 3
    trained = [run for run in runs if run.data.tags.get("stage") and run.info.status == "FINISHED"]
    assert max(Counter(run.data.tags["training"] for run in trained).values()) == 1
    for run in trained:
        assert [one.step for one in client.get_metric_history(run.info.run_id, "loss")] == list(range(1, STEPS + 1))
    assert (
        len([run for run in runs if run.info.run_name == "__default__" and run.info.status == "FINISHED"]) == number - killed + 1
    )
    versions = client.search_model_versions("name = 'hawk'")
    assert len({one.tags["weights_sha256"] for one in versions}) == len(versions)
    leftovers = [
        path for path in empty_project.folder.glob("data/**/*") if path.suffix == ".part" or path.name.startswith(".new-")
    ]
    assert leftovers == []
