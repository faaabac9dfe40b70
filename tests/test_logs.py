"""What is told: how much on the terminal, and in a file that `--log-file` names."""

import logging
import os
import re
import subprocess
import threading

import pytest

from hawk_pipelines import logs
from tests.conftest import BIN, ROOT

own = logging.getLogger("hawk_pipelines.test")


@pytest.fixture(autouse=True)
def as_before():
    levels = {name: logging.getLogger(name).level for name in logs.TALKATIVE}
    yield
    logs.set_up(None, verbose=False, quiet=False)
    logs.name_run(None)
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


@pytest.mark.parametrize(
    ("told", "kept"),
    [
        ("key-of-a-server-1234 is refused", "… is refused"),
        ("postgresql://me:hunter2@host/db is away", "postgresql://…@host/db is away"),
        ("https:/me:hunter2@host/x does not exist", "https:/…@host/x does not exist"),
        ("Authorization: Bearer abc.def", "Authorization: Bearer …"),
        ("me@example.org wrote at 12:30", "me@example.org wrote at 12:30"),
    ],
)
def test_no_key_and_no_password_is_kept(monkeypatch, tmp_path, told, kept):
    monkeypatch.setenv("SOME_API_KEY", "key-of-a-server-1234")
    logs.set_up(tmp_path / "a.log", verbose=False, quiet=False)
    own.warning("%s", told)
    assert (tmp_path / "a.log").read_text().endswith(f" WARNING hawk_pipelines.test: {kept}\n")


def test_a_file_is_added_to_with_the_time_and_the_run_and_is_as_full_where_it_is_quiet(tmp_path):
    file = tmp_path / "a.log"
    for quiet in (False, True):
        logs.set_up(file, verbose=False, quiet=quiet)
        own.info("one\ntwo")
        logs.name_run("0" * 32)
        own.info("named")
        logs.name_run(None)
    lines = file.read_text().splitlines()
    time = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d{4}"
    expected = [rf"{time} INFO hawk_pipelines\.test: one", "    two", rf"{time} run 0{{32}} INFO hawk_pipelines\.test: named"] * 2
    assert all(re.fullmatch(pattern, line) for pattern, line in zip(expected, lines, strict=True))
    assert logs.is_quiet()


def test_what_libraries_say_is_told_only_if_asked_for(tmp_path):
    for verbose, count in ((False, 0), (True, 1)):
        logging.getLogger("kedro").setLevel(logging.WARNING)  # as conf/logging.yml has it
        logs.set_up(tmp_path / "a.log", verbose=verbose, quiet=False)
        logging.getLogger("kedro.io").info("Saving")
        assert (tmp_path / "a.log").read_text().count("INFO kedro.io: Saving") == count


@pytest.mark.parametrize(
    ("place", "why"),
    [
        ("nowhere/a.log", "No such file or directory"),
        (".", "it is no file"),
        ("file/a.log", "Not a directory"),
        ("x" * 300, "too long"),
    ],
)
def test_a_file_that_cannot_be_written_is_refused(tmp_path, place, why):
    (tmp_path / "file").touch()
    with pytest.raises(logs.LogFileError, match=rf"The log file .* cannot be written \(.*{why}\); name another"):
        logs.set_up(tmp_path / place, verbose=False, quiet=False)


def test_a_named_pipe_is_told_too_and_stays_one(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    heard = []
    reader = threading.Thread(target=lambda: heard.append(pipe.read_text()), daemon=True)
    reader.start()
    logs.set_up(pipe, verbose=False, quiet=False)
    own.warning("Something.")
    logs.set_up(None, verbose=False, quiet=False)
    reader.join(10)
    assert heard[0].endswith("WARNING hawk_pipelines.test: Something.\n")
    assert pipe.is_fifo()


def test_the_end_of_a_pipe_that_is_the_own_stderr_is_a_log_file(tmp_path):
    """Its link leads to a name that no file has, so that it is opened by the link."""
    done = subprocess.run(
        [BIN / "hawk", "--log-file", "/dev/stderr", "store", "ls", tmp_path],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "cannot be written" not in done.stderr


def test_a_file_that_can_no_longer_be_written_is_told_of_once(tmp_path, capsys):
    logs.set_up(tmp_path.__class__("/dev/full"), verbose=False, quiet=False)
    for _ in range(3):
        own.info("Something.")
    said = capsys.readouterr().err
    assert said == "Warning: the log file /dev/full is written no further ([Errno 28] No space left on device).\n"


@pytest.mark.parametrize("command", [("plan", "--env", "smoll"), ("annotate", "--estimate", "--env", "smoll"), ("store", "ls")])
def test_hawk_keeps_what_it_tells(tmp_path, command):
    """Also where a command imports Kedro, which sets up logging for itself."""
    done = subprocess.run(
        [BIN / "hawk", "--log-file", tmp_path / "a.log", *command, *([tmp_path] if command[0] == "store" else [])],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    kept = (tmp_path / "a.log").read_text()
    if done.returncode:
        assert " ERROR hawk_pipelines.cli.options: There is no environment conf/smoll; did you mean `smol`?" in kept
    assert "Traceback" not in done.stderr + kept
