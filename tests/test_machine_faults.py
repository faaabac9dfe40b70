"""Errors of many libraries about a full disk and the like, as one sentence."""

import errno
import os
import shutil
import sqlite3
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlalchemy
from mlflow.exceptions import MlflowException
from safetensors.numpy import save_file

from hawk_pipelines.machine_faults import MachineFault, free_space, machine_fault, name_fault, writing
from hawk_pipelines.video.encode import write_h264
from tests.file_sizes import no_file_above


def _error(function, *arguments):
    try:
        function(*arguments)
    except Exception as error:
        return error
    pytest.fail("nothing was wrong")


def _text(folder):
    (folder / "made").write_text("a" * 20_000)


def _table(folder):
    pq.write_table(pa.table({"a": np.random.default_rng(0).random(20_000)}), folder / "made")


def _tensors(folder):
    save_file({"a": np.zeros(20_000)}, folder / "made")


def _tree(folder):
    (folder / "from").mkdir()
    (folder / "from" / "a").write_text("a")
    shutil.copytree(folder / "from", folder / "made", copy_function=lambda _, place: Path(place).write_text("a" * 20_000))


def _video(folder):
    noise = np.random.default_rng(0).integers(0, 255, (16, 96, 96, 3), np.uint8)
    write_h264(noise, 8, folder / "made")


def _database(folder):
    with sqlite3.connect(folder / "made") as connection:
        connection.execute("CREATE TABLE a (b)")
        connection.execute("INSERT INTO a VALUES (zeroblob(99999))")


def _mlflow(folder):
    with sqlalchemy.create_engine(f"sqlite:///{folder}/made").connect() as connection:
        try:
            connection.execute(sqlalchemy.text("CREATE TABLE a (b)"))
            connection.execute(sqlalchemy.text("INSERT INTO a VALUES (zeroblob(99999))"))
            connection.commit()
        except sqlalchemy.exc.OperationalError as error:
            raise MlflowException(error) from error


@pytest.mark.parametrize("writes", [_text, _table, _tensors, _tree, _video, _database, _mlflow])
def test_what_has_no_room_is_one_sentence_whoever_writes_it(tmp_path, writes):
    with no_file_above(10_000):
        error = _error(writes, tmp_path)
    fault = str(machine_fault(error, place=tmp_path / "made", database=tmp_path / "made"))
    assert fault.startswith(f"{tmp_path}/made")
    assert " could not be written: " in fault
    assert fault.endswith(", and run the same command again; what was finished is kept.")


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "the disk has no room for it ("),
        (errno.EDQUOT, "the quota on that disk is used up ("),
        (errno.EROFS, "its file system is read-only. Make it writable, or name another folder"),
        (errno.EACCES, "this user lacks the permission"),
        (errno.EMFILE, "too many files open (`ulimit -n`)"),
        (errno.EFBIG, "files may not be as large here (`ulimit -f`)"),
    ],
)
def test_other_faults_of_the_machine_say_what_to_do(tmp_path, number, words):
    error = OSError(number, os.strerror(number), str(tmp_path / "a.parquet"))
    assert f"{tmp_path}/a.parquet could not be written: " in str(machine_fault(error))
    assert words in str(machine_fault(error))


@pytest.mark.parametrize(
    "words",
    [
        "Error while serializing: I/O error: No space left on device (os error 28)",
        "[('a', 'b', '[Errno 28] No space left on device')]",
        "[Errno 28] Error writing bytes to file. Detail: [errno 28] No space left on device",
    ],
)
def test_where_only_words_tell_of_it_they_are_understood(tmp_path, words):
    assert str(machine_fault(RuntimeError(words), tmp_path)).startswith(f"{tmp_path} could not be written: the disk has no room")


@pytest.mark.parametrize("error", [ValueError("28"), FileNotFoundError(errno.ENOENT, "no such file", "a"), KeyError("a")])
def test_what_is_no_fault_of_the_machine_stays_what_it_is(error, tmp_path):
    assert machine_fault(error) is None
    with pytest.raises(type(error)), writing(tmp_path):
        raise error


def test_a_held_database_is_named(tmp_path):
    database = tmp_path / "mlflow.db"
    with sqlite3.connect(database) as holder:
        holder.execute("CREATE TABLE a (b)")
        holder.commit()
        holder.execute("BEGIN EXCLUSIVE")
        with sqlite3.connect(database, timeout=0) as other:
            error = _error(lambda: other.execute("INSERT INTO a VALUES (1)"))
    assert str(machine_fault(error, database=database)).startswith(f"{database} is held by another process")


def test_a_part_of_a_file_is_called_by_the_files_name(tmp_path):
    path = tmp_path / "videos.parquet"
    with pytest.raises(MachineFault, match=f"^{path} could not be written"), writing(path):
        raise OSError(errno.ENOSPC, "No space left on device", f"{path}.part")


def test_free_space_is_told_of_a_folder_that_is_not_there_yet(tmp_path):
    assert free_space(tmp_path / "a" / "b").endswith(" MB are free there")


def test_a_path_that_no_file_can_have_is_no_fault_of_the_machine(tmp_path):
    (tmp_path / "circle").symlink_to("circle")
    (tmp_path / "file").touch()
    for path, reason in (
        (tmp_path / ("x" * 300), "a name in it, or all of it, is longer than the system allows (255 and 4,095 bytes)"),
        (tmp_path / "circle", "its links lead in a circle"),
        (tmp_path / "file" / "a", "a file stands where it names a folder"),
    ):
        error = _error(path.read_text)
        assert machine_fault(error) is None
        assert str(name_fault(error)).endswith(f" can be no file or folder: {reason}. Name another one.")
        assert len(str(name_fault(error))) < 300
    assert name_fault(FileNotFoundError(errno.ENOENT, "no")) is None
