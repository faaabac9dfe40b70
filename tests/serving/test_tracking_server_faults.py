"""A database that another process holds, one that a full disk cut short, and what a server's silence comes to."""

import logging
import shutil
import socket
import sqlite3
import threading
import time
from pathlib import Path

import mlflow
import pytest
from click.testing import CliRunner
from mlflow.exceptions import MlflowException

from hawk_pipelines.cli import main
from hawk_pipelines.machine_faults import MachineFault
from hawk_pipelines.serving import tracking_server
from hawk_pipelines.serving.tracking_server import TrackingServerError, database_ready, server_fault
from tests.servers.mlflow_server import free_port
from tests.test_machine_faults import no_file_above


@pytest.fixture
def database(tables, tmp_path):
    return Path(shutil.copy(tables, tmp_path / "mlflow.db"))


def _held_for(path, seconds):
    """Another connection that nobody else can read or write beside."""
    begun = threading.Event()

    def hold():
        with sqlite3.connect(path) as connection:
            connection.execute("BEGIN EXCLUSIVE")
            begun.set()
            threading.Event().wait(seconds)
            connection.execute("ROLLBACK")

    thread = threading.Thread(target=hold)
    thread.start()
    begun.wait()
    return thread


def test_a_held_database_is_waited_for_and_that_is_said(database, caplog):
    holder = _held_for(database, 1.5)
    with caplog.at_level(logging.WARNING), database_ready(f"sqlite:///{database}", database.parent):
        holder.join()
    assert f"{database} is held by another process; it is waited for for up to 60 s." in caplog.messages


def test_a_database_that_is_held_for_too_long_is_a_sentence(database, monkeypatch):
    monkeypatch.setattr(tracking_server, "_LONGEST_HELD_S", 0.2)
    holder = _held_for(database, 3)
    with pytest.raises(TrackingServerError) as told, database_ready(f"sqlite:///{database}", database.parent):
        pass
    holder.join()
    assert str(told.value).startswith(f"{database} has been held by another process for 0.2 s; end that one")


def test_a_database_that_has_no_room_leaves_nothing_and_is_made_once_there_is(tmp_path):
    path = tmp_path / "mlflow.db"
    for size in (0, 200_000, 500_000):
        with (
            no_file_above(size),
            pytest.raises(MachineFault, match=f"^{path} could not be written"),
            database_ready(f"sqlite:///{path}", tmp_path),
        ):
            pass
        assert {name.name for name in tmp_path.iterdir()} <= {"mlflow.db.lock"}
    with database_ready(f"sqlite:///{path}", tmp_path):
        assert [one.name for one in mlflow.MlflowClient(f"sqlite:///{path}").search_experiments()] == ["Default"]


def test_an_empty_file_is_taken_for_no_database(tmp_path):
    path = tmp_path / "mlflow.db"
    path.touch()
    with database_ready(f"sqlite:///{path}", tmp_path):
        assert mlflow.MlflowClient(f"sqlite:///{path}").search_experiments()


def test_a_server_that_does_not_answer_is_named_without_its_password():
    error = MlflowException("API request to http://h/api failed with exception\n Max retries exceeded")
    fault = str(server_fault(error, "http://me:secret@h:5000"))
    assert fault.startswith("MLflow at http://h:5000 does not answer, and has no record of how this run ended; what was made is")
    assert "run the same command again" in fault
    assert "secret" not in fault
    assert "did not take the record of this run (too long)" in str(server_fault(MlflowException("too long"), "http://h"))
    assert server_fault(ValueError("a"), "http://h") is None


def test_a_database_is_named_with_its_whole_address():
    assert str(server_fault(MlflowException("x"), "sqlite:////tmp/a#b/mlflow.db")).startswith(
        "MLflow at sqlite:////tmp/a#b/mlflow.db did"
    )


@pytest.fixture(params=["nobody listens", "nothing is answered"])
def silent_server(request, monkeypatch):
    """The address of a server that says nothing."""
    monkeypatch.setattr(tracking_server, "_SHORT_WAIT_S", 1)
    for name in ("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "MLFLOW_HTTP_REQUEST_TIMEOUT"):
        monkeypatch.setenv(name, "4")  # so that what the command sets is taken back
        monkeypatch.delenv(name)
    with socket.socket() as server:
        if request.param == "nothing is answered":
            server.bind(("127.0.0.1", 0))
            server.listen()
            yield f"http://127.0.0.1:{server.getsockname()[1]}"
        else:
            yield f"http://127.0.0.1:{free_port()}"


@pytest.mark.parametrize("command", ["ask a.mp4 Who?", "describe a.mp4", "chat a.mp4", "rollback", "rollback --list"])
def test_whoever_asks_does_not_wait_for_a_server_that_is_not_there(silent_server, command):
    began = time.monotonic()
    done = CliRunner().invoke(main, command.split(), env={"MLFLOW_TRACKING_URI": silent_server})
    sentence = f"Error: MLflow at {silent_server} does not answer. Start that server, or name another one by MLFLOW_TRACKING_URI."
    assert (done.exit_code, done.output.strip()) == (1, sentence)
    assert time.monotonic() - began < 20
