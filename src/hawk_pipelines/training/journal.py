"""What a training measures, step by step, in a file; from there a thread brings it to MLflow, whenever MLflow can be reached.

The file is the truth: a step that stands in it is never written again, so a training that goes on after it was stopped leaves
neither gaps nor repeats. A line carries its time, and MLflow keeps a value of the same key, step and time once, so what is sent
twice counts once.
"""

import json
import logging
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Metric
from mlflow.exceptions import MlflowException

logger = logging.getLogger(__name__)

AT_ONCE = 900
"""Values in a request; MLflow takes 1,000."""
PAUSES_S = (2, 5, 15, 60)
"""Between attempts to reach a server that does not answer."""
GIVE_UP_S = 30
"""So long the end of a training waits for a server that does not answer."""

Line = dict[str, Any]


class Journal:
    """A file of measurements, one JSON object a line: kind, step, time, and numbers or a table."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        whole = sum(len(line) for line in _whole_lines(path, 0))
        with path.open("r+b") as file:
            file.truncate(whole)  # a line that was being written when the training was stopped
        self.last: dict[str, int] = {}
        for line in read_journal(path):
            self.last[line["kind"]] = max(line["step"], self.last.get(line["kind"], 0))
        self._file = path.open("a", encoding="utf-8")

    def numbers(self, kind: str, step: int, values: Mapping[str, float]) -> None:
        """Write numbers down, unless this step has its numbers of this kind."""
        self._write(kind, step, {"values": dict(values)})

    def table(self, kind: str, step: int, columns: Mapping[str, Sequence[str]]) -> None:
        """Write a table down, unless this step has its table of this kind."""
        self._write(kind, step, {"table": {name: list(column) for name, column in columns.items()}})

    def _write(self, kind: str, step: int, content: Line) -> None:
        if step <= self.last.get(kind, 0):
            return
        line = {"kind": kind, "step": step, "time_ms": int(time.time() * 1000), **content}
        self._file.write(json.dumps(line) + "\n")
        self._file.flush()
        self.last[kind] = step

    def to_disk(self) -> None:
        """Wait until everything is on the disk."""
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file."""
        with suppress(OSError):  # the disk is full, and that was said
            self._file.close()


def read_journal(path: Path) -> Iterator[Line]:
    """The lines of a journal."""
    for line in _whole_lines(path, 0):
        if (told := _read(line)) is not None:
            yield told


def write_loss_curve(journal: Path, curve: Path, most: int = 1000) -> None:
    """Write the loss along a training as a JSON list of `step` and `loss`.

    Args:
        journal: of the training.
        curve: the file that is written.
        most: rows, evenly chosen; the last step is always there.
    """
    rows = [
        {"step": line["step"], "loss": line["values"]["loss"]} for line in read_journal(journal) if line["kind"] == "training"
    ]
    every = -(-len(rows) // most) or 1
    curve.write_text(json.dumps(rows[::-1][::every][::-1]), encoding="utf-8")


def _read(line: bytes) -> Line | None:
    """A line; None where it is damaged, as after a power failure."""
    try:
        told = json.loads(line)
        return told if isinstance(told, dict) and told.keys() >= {"kind", "step", "time_ms"} else None
    except ValueError:
        return None


def _whole_lines(path: Path, start: int) -> Iterator[bytes]:
    if not path.is_file():
        return
    with path.open("rb") as file:
        file.seek(start)
        for line in file:
            if not line.endswith(b"\n"):
                return
            yield line


class Delivery:
    """Brings a journal to an MLflow run, in a thread of its own."""

    def __init__(self, client: MlflowClient, run_id: str, journal: Path, every_s: float = 2.0) -> None:
        self._client, self._run_id, self._journal, self._every_s = client, run_id, journal, every_s
        self._closing = Event()
        self._thread = Thread(target=self._deliver, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Deliver what is left. A server that does not answer is waited for no longer than `GIVE_UP_S`; nothing is lost by it."""
        self._closing.set()
        self._thread.join(GIVE_UP_S)
        left = self._journal.stat().st_size - delivered(self._journal, self._run_id)
        if left:
            where = f"{self._journal} keeps them, and the next training of this stage brings them there"
            logger.warning("MLflow did not take all measurements of run %s (%d bytes are left); %s.", self._run_id, left, where)

    def _deliver(self) -> None:
        failures = 0
        while True:
            closing = self._closing.is_set()  # before reading: what is written until now is delivered
            try:
                deliver(self._client, self._run_id, self._journal)
            except (MlflowException, OSError) as error:
                if not failures:
                    reason = " ".join(str(error).split())[:200]
                    logger.warning(
                        "MLflow does not answer (%s); the training goes on and will deliver its measurements later.", reason
                    )
                failures += 1
                self._closing.wait(PAUSES_S[min(failures, len(PAUSES_S)) - 1])
                if self._closing.is_set():
                    time.sleep(1)  # the wait was cut short
                continue
            if failures:
                logger.info("MLflow answers again; the measurements are delivered.")
                failures = 0
            if closing:
                return
            self._closing.wait(self._every_s)


def deliver(client: MlflowClient, run_id: str, journal: Path) -> None:
    """Bring what is not there yet to MLflow.

    Raises:
        MlflowException: it does not answer, or does not know the run.
    """
    position = delivered(journal, run_id)
    batch: list[Metric] = []
    for line in _whole_lines(journal, position):
        told = _read(line)
        if told is None:
            position += len(line)
            continue
        if "table" in told:
            _send(client, run_id, batch, journal, position)
            batch = []
            _send_table(client, run_id, told)
        else:
            new = [Metric(name, value, told["time_ms"], told["step"]) for name, value in told["values"].items()]
            if len(batch) + len(new) > AT_ONCE:
                _send(client, run_id, batch, journal, position)
                batch = []
            batch += new
        position += len(line)
    _send(client, run_id, batch, journal, position)


def delivered(journal: Path, run_id: str) -> int:
    """How many bytes of a journal are in an MLflow run."""
    mark = journal.with_suffix(".delivered")
    try:
        told = json.loads(mark.read_text(encoding="utf-8"))
        return int(told["bytes"]) if told["run_id"] == run_id else 0
    except (OSError, ValueError, KeyError, TypeError):
        return 0  # what is sent again counts once


def _send(client: MlflowClient, run_id: str, batch: list[Metric], journal: Path, position: int) -> None:
    if batch:
        client.log_batch(run_id, metrics=batch)
    told = json.dumps({"run_id": run_id, "bytes": position})
    journal.with_suffix(".delivered").write_text(told, encoding="utf-8")


def _send_table(client: MlflowClient, run_id: str, told: Line) -> None:
    """One file a step; MLflow would add to one that is there."""
    name = f"{told['kind']}/{told['step']:06d}.json"
    if name not in {found.path for found in client.list_artifacts(run_id, told["kind"])}:
        client.log_table(run_id, told["table"], name)
