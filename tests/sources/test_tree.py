import os
import re

import pytest

from hawk_pipelines.sources.reading import SourceError
from hawk_pipelines.sources.tree import (
    AnotherFolder,
    dataset_folder,
    files_in,
    folders_in,
    holds_pictures,
    is_litter,
    places,
    walk,
)


def _touch(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def _here(folder):
    return (folder / "sign").is_file()


@pytest.mark.parametrize(
    "name", [".DS_Store", "._a.mp4", "Thumbs.db", "THUMBS.DB", "desktop.ini", "__MACOSX", "a.m~", "lost+found"]
)
def test_litter(name):
    assert is_litter(name)


@pytest.mark.parametrize("name", ["a.mp4", "Thumbs", "a~b.mp4", "v=1.mp4"])
def test_no_litter(name):
    assert not is_litter(name)


def test_litter_is_passed_over_in_every_way_of_looking(tmp_path):
    _touch(tmp_path, "a.txt", "._a.txt", "b/c.txt", ".hidden/d.txt", "__MACOSX/e.txt", "p/._001.jpg")
    assert [(folder.name, files) for folder, files in walk(tmp_path)][1:] == [("b", ["c.txt"]), ("p", [])]
    assert [path.name for path in folders_in(tmp_path)] == ["b", "p"]
    assert [path.name for path in files_in(tmp_path)] == ["a.txt"]
    assert not holds_pictures(tmp_path / "p")
    assert folders_in(tmp_path / "gone") == files_in(tmp_path / "a.txt") == []


def test_links_are_followed_each_folder_once(tmp_path):
    disk = _touch(tmp_path / "disk", "deep/a.mp4")
    root = _touch(tmp_path / "root", "b.mp4")
    (root / "part").symlink_to(disk)
    (root / "again").symlink_to(root)
    (disk / "deep/back").symlink_to(disk)
    assert [file for _, files in walk(root) for file in files] == ["b.mp4", "a.mp4"]


def test_what_cannot_be_read_is_told_and_passed_over(tmp_path, monkeypatch, caplog):
    _touch(tmp_path, "a/sign", "b/c.txt")
    scandir = os.scandir

    def closed(folder):
        if os.fspath(folder) == str(tmp_path / "b"):
            raise PermissionError(13, "Permission denied", str(folder))
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", closed)
    assert [path.name for path in places(tmp_path, _here)] == ["a"]
    assert [file for _, files in walk(tmp_path) for file in files] == ["sign"]
    assert caplog.text.count(f"{tmp_path}/b cannot be read (Permission denied) and is passed over") == 2


def test_a_data_set_is_looked_for_two_levels_deep_and_never_inside_another(tmp_path):
    _touch(tmp_path, "a/b/sign", "a/b/c/sign", "x/y/z/sign")
    assert places(tmp_path, _here) == [tmp_path / "a/b"]
    assert dataset_folder(tmp_path, "ingest.it.path", "It", _here, "sign") == tmp_path / "a/b"


def test_no_folder_and_several_and_archives(tmp_path):
    with pytest.raises(SourceError, match=r"gone does not exist; set `ingest\.it\.path`"):
        dataset_folder(tmp_path / "gone", "ingest.it.path", "It", _here, "sign")
    _touch(tmp_path, "a/part-1.zip", "b/sign", "c/sign", "b/deep/closed_1/a")
    with pytest.raises(AnotherFolder, match=r"Are its archives to be extracted first \(.*part-1\.zip\)\?"):
        dataset_folder(tmp_path / "a", "ingest.it.path", "It", _here, "sign")
    with pytest.raises(SourceError, match="holds It 2 times"):
        dataset_folder(tmp_path, "ingest.it.path", "It", _here, "sign")
    assert dataset_folder(tmp_path, "ingest.it.path", "It", _here, "sign", together=True) == tmp_path
    told = {folder.name: files for folder, files in walk(tmp_path, closed=re.compile("closed_[0-9]"))}
    assert (told["closed_1"], told["deep"], told["b"]) == ([], [], ["sign"])
