import json
import os
import socket
import threading
import time
from pathlib import Path

import pytest
import requests
from mlflow import MlflowClient

from hawk_pipelines.training import journal as module
from hawk_pipelines.training.journal import Delivery, Journal, deliver, delivered, read_journal, write_loss_curve
from tests.training.made import EXPERIMENT, elsewhere, losses, tracked


@pytest.fixture
def run(database):
    client = MlflowClient(database)
    return client, client.create_run(client.get_experiment_by_name(EXPERIMENT).experiment_id).info.run_id


def _written(path, steps):
    book = Journal(path)
    for step in steps:
        book.numbers("training", step, {"loss": 1 / step, "rate": float(step)})
    book.close()


def test_the_loss_curve_ends_with_the_last_step_and_has_no_more_rows_than_asked_for(tmp_path):
    _written(tmp_path / "journal.jsonl", range(1, 11))
    book = Journal(tmp_path / "journal.jsonl")
    book.numbers("validation", 10, {"validation_loss": 8.0})
    book.close()
    write_loss_curve(tmp_path / "journal.jsonl", tmp_path / "losses.json", most=4)
    assert json.loads((tmp_path / "losses.json").read_text()) == [{"step": step, "loss": 1 / step} for step in (1, 4, 7, 10)]
    write_loss_curve(tmp_path / "none.jsonl", tmp_path / "losses.json")
    assert json.loads((tmp_path / "losses.json").read_text()) == []


# --- the file ------------------------------------------------------------------------------------------------------------


def test_a_step_is_written_once_per_kind_whatever_comes_again(tmp_path):
    path = tmp_path / "journal.jsonl"
    _written(path, [1, 2, 3])
    book = Journal(path)
    assert book.last == {"training": 3}
    for step in (2, 3, 4):
        book.numbers("training", step, {"loss": 7.0})
        book.numbers("validation", step, {"validation_loss": 8.0})
        book.table("samples", step, {"answer": ["yes"]})
    book.close()
    lines = list(read_journal(path))
    assert [line["step"] for line in lines if line["kind"] == "training"] == [1, 2, 3, 4]
    assert [line["values"]["loss"] for line in lines if line["kind"] == "training"] == [1, 1 / 2, 1 / 3, 7.0]
    assert [line["step"] for line in lines if line["kind"] == "validation"] == [2, 3, 4]
    assert [line["table"] for line in lines if line["kind"] == "samples"] == [{"answer": ["yes"]}] * 3


@pytest.mark.parametrize("cut", [1, 30, 70])
def test_half_a_line_at_the_end_is_written_again(tmp_path, cut):
    path = tmp_path / "journal.jsonl"
    _written(path, [1, 2, 3])
    path.write_bytes(path.read_bytes()[:-cut])
    assert [line["step"] for line in read_journal(path)] == [1, 2]
    _written(path, [2, 3, 4])
    assert [line["step"] for line in read_journal(path)] == [1, 2, 3, 4]


def test_a_damaged_line_is_passed_over(tmp_path, run):
    """As after a power failure: what is whole around it is read and delivered."""
    client, run_id = run
    path = tmp_path / "journal.jsonl"
    _written(path, [1, 2, 3, 4])
    lines = path.read_bytes().splitlines(keepends=True)
    lines[1] = bytes(len(lines[1]) - 1) + b"\n"
    lines[2] = b"[]\n"
    path.write_bytes(b"".join(lines))
    assert [line["step"] for line in read_journal(path)] == [1, 4]
    assert Journal(path).last == {"training": 4}
    deliver(client, run_id, path)
    assert [one.step for one in client.get_metric_history(run_id, "loss")] == [1, 4]
    assert delivered(path, run_id) == path.stat().st_size


# --- to MLflow -----------------------------------------------------------------------------------------------------------


def test_what_is_sent_twice_counts_once(tmp_path, run):
    """More than fits in one request, and tables between; what says how much was delivered is lost."""
    client, run_id = run
    path = tmp_path / "journal.jsonl"
    book = Journal(path)
    for step in range(1, 501):
        book.numbers("training", step, {"loss": 1 / step, "rate": float(step), "norm": 1.0})
        if step % 250 == 0:
            book.table("samples", step, {"item": ["a", "b"], "answer": [f"at {step}", "Ünïcödé 雨"]})
    book.close()
    for _ in range(2):
        deliver(client, run_id, path)
        assert delivered(path, run_id) == path.stat().st_size
        assert delivered(path, "another") == 0
        path.with_suffix(".delivered").unlink()
    for name in ("loss", "rate", "norm"):
        assert [one.step for one in client.get_metric_history(run_id, name)] == list(range(1, 501))
    assert [file.path for file in client.list_artifacts(run_id, "samples")] == ["samples/000250.json", "samples/000500.json"]
    table = json.loads(Path(client.download_artifacts(run_id, "samples/000500.json", str(tmp_path))).read_text(encoding="utf-8"))
    assert table == {"columns": ["item", "answer"], "data": [["a", "at 500"], ["b", "Ünïcödé 雨"]]}


def test_only_what_is_new_is_sent_and_half_a_line_waits(tmp_path, run):
    client, run_id = run
    path = tmp_path / "journal.jsonl"
    _written(path, [1, 2, 3])
    whole = path.read_bytes()
    path.write_bytes(whole[:-5])
    deliver(client, run_id, path)
    assert [one.step for one in client.get_metric_history(run_id, "loss")] == [1, 2]
    path.write_bytes(whole)
    sent = []
    client.log_batch = lambda *arguments, **told: sent.extend(told["metrics"])
    deliver(client, run_id, path)
    assert {metric.step for metric in sent} == {3}


def test_everything_is_there_when_the_delivery_is_closed(tmp_path, run):
    client, run_id = run
    path = tmp_path / "journal.jsonl"
    book = Journal(path)
    delivery = Delivery(client, run_id, path, every_s=60)
    for step in range(1, 21):
        book.numbers("training", step, {"loss": float(step)})
    book.close()
    delivery.close()
    assert [one.value for one in client.get_metric_history(run_id, "loss")] == list(range(1, 21))


# --- a tracking server that dies -----------------------------------------------------------------------------------------


def _serve(database, port):
    """The server that `mlflow server` runs, in this process."""
    os.environ |= {"_MLFLOW_SERVER_FILE_STORE": database, "_MLFLOW_SERVER_SERVE_ARTIFACTS": "false"}
    import uvicorn

    uvicorn.run("mlflow.server.fastapi_app:app", host="127.0.0.1", port=port, log_level="critical")


class Server:
    """An MLflow server that can be killed and started again."""

    def __init__(self, database):
        with socket.socket() as asked:
            asked.bind(("127.0.0.1", 0))
            self.port = asked.getsockname()[1]
        self.database, self.uri = database, f"http://127.0.0.1:{self.port}"
        self.start()

    def start(self):
        self.process = elsewhere(_serve, self.database, self.port)
        until = time.monotonic() + 60
        while time.monotonic() < until:
            try:
                assert requests.get(f"{self.uri}/health", timeout=10).ok
                return
            except requests.ConnectionError:
                time.sleep(0.05)
        pytest.fail("the MLflow server does not start")

    def kill(self):
        self.process.kill()
        self.process.join()

    def kill_at(self, book, step, again):
        """Once a training has come so far; and start it again."""

        def wait():
            while not book(step):
                time.sleep(0.005)
            self.kill()
            if again:
                self.start()

        threading.Thread(target=wait, daemon=True).start()


@pytest.fixture
def server(database, monkeypatch):
    """A server over the database, and a client that does not wait for minutes; its waiting is not tested here."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setattr(module, "PAUSES_S", (0.2,))
    server = Server(database)
    yield server
    server.kill()


def _reached(made, trainings):
    def reached(step):
        paths = list((made.folder / trainings).glob("*/journal.jsonl"))
        return bool(paths) and len(paths[0].read_text(encoding="utf-8").splitlines()) >= step

    return reached


def test_a_training_outlives_its_tracking_server_and_nothing_is_lost(made, database, server, monkeypatch, caplog):
    """Killed in the middle of a training that never sees it again, and of another one, to which it comes back."""
    client = MlflowClient(database)
    with monkeypatch.context() as patched:
        patched.setattr(module, "GIVE_UP_S", 0.5)
        server.kill_at(_reached(made, "trainings"), 5, again=False)
        model = made.train(made.job(steps=20), server.uri)
    assert (model / "model.safetensors").is_file()
    assert "MLflow does not answer" in caplog.text
    assert "MLflow did not take all measurements" in caplog.text
    assert len(losses(model.parent)) == 20
    first = tracked(model.parent)
    assert len(client.get_metric_history(first, "loss")) < 20
    server.start()
    server.kill_at(lambda step: len(_steps(made)) > 1 and _steps(made)[-1] >= step, 5, again=True)
    second = made.train(made.job(steps=20, seed=2), server.uri)
    for run_id, folder in ((first, model.parent), (tracked(second.parent), second.parent)):
        history = client.get_metric_history(run_id, "loss")
        assert [one.step for one in history] == list(range(1, 21))
        assert [one.value for one in history] == losses(folder)
        assert client.get_run(run_id).info.status == "FINISHED"


def _steps(made):
    folders = sorted((made.folder / "trainings").glob("*/journal.jsonl"), key=lambda path: path.stat().st_ctime)
    return [len(path.read_text(encoding="utf-8").splitlines()) for path in folders]
