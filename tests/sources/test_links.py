"""Links that lead out of a source's folder, in every way of reading one."""

import shutil
import sys

import pytest

from hawk_pipelines.sources.checking import check
from hawk_pipelines.sources.folder import Parameters, read
from hawk_pipelines.sources.links import link_rules
from hawk_pipelines.sources.parameters import IngestParameters, read_source
from hawk_pipelines.sources.reading import SourceError
from hawk_pipelines.sources.tree import files_in, folders_in, holds_pictures, is_file, walk
from tests.sources import trees
from tests.video.odd_inputs import pictures


@pytest.fixture
def linked(tmp_path):
    """A folder with links inside it, out of it, and to nothing."""
    for name in ("outside/secret/far.mp4", "outside/film.mp4", "root/real/near.mp4", "root/own.mp4"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(name.encode())
    root = tmp_path / "root"
    (root / "zone").symlink_to("real")
    (root / "copy.mp4").symlink_to("own.mp4")
    (root / "out").symlink_to(tmp_path / "outside/secret")
    (root / "film.mp4").symlink_to(tmp_path / "outside/film.mp4")
    (root / "gone.mp4").symlink_to("nowhere.mp4")
    (root / "loop").symlink_to("loop")
    return root


INSIDE = ["copy.mp4", "own.mp4", "real/near.mp4"]


def test_links_that_lead_out_are_left_out_and_named_with_the_setting(linked):
    reading = read(Parameters(path=linked))
    assert [video.name for video in reading.videos] == INSIDE
    out, broken = (rejection.reason for rejection in reading.rejections)
    assert "2 link(s) lead out" in out
    assert all(name in out for name in (f"{linked}/out", f"{linked}/film.mp4", "`ingest.follow_links: true`"))
    assert "2 link(s) lead to nothing" in broken
    assert all(name in broken for name in (f"{linked}/gone.mp4", f"{linked}/loop"))


def test_the_setting_follows_them(linked):
    parameters = {"source": "folder", "folder": {"path": str(linked)}, "follow_links": True}
    reading = read_source(IngestParameters.model_validate(parameters), seed=0, workers=0)
    assert sorted(video.name for video in reading.videos) == sorted([*INSIDE, "out/far.mp4", "film.mp4"])
    (broken,) = reading.rejections
    assert "lead to nothing" in broken.reason


def test_a_root_that_is_a_link_is_read_as_before(linked, tmp_path):
    (tmp_path / "alias").symlink_to(linked)
    assert [video.name for video in read(Parameters(path=tmp_path / "alias")).videos] == INSIDE


def test_pictures_that_lead_out_make_no_other_video_of_their_folder(tmp_path):
    (tmp_path / "root").mkdir()
    pictures(tmp_path / "root", "camera")
    shutil.move(tmp_path / "root/camera/frame003.png", tmp_path / "frame003.png")
    (tmp_path / "root/camera/frame003.png").symlink_to(tmp_path / "frame003.png")
    pictures(tmp_path / "root", "whole")
    reading = read(Parameters(path=tmp_path / "root"))
    assert [video.name for video in reading.videos] == ["whole"]
    assert "camera" in reading.rejections[0].reason
    with link_rules([tmp_path / "root"]):
        assert [holds_pictures(tmp_path / "root" / name) for name in ("camera", "whole")] == [False, True]


def test_every_way_of_looking_keeps_to_the_rules(linked):
    with link_rules([linked]) as left_out:
        assert [path.name for path in folders_in(linked)] == ["real", "zone"]
        assert [path.name for path in files_in(linked)] == ["copy.mp4", "own.mp4"]
        assert files_in(linked / "out") == list(walk(linked / "out")) == []
        assert not is_file(linked / "film.mp4")
        assert not is_file(linked / "out/far.mp4")
        assert is_file(linked / "zone/near.mp4")
    assert len(left_out) == 2
    assert [path.name for path in folders_in(linked)] == ["out", "real", "zone"], "no rules are left behind"


@pytest.mark.parametrize("source", trees.TREES)
def test_readers_of_published_data_sets_leave_out_what_is_linked_from_elsewhere(source, ingest, tmp_path):
    root = trees.TREES[source](tmp_path / "tree")
    whole = set(ingest(source, root)[0])
    for number, entry in enumerate(sorted(root.iterdir())):
        shutil.move(entry, tmp_path / f"disk {number}")
        entry.symlink_to(tmp_path / f"disk {number}")
    with pytest.raises(SourceError, match=r"lead out of the source's folder .*`ingest\.follow_links: true`"):
        ingest(source, root)
    assert set(ingest(source, root, follow_links=True)[0]) == whole
    assert check(root) == []
    (one,) = check(root, follow_links=True)
    assert len(one.reading.videos) == len(whole)


@pytest.mark.parametrize("kind", ["Path", "str"])
def test_a_module_of_ones_own_that_walks_keeps_to_the_rules(linked, tmp_path, monkeypatch, kind):
    (tmp_path / "alley.py").write_text(f"""
from pathlib import Path
from pydantic import BaseModel
from hawk_pipelines.sources.reading import FoundVideo, Reading
from hawk_pipelines.sources.tree import walk
class Parameters(BaseModel):
    place: {kind}
def read(parameters):
    files = [folder / name for folder, names in walk(Path(parameters.place)) for name in names]
    return Reading([FoundVideo(file, str(file)) for file in files], [])
""")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "alley", raising=False)
    parameters = {"source": "alley", "own": {"place": str(linked)}}
    names = {video.path.name for video in read_source(IngestParameters.model_validate(parameters), 0, 0).videos}
    assert names == {"copy.mp4", "own.mp4", "near.mp4"}
    parameters["follow_links"] = True
    assert {video.path.name for video in read_source(IngestParameters.model_validate(parameters), 0, 0).videos} > names


@pytest.mark.parametrize("name", ["captions.csv", "Captions.CSV", "caption.csv", "captions.tsv"])
@pytest.mark.parametrize("is_broken", [False, True], ids=["leads out", "leads to nothing"])
def test_a_table_that_is_a_link_which_is_not_followed_ends_the_run(linked, name, is_broken):
    table = linked.parent / "outside/captions.csv"
    if not is_broken:
        table.write_text("video,label,split\nown.mp4,fall,test\n")
    (linked / name).symlink_to(table)
    remedy = "put the table there, or remove the link" if is_broken else "copy the table here, or set `ingest.follow_links"
    with pytest.raises(SourceError, match=rf"{name} is a link that leads .*the table of the videos was not read.*{remedy}"):
        read(Parameters(path=linked))
    if not is_broken:
        parameters = {"source": "folder", "folder": {"path": str(linked)}, "follow_links": True}
        reading = read_source(IngestParameters.model_validate(parameters), seed=0, workers=0)
        assert [video.split for video in reading.videos if video.name == "own.mp4"] == ["test"]


def test_a_table_that_is_a_link_inside_the_folder_is_read_and_beside_it_another_link_changes_nothing(linked):
    (linked / "real/rows.csv").write_text("video,label,split\nown.mp4,fall,test\n")
    (linked / "captions.csv").symlink_to("real/rows.csv")
    (linked / "captions.txt").symlink_to(linked.parent / "outside/film.mp4")
    assert [video.split for video in read(Parameters(path=linked)).videos if video.name == "own.mp4"] == ["test"]


def test_a_folder_called_like_the_table_is_named(linked):
    (linked / "captions.csv").mkdir()
    (first, *_) = read(Parameters(path=linked)).rejections
    assert (first.item, "is a folder and is not read as the table" in first.reason) == ("captions.csv", True)
