"""A tracking server that is not there, or dies in the middle of a run."""

import os
import signal
import sqlite3
import subprocess
import time

import pytest

from tests.conftest import BIN
from tests.servers.mlflow_server import free_port, mlflow_server

INGEST = ("kedro", "run", "--pipelines=ingest,split")
KILLED_AT = "look_along_videos …"


def test_a_server_that_is_not_there_is_a_sentence(project):
    address = f"http://127.0.0.1:{free_port()}"
    project.environment = {"MLFLOW_TRACKING_URI": address, "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0"}
    done = project.run(*INGEST, check=False)
    assert done.returncode == 1
    assert f"Error: MLflow at {address} does not answer, and has no record of how this run ended" in done.stderr
    assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.slow
def test_what_was_made_before_a_server_died_stays_and_the_next_run_closes_what_it_left_open(project, tmp_path_factory):
    folder, port = tmp_path_factory.mktemp("server"), free_port()
    project.environment = {"MLFLOW_TRACKING_URI": f"http://127.0.0.1:{port}", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0"}
    environment = os.environ | {"PYTHONPATH": str(project.folder / "src"), "KEDRO_DATASET_VALIDATION": "0", "COLUMNS": "200"}
    environment |= project.environment | {"PYTHONUNBUFFERED": "1"}
    log = project.folder / "lost.log"
    with mlflow_server(folder, port) as server, log.open("w") as file:
        command = [BIN / INGEST[0], *INGEST[1:]]
        run = subprocess.Popen(command, cwd=project.folder, env=environment, stdout=file, stderr=subprocess.STDOUT)
        while KILLED_AT not in log.read_text() and run.poll() is None:
            time.sleep(0.05)
        os.killpg(server.pid, signal.SIGKILL)
        assert run.wait(200) == 1
    said = log.read_text()
    assert "Traceback" not in said
    assert f"Error: MLflow at http://127.0.0.1:{port} does not answer" in said
    assert project.records("02_intermediate/videos.parquet", "Video")
    with mlflow_server(folder, port):
        again = project.run(*INGEST)
    assert "render: 0 done, 12 reused" in again.stdout
    with sqlite3.connect(folder / "server.db") as connection:
        runs = connection.execute("SELECT status FROM runs ORDER BY start_time").fetchall()
    assert runs == [("KILLED",), ("FINISHED",)]
