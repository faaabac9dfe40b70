"""A database in a file is made whole or not at all."""

import os
import signal
import subprocess
import sys
import time

import pytest
from mlflow import MlflowClient

MAKE = """
import sys
from pathlib import Path
from hawk_pipelines.serving.tracking_server import database_ready
with database_ready(f"sqlite:///{sys.argv[1]}/mlflow.db", Path(sys.argv[1])):
    pass
"""


def _made(folder):
    return subprocess.Popen([sys.executable, "-c", MAKE, str(folder)], stderr=subprocess.PIPE, text=True)


def _size(path):
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


@pytest.mark.slow
def test_a_kill_while_tables_are_made_leaves_no_half_of_a_database(tmp_path):
    with _made(tmp_path) as process:
        while process.poll() is None and not any(_size(path) > 50_000 for path in tmp_path.rglob("*mlflow.db*")):
            time.sleep(0.005)
        os.kill(process.pid, signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert not (tmp_path / "mlflow.db").exists()
    with _made(tmp_path) as process:
        _, said = process.communicate(timeout=120)
    assert process.returncode == 0, said
    client = MlflowClient(f"sqlite:///{tmp_path}/mlflow.db")
    assert client.create_run(client.create_experiment("hawk")).info.status == "RUNNING"
