"""Standard output that is full, or that nobody reads any more."""

import os
import sqlite3
import subprocess
from pathlib import Path

import pytest

from tests.conftest import BIN, Project
from tests.video.numbered import write

FULL = "tandard output could not be written (No space left on device)"


def _start(command, folder, stdout, **environment):
    settings = os.environ | {"COLUMNS": "200", "NO_COLOR": "1"} | environment
    return subprocess.run(
        [BIN / command[0], *command[1:]], cwd=folder, env=settings, stdout=stdout, stderr=subprocess.PIPE, text=True, check=False
    )


def _unread():
    """The end of a pipe to write to, of which nobody reads the other."""
    reader, writer = os.pipe()
    os.close(reader)
    return writer


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("command", ["--help", "store ls .", "probe a.mp4", "probe --json a.mp4"])
def test_what_a_command_says_and_nobody_can_have_is_a_sentence(tmp_path, command, unbuffered):
    write(tmp_path / "a.mp4", 3)
    with Path("/dev/full").open("w") as full:
        done = _start(["hawk", *command.split()], tmp_path, full, PYTHONUNBUFFERED=unbuffered)
    assert done.returncode == 1
    assert done.stderr == f"Error: S{FULL}. Make room where it leads, or let it lead elsewhere, and run the command again.\n"


def test_a_command_whose_reader_has_gone_ends_silently(tmp_path):
    done = _start(["hawk", "store", "ls", "."], tmp_path, _unread())
    assert (done.returncode, done.stderr) == (1, "")


@pytest.fixture(scope="module")
def folder(tmp_path_factory, tables):
    """A project of which two runs were begun: one with its output full, one whose reader had gone."""
    return Project(tmp_path_factory.mktemp("project")).smallest().with_tables(tables).folder


def _run(folder, stdout):
    done = _start(
        ["kedro", "run", "--pipelines=ingest"],
        folder,
        stdout,
        PYTHONPATH=str(folder / "src"),
        KEDRO_DATASET_VALIDATION="0",
        MLFLOW_TRACKING_URI=f"sqlite:///{folder}/mlflow.db",
    )
    with sqlite3.connect(folder / "mlflow.db") as connection:
        (status,) = connection.execute("SELECT status FROM runs ORDER BY start_time DESC LIMIT 1").fetchone()
    return done.returncode, status, done.stderr


def test_a_run_goes_on_where_its_output_is_full_and_says_so_once(folder):
    with Path("/dev/full").open("w") as full:
        code, status, said = _run(folder, full)
    assert (code, status) == (0, "FINISHED")
    assert said.count(f"Warning: s{FULL}; what runs goes on without it.") == 1
    assert "Logging error" not in said
    assert "Traceback" not in said
    assert (folder / "data/02_intermediate/videos.parquet").exists()


def test_a_run_goes_on_where_nobody_reads_it_any_more(folder):
    code, status, said = _run(folder, _unread())
    assert (code, status) == (0, "FINISHED")
    assert "rror" not in said
