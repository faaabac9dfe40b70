import subprocess
import sys
import time
from pathlib import Path

import pytest

from hawk_pipelines.engine.processes import Failure, Limits, spread
from tests.engine.steps import own_memory

MAIN = """
import sys, time
import torch  # what a main program may have imported; its workers must not
from hawk_pipelines.engine.processes import Limits, spread
from tests.engine.steps import {function} as function
if __name__ == "__main__":
    print([result for _, result in spread(function, [{argument!r}], Limits(1), "")])
"""


def _program(tmp_path, function, argument):
    script = tmp_path / "main.py"
    script.write_text(MAIN.format(function=function, argument=argument))
    root = str(Path(__file__).parents[2])
    return subprocess.Popen([sys.executable, str(script)], env={"PYTHONPATH": root}, stdout=subprocess.PIPE, text=True)


def test_positions_are_those_of_the_arguments():
    assert dict(spread(abs, [-3, -4, -5], Limits(2), "")) == {0: 3, 1: 4, 2: 5}


def test_an_argument_that_cannot_be_sent_is_a_failure():
    ((_, result),) = spread(own_memory, [lambda: None], Limits(1), "")
    assert isinstance(result, Failure)
    assert not result.refused


def test_workers_do_not_import_the_main_script(tmp_path):
    told, _ = _program(tmp_path, "own_memory", 0).communicate(timeout=60)
    assert int(told.strip(" []\n")) < 120


SLOW_START = """
import os, sys, time
if "--multiprocessing-fork" in sys.orig_argv:
    open(f"{folder}/{{os.getpid()}}", "w").close()
    time.sleep(0.2)
    if os.getpid() != min(map(int, os.listdir("{folder}"))):
        time.sleep(0.4)
"""
QUICK = """
import pebble
from hawk_pipelines.engine.processes import Limits, spread
from tests.engine.steps import deaf
if __name__ == "__main__":
    pebble.CONSTS.term_timeout = 1
    calls = spread(deaf, [1, 2, 3], Limits(4), "")
    {listening}
"""


@pytest.mark.parametrize("listening", ["print(sorted(calls))", "print([next(calls)]); calls.close()"], ids=["to the end", "once"])
def test_workers_that_are_still_starting_when_all_is_done_end_in_silence(tmp_path, listening):
    """The first worker has done everything before the others have begun, and while it takes its time to end, they begin."""
    (tmp_path / "begun").mkdir()
    (tmp_path / "sitecustomize.py").write_text(SLOW_START.format(folder=tmp_path / "begun"))
    (tmp_path / "main.py").write_text(QUICK.format(listening=listening))
    path = f"{tmp_path}:{Path(__file__).parents[2]}"
    program = [sys.executable, str(tmp_path / "main.py")]
    done = subprocess.run(program, env={"PYTHONPATH": path}, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("[(")
    assert "Traceback" not in done.stderr


def test_workers_end_with_their_main_process(tmp_path):
    main = _program(tmp_path, "misbehave", "hang")
    deadline = time.monotonic() + 30
    while not (workers := _children(main.pid)) and time.monotonic() < deadline:
        time.sleep(0.1)
    time.sleep(1)  # until the function runs
    main.kill()
    main.wait()
    while any(_runs(worker) for worker in workers) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert workers
    assert not any(_runs(worker) for worker in workers)


def _children(process):
    listing = subprocess.run(["ps", "-o", "pid=", "--ppid", str(process)], capture_output=True, text=True, check=False)
    return [int(line) for line in listing.stdout.split()]


def _runs(process):
    state = Path(f"/proc/{process}/stat")
    return state.is_file() and state.read_text().rpartition(")")[2].split()[0] != "Z"
