"""What is cut short is not left there, and what was there stays."""

import errno
import os
import threading

import pytest

from hawk_pipelines.engine.whole_files import named_file, whole_file, whole_folder
from hawk_pipelines.machine_faults import MachineFault
from tests.file_sizes import no_file_above


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


def _name(path, text="after"):
    with named_file(path) as unfinished:
        unfinished.write_text(text)


@pytest.mark.parametrize("by", ["itself", "a link", "a link to a link"])
def test_a_named_pipe_is_written_through(tmp_path, by):
    pipe, link, second = (tmp_path / name for name in ("pipe", "link", "second"))
    os.mkfifo(pipe)
    link.symlink_to("pipe")
    second.symlink_to(link)
    heard = []
    reader = threading.Thread(target=lambda: heard.append(pipe.read_text()), daemon=True)
    reader.start()
    _name({"itself": pipe, "a link": link, "a link to a link": second}[by])
    reader.join(10)
    assert heard == ["after"]
    assert pipe.is_fifo()
    assert _names(tmp_path) == ["link", "pipe", "second"]


@pytest.mark.parametrize("before", ["before", None])
def test_a_link_stays_and_what_it_leads_to_is_new(tmp_path, before):
    (tmp_path / "there").mkdir()
    (tmp_path / "here").mkdir()
    target, link = tmp_path / "there" / "a", tmp_path / "here" / "b"
    link.symlink_to("../there/a")
    if before:
        target.write_text(before)
        with no_file_above(1000), pytest.raises(MachineFault):
            _name(link, "a" * 2000)
        assert target.read_text() == before
    _name(link)
    assert (target.read_text(), str(link.readlink())) == ("after", "../there/a")
    assert _names(tmp_path) == ["a", "b", "here", "there"]


def test_no_folder_is_made_for_a_name_and_links_in_a_circle_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError):
        _name(tmp_path / "none" / "a")
    (tmp_path / "circle").symlink_to("circle")
    with pytest.raises(OSError, match="symbolic links"):
        _name(tmp_path / "circle")
    with pytest.raises(IsADirectoryError):
        _name(tmp_path)
    assert _names(tmp_path) == ["circle"]
