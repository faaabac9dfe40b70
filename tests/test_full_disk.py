"""Whole runs on disks of a few megabytes and in folders that may only be read, each in mounts of its own that end with it."""

import os
import re
import sqlite3
import subprocess

import pytest

from tests.conftest import BIN

LEFT = r"find . \( -name '*.part' -o -name '.new-*' -o -name unfinished -o -name '*.old' \) -not -path './.venv/*'"
READ_ONLY = "its file system is read-only. Make it writable, or name another folder, and run the same command again"


@pytest.fixture(scope="module", autouse=True)
def _own_mounts(tmp_path_factory):
    script = "mount -t tmpfs tmpfs . && mount --bind . . && mount -o remount,bind,ro ."
    tried = _unshared(script, tmp_path_factory.mktemp("mounted"))
    if tried.returncode:
        pytest.skip(f"this user may not mount anything, not even for its own processes: {tried.stdout.strip()}")


def _unshared(script, folder, **environment):
    command = ["unshare", "--map-root-user", "--mount", "bash", "-c", script]
    merged = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    return subprocess.run(command, cwd=folder, env=os.environ | environment, check=False, **merged)


def _logs(project, script, suites=False):
    """What each `run NAME OPTION …` of a script said, by name, with its exit status and what it left half-written."""
    kedro = f"status=0; {BIN}/kedro run $@ > logs/$name 2>&1 || status=$?; echo $status > logs/$name.status"
    functions = f"run() {{ name=$1; shift; {kedro}; {LEFT} > logs/$name.left; }}"
    (project.folder / "logs").mkdir()
    environment = {"PYTHONPATH": f"{project.folder}/src", "COLUMNS": "200", "NO_COLOR": "1"}
    environment["KEDRO_DATASET_VALIDATION"] = "1" if suites else "0"
    done = _unshared(f"set -e\n{functions}\n{script}", project.folder, **environment)
    assert done.returncode == 0, done.stdout
    names = [path.stem for path in sorted((project.folder / "logs").glob("*.status"), key=lambda path: path.stat().st_mtime_ns)]
    said = {}
    for name in names:
        text, status, left = ((project.folder / "logs" / f"{name}{end}").read_text() for end in ("", ".status", ".left"))
        assert "Traceback" not in text, text[-5000:]
        assert left == ""
        said[name] = (int(status), text)
    return said


def _sentence(said):
    status, text = said
    assert status == 1, text[-3000:]
    (sentence,) = re.findall("^Error: .*$", text, re.MULTILINE)
    return sentence


def _runs(project):
    with sqlite3.connect(project.folder / "mlflow.db") as connection:
        return connection.execute("SELECT name, status FROM runs ORDER BY start_time").fetchall()


@pytest.mark.slow
def test_a_full_disk_and_a_read_only_folder_are_a_sentence_and_then_the_same_command_works(empty_project):
    script = """
    mount -t tmpfs -o size=256k tmpfs data
    mkdir data/02_intermediate
    run full --pipelines=ingest
    mount -o remount,size=60m data
    mount --bind data/02_intermediate data/02_intermediate
    mount -o remount,bind,ro data/02_intermediate
    run read_only --pipelines=ingest
    umount data/02_intermediate
    run again --pipelines=ingest
    """
    said = _logs(empty_project, script)
    full, read_only = _sentence(said["full"]), _sentence(said["read_only"])
    assert re.search(
        r"motion_\w+/\w+\.mp4 could not be written: the disk has no room for it \([\d.]+ MB are free there\)\.", full
    )
    assert "Make room there, and run the same command again; what was finished is kept." in full
    assert READ_ONLY in read_only
    assert "data/02_intermediate/" in read_only
    assert said["again"][0] == 0
    assert re.search("render: 0 done, 12 reused", said["again"][1])
    assert [status for _, status in _runs(empty_project)] == ["FAILED", "FAILED", "FINISHED"]


SIZES = ("64k", "256k", "800k", "2500k", "5m", "7m", "9m", "12m", "16m", "20m", "24m", "26m")


@pytest.mark.nightly
def test_at_twelve_sizes_each_run_takes_up_what_the_one_before_it_finished(empty_project, small_run):
    grown = "\n".join(f"mount -o remount,size={size} data\nrun {size}" for size in (*SIZES, "60m"))
    said = _logs(
        empty_project,
        f"mount -t tmpfs -o size=64k tmpfs data\n{grown}\ncp data/08_reporting/metrics.json logs/metrics",
        suites=True,
    )
    for size in SIZES:
        sentence = _sentence(said[size])
        assert "could not be written: the disk has no room for it" in sentence or "is the disk full?" in sentence
    assert said["60m"][0] == 0
    metrics = (small_run.folder / "data" / "08_reporting" / "metrics.json").read_text()
    assert (empty_project.folder / "logs" / "metrics").read_text() == metrics
    assert [status for name, status in _runs(empty_project) if name == "__default__"] == ["FAILED"] * len(SIZES) + ["FINISHED"]


FOLDERS = {
    "data": "data/01_raw",
    "data/01_raw": "data/01_raw",
    "data/02_intermediate": "data/02_intermediate",
    "data/03_primary": "data/03_primary",
    "data/04_feature": "data/04_feature",
    "data/05_model_input": "data/05_model_input",
    "data/06_models": "data/06_models",
    "data/07_model_output": "data/07_model_output",
    "data/08_reporting": "data/08_reporting",
    "data/finished_steps": "data/finished_steps",
    "mlflow.db": "mlflow.db",
    "mlartifacts": "mlartifacts",
}
"""What may only be read, and what the sentence names then."""


@pytest.mark.nightly
def test_in_each_folder_that_may_only_be_read_a_sentence_names_it(copied):
    other = "--params seed=7"
    tried = [
        f"mount --bind {folder} {folder}\nmount -o remount,bind,ro {folder}\nrun {number} {other}\numount {folder}"
        for number, folder in enumerate(FOLDERS)
    ]
    said = _logs(copied, "\n".join([*tried, "mount --bind conf conf", "mount -o remount,bind,ro conf", f"run conf {other}"]))
    for number, (folder, named) in enumerate(FOLDERS.items()):
        sentence = _sentence(said[str(number)])
        assert READ_ONLY in sentence, folder
        assert named in sentence
    assert said["conf"][0] == 0
