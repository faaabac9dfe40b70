import json
import subprocess
import sys

import pytest
from click.testing import CliRunner

from hawk_pipelines.cli import main
from tests.video.numbered import write
from tests.video.odd_inputs import pictures

FIELDS = ["path", "status", "reason", "frames", "fps", "width", "height", "duration_s", "frame_intervals", "notes"]


def _probe(*arguments):
    return CliRunner().invoke(main, ["probe", "--workers", "1", *map(str, arguments)])


def test_good_inputs_are_told_and_the_exit_status_is_0(tmp_path):
    told = _probe("--json", write(tmp_path / "a b.mp4", 30), pictures(tmp_path, "pictures"))
    assert told.exit_code == 0
    rows = json.loads(told.stdout)
    assert [list(row) for row in rows] == [FIELDS, FIELDS]
    assert rows[0] == {
        "path": str(tmp_path / "a b.mp4"), "status": "ok", "reason": None,
        "frames": 30, "fps": 10.0, "width": 96, "height": 96, "duration_s": 3.0,
        "frame_intervals": None, "notes": [],
    }  # fmt: skip
    assert rows[1]["frames"] == 30


def test_a_bad_input_is_told_among_good_ones_and_the_exit_status_is_1(tmp_path):
    (tmp_path / "bad.mp4").write_text("text")
    told = _probe("--json", tmp_path / "bad.mp4", write(tmp_path / "-good.mp4", 3))
    assert told.exit_code == 1
    rows = json.loads(told.stdout)
    assert [row["status"] for row in rows] == ["rejected", "ok"]
    assert "cannot be opened" in rows[0]["reason"]
    assert rows[0]["frames"] is None


def test_people_are_told_in_lines(tmp_path):
    (tmp_path / "bad.mp4").write_text("")
    told = _probe(write(tmp_path / "good.mp4", 30), tmp_path / "bad.mp4")
    good, bad = told.stdout.splitlines()
    assert good.split() == ["ok", "30", "frames", "10.000/s", "96×96", "3.00", "s", str(tmp_path / "good.mp4")]
    assert bad.startswith("rejected ")
    assert "is empty" in bad


@pytest.mark.parametrize("arguments", [[], ["--workers", "-1", "x"]])
def test_wrong_use(arguments):
    assert CliRunner().invoke(main, ["probe", *arguments]).exit_code == 2


def test_stdout_is_json_alone_outside_any_project(tmp_path):
    command = [sys.executable, "-m", "hawk_pipelines", "probe", "--json", str(write(tmp_path / "good.mp4", 3))]
    told = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert json.loads(told.stdout)[0]["frames"] == 3
    assert told.stderr == ""
