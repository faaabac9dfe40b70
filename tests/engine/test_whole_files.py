"""What is cut short is not left there, and what was there stays."""

import errno
import resource
from contextlib import contextmanager

import pytest

from hawk_pipelines.engine.whole_files import whole_file, whole_folder
from hawk_pipelines.machine_faults import MachineFault


@contextmanager
def no_file_above(size):
    """The system itself refuses larger files, as a full disk does."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def _names(folder):
    return sorted(path.name for path in folder.rglob("*"))


def _write(path):
    with whole_file(path) as unfinished:
        unfinished.write_text("a" * 2000)


def _fill(folder):
    with whole_folder(folder) as new:
        (new / "b").write_text("b")
        (new / "a").write_text("a" * 2000)


def test_a_file_that_has_no_room_leaves_the_one_before_and_nothing_beside_it(tmp_path):
    path = tmp_path / "table.json"
    path.write_text("before")
    with no_file_above(1000), pytest.raises(MachineFault, match=f"^{path} could not be written"):
        _write(path)
    assert path.read_text() == "before"
    assert _names(tmp_path) == ["table.json"]
    _write(path)
    assert path.read_text() == "a" * 2000
    assert _names(tmp_path) == ["table.json"]


def test_a_folder_that_has_no_room_leaves_the_one_before_and_nothing_beside_it(tmp_path):
    folder = tmp_path / "above" / "docs"
    with whole_folder(folder) as new:
        (new / "a").write_text("before")
    with no_file_above(1000), pytest.raises(MachineFault, match=f"^{folder} could not be written"):
        _fill(folder)
    assert (folder / "a").read_text() == "before"
    assert _names(tmp_path) == ["a", "above", "docs"]
    with whole_folder(folder) as new:
        (new / "c").write_text("after")
    assert _names(tmp_path) == ["above", "c", "docs"]


def test_a_folder_of_a_run_that_was_killed_between_the_last_two_steps_is_put_back(tmp_path):
    folder, old, part = (tmp_path / name for name in ("docs", ".docs.old", ".docs.part"))
    old.mkdir()
    (old / "a").write_text("before")
    part.mkdir()
    with pytest.raises(OSError, match="else"), whole_folder(folder):
        raise OSError(errno.ENOENT, "something else")
    assert (folder / "a").read_text() == "before"
    assert _names(tmp_path) == ["a", "docs"]


def test_other_errors_come_through_as_they_are(tmp_path):
    with pytest.raises(ValueError, match="mine"), whole_file(tmp_path / "a"):
        raise ValueError("mine")  # noqa: EM101
    assert _names(tmp_path) == []
