"""The record of a finished step: a key of what it was made from, and what it made. While both stay, it has nothing to do.

A step that works item by item knows its finished items (`run`); this is for steps whose result is a whole: a table, a report.
Files are known by their content, never by place or time, so that a record is right in a copy of the project, too.
"""

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping
from functools import lru_cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from hawk_pipelines.engine.whole_files import whole_file


class FinishedStep(BaseModel):
    """What is kept of a step that has ended."""

    model_config = ConfigDict(extra="forbid")

    step: str
    key: str
    """Of what it was made from (`step_key`)."""
    outputs: dict[str, str]
    """The hash of what it made, by name."""
    run_id: str | None = None
    """The MLflow run in which it was made."""


def step_key(step: str, version: int, settings: object, inputs: Mapping[str, str]) -> str:
    """What a step's result is called: a hash of the step, its version, its settings and its inputs.

    Args:
        step: its name.
        version: raised whenever the same settings and inputs give another result.
        settings: what of the settings decides the result, as JSON.
        inputs: the hash of each, by name.
    """
    everything = [step, version, settings, dict(inputs)]
    return hashlib.sha256(json.dumps(everything, sort_keys=True).encode()).hexdigest()[:32]


def rows_sha256(rows: Iterable[BaseModel]) -> str:
    """The hash of a table: of its rows in their order, not of the file that they were read from."""
    found = hashlib.sha256()
    for row in rows:
        found.update(row.model_dump_json().encode() + b"\n")
    return found.hexdigest()


def json_sha256(value: object) -> str:
    """The hash of what fits in JSON."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def path_sha256(path: Path, without: Collection[str] = ()) -> str | None:
    """The hash of a file, or of all files of a folder with their names; None where there is neither.

    Args:
        path: of the file or the folder.
        without: names of files in the folder that do not count.
    """
    if path.is_file():
        return _file_sha256(path, *_state(path))
    if not path.is_dir():
        return None
    files = [file for file in sorted(path.rglob("*")) if file.is_file() and file.name not in without]
    return json_sha256([[file.relative_to(path).as_posix(), _file_sha256(file, *_state(file))] for file in files])


def read_finished(folder: Path, step: str) -> FinishedStep | None:
    """The record of a step; None where there is none that can be read."""
    try:
        return FinishedStep.model_validate_json((folder / f"{step}.json").read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, ValidationError):
        return None


def write_finished(folder: Path, record: FinishedStep) -> None:
    """Keep a record, whole or not at all."""
    with whole_file(folder / f"{record.step}.json") as unfinished:
        unfinished.write_text(record.model_dump_json(indent=1) + "\n", encoding="utf-8")


def _state(path: Path) -> tuple[int, int, int]:
    found = path.stat()
    return found.st_size, found.st_mtime_ns, found.st_ino


@lru_cache(maxsize=4096)
def _file_sha256(path: Path, size: int, changed_ns: int, inode: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
