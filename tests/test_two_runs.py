"""Two runs of one project at once: the second waits for the first and says so; who only reads does not wait."""

import contextlib
import os
import subprocess
import time

from hawk_pipelines.engine.sole_writer import sole_writer
from tests.conftest import BIN


def test_a_second_run_waits_for_the_first_and_commands_that_read_do_not(project):
    environment = os.environ | {"PYTHONPATH": str(project.folder / "src"), "KEDRO_DATASET_VALIDATION": "0", "COLUMNS": "200"}
    log = project.folder / "second.log"
    with contextlib.ExitStack() as first, log.open("w") as file:
        first.enter_context(sole_writer(project.folder / "data"))
        second = subprocess.Popen(
            [BIN / "kedro", "run", "--pipelines=ingest"],
            cwd=project.folder,
            env=environment,
            stdout=file,
            stderr=subprocess.STDOUT,
        )
        until = time.monotonic() + 120
        while "is waited for" not in log.read_text() and second.poll() is None and time.monotonic() < until:
            time.sleep(0.1)
        words = " ".join(log.read_text().split())
        assert f"Another run (process {os.getpid()} on " in words
        assert project.run("hawk", "store", "ls").returncode == 0
        assert not (project.folder / "data" / "02_intermediate").exists()
        first.close()
        assert second.wait(120) == 0
    assert project.records("02_intermediate/videos.parquet", "Video")
