"""Two runs do not write one data folder at once; the lock goes with the process that has it."""

import contextlib
import logging
import os
import signal
import subprocess
import sys
import time

import pytest

from hawk_pipelines.engine.sole_writer import LOCK, WrittenByAnother, sole_writer

HOLD = """
import sys, time
from pathlib import Path
from hawk_pipelines.engine.sole_writer import sole_writer
with sole_writer(Path(sys.argv[1])):
    if len(sys.argv) > 2:
        import os
        if not os.fork():
            time.sleep(60)
    print("held", flush=True)
    time.sleep(float(sys.stdin.readline()))
"""


@pytest.fixture
def holder(tmp_path):
    """A process that writes a folder until it is told for how long."""
    begun = []

    def start(*options):
        process = subprocess.Popen(
            [sys.executable, "-c", HOLD, tmp_path, *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        begun.append(process)
        assert process.stdout.readline() == "held\n"
        return process

    yield start
    for process in begun:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def test_who_comes_second_waits_says_for_whom_and_goes_on(tmp_path, holder, caplog):
    process = holder()
    process.stdin.write("1\n")
    process.stdin.flush()
    with caplog.at_level(logging.WARNING), sole_writer(tmp_path, wait_s=60):
        assert process.wait(10) == 0
    (line,) = caplog.messages
    assert f"Another run (process {process.pid} on " in line
    assert f"is writing {tmp_path}; it is waited for for up to 60 s" in line


def test_who_has_waited_long_enough_is_told_what_to_do(tmp_path, holder):
    process = holder()
    began = time.monotonic()
    with pytest.raises(WrittenByAnother) as told, sole_writer(tmp_path, wait_s=0.5):
        pass
    assert 0.5 <= time.monotonic() - began < 5
    assert str(told.value).startswith(f"Another run (process {process.pid} on ")
    assert str(told.value).endswith("end it, wait for it, or use another `data_root` (conf/NAME/globals.yml and `--env NAME`).")


@pytest.mark.parametrize("options", [(), ("with a child",)])
def test_a_run_that_was_killed_keeps_nobody_waiting(tmp_path, holder, options):
    process = holder(*options)
    process.kill()
    process.wait()
    with sole_writer(tmp_path, wait_s=2):
        assert (tmp_path / LOCK).read_text().startswith(f"process {os.getpid()} on ")
