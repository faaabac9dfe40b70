import json
import re
import subprocess

import pytest
from click.testing import CliRunner
from omegaconf import OmegaConf

from hawk_pipelines.cli import main
from hawk_pipelines.cli.run_settings import read_settings
from tests.sources import trees


def _check(*arguments):
    return CliRunner().invoke(main, ["check-data", *map(str, arguments)])


def test_a_data_set_is_told_with_what_is_missing_and_the_exit_status_is_0(tmp_path):
    root = trees.ucf_crime(tmp_path / "my sets" / "ucf")
    told = _check(root)
    assert told.exit_code == 0
    lines = told.stdout.splitlines()
    assert lines[0] == f"UCF-Crime in {root}: incomplete"
    rows = [line.split() for line in lines]
    assert ["training", "videos", "3", "1,610", "in", "part"] in rows
    assert ["videos", "with", "UCA", "captions", "2", "1,854", "in", "part", "(optional)"] in rows
    assert "we know of no stated licence" in told.stdout
    assert f"--params 'ingest.source=ucf_crime,ingest.ucf_crime.path={root}'" in told.stdout


def test_every_data_set_below_a_folder_is_told_for_programs(tmp_path):
    for source in ("dota", "webvid", "hawk"):
        trees.TREES[source](tmp_path / source)
    told = _check("--json", tmp_path)
    assert told.exit_code == 0
    found = {one["source"]: one for one in json.loads(told.stdout)}
    assert set(found) == {"dota", "webvid", "hawk"}
    assert found["hawk"]["settings"] == {"ingest": {"source": "hawk", "hawk": {"path": str(tmp_path / "hawk")}}}
    assert found["dota"]["videos"] == 3
    assert [part["complete"] for part in found["webvid"]["parts"]] == [False, True]
    assert "a video that is not below" in found["webvid"]["remarks"][0]["reason"]


def test_a_release_without_its_videos_is_recognised_all_the_same(tmp_path):
    root = trees.hawk(tmp_path / "hawk")
    (root / "Videos").rename(tmp_path / "rest")
    told = _check(root)
    assert told.exit_code == 0
    assert "HAWK's published annotations" in told.stdout
    assert "incomplete" in told.stdout
    assert "Videos does not exist" in told.stdout
    assert "To ingest it" not in told.stdout


def test_a_whole_data_set_is_called_complete(tmp_path):
    trees.text(tmp_path / "train.csv", ["videoid,page_dir,name", "1,p,A cat."])
    trees.video(tmp_path / "p/1.mp4")
    for path in (tmp_path, tmp_path / "train.csv"):
        assert f"WebVid in {path}: complete" in _check(path).stdout


def test_parts_that_are_linked_from_elsewhere_are_followed_when_asked_for(tmp_path):
    root = trees.ucf_crime(tmp_path / "ucf")
    (root / "Anomaly-Videos-Part-1").rename(tmp_path / "disk")
    (root / "Anomaly-Videos-Part-1").symlink_to(tmp_path / "disk")
    without, followed = _check("--json", root), _check("--json", "--follow-links", root)
    (found,), (whole,) = (json.loads(told.stdout) for told in (without, followed))
    assert found["videos"] < whole["videos"]
    assert any("`ingest.follow_links: true`" in remark["reason"] for remark in found["remarks"])
    assert whole["settings"]["ingest"]["follow_links"] is True
    assert "ingest.follow_links=true" in _check("--follow-links", root).stdout


def test_a_long_list_of_remarks_is_cut(tmp_path):
    root = trees.ucf_crime(tmp_path / "ucf")
    for number in range(14):
        (root / f"Abuse1{number:02d}_x264.mp4").touch()
    told = _check(root)
    assert "Abuse109_x264.mp4" in told.stdout
    assert "Abuse110_x264.mp4" not in told.stdout
    assert "and 4 remarks more" in told.stdout


@pytest.mark.parametrize("name", ["", "gone"])
def test_what_is_no_data_set_is_said_and_the_exit_status_is_1(tmp_path, name):
    told = _check(tmp_path / name)
    assert told.exit_code == 1
    assert ("looks like no published data set" in told.stdout) == (not name)
    assert ("gone does not exist" in told.stderr) == bool(name)


@pytest.mark.parametrize("name", ["sets, new", "it's=1", "$HOME `x` #1", "a: b", '"quoted"', "${x}", "[old]"])
def test_the_command_that_is_told_can_be_copied_into_a_shell(tmp_path, name):
    root = trees.dota(tmp_path / name)
    command = re.search("To ingest it: .venv/bin/kedro (.*)", _check(root).stdout)[1]
    words = subprocess.run(["/bin/sh", "-c", f"printf '%s\\n' {command}"], capture_output=True, text=True, check=True).stdout
    *given, settings = words.splitlines()
    assert given == ["run", "--pipelines=ingest", "--params"]
    read = OmegaConf.to_container(OmegaConf.create(read_settings(settings)), resolve=True)
    assert read == {"ingest": {"source": "dota", "dota": {"path": str(root)}}}


def test_the_command_that_is_told_works_from_anywhere(tmp_path, monkeypatch):
    root = trees.dota(tmp_path / "sets = 1")
    monkeypatch.chdir(root)
    assert f"--params 'ingest.source=dota,ingest.dota.path={root}'" in _check(".").stdout


def test_archives_that_nobody_extracted_are_pointed_at(tmp_path):
    (tmp_path / "Anomaly-Videos-Part-1.zip").touch()
    told = _check(tmp_path)
    assert told.exit_code == 1
    assert "It holds 1 archive(s), such as Anomaly-Videos-Part-1.zip: extract them first." in told.stdout
