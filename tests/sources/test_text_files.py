import os

import pytest

from hawk_pipelines.sources.reading import SourceError
from hawk_pipelines.sources.text_files import (
    beginning,
    mentioned,
    note_absent,
    read_json,
    read_lines,
    read_list,
    read_splits,
    stem,
    unsafe,
)
from tests.sources import trees

LINES = ["Abuse001_x264.mp4", "Café à l'étage", "日本"]


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_text_is_read_alike_from_every_system(tmp_path, encoding, ends):
    file = trees.text(tmp_path / "a.txt", ["", *LINES, "  "], ends, encoding)
    assert read_lines(file) == LINES
    assert beginning(trees.text(tmp_path / "b.txt", LINES, ends, encoding)).splitlines() == LINES


def test_utf_16_beyond_the_first_block_is_still_utf_16(tmp_path):
    file = trees.text(tmp_path / "a.txt", [f"line {number}" for number in range(5000)], encoding="utf-16")
    assert len(read_lines(file)) == 5000


@pytest.mark.parametrize("content", [b"\xff\xd8\xff\xe0JFIF", b"caf\xe9 noir", b"\xff\xfea"])
def test_what_is_no_text_is_refused(tmp_path, content):
    (tmp_path / "a.txt").write_bytes(content)
    with pytest.raises(SourceError, match="no text in UTF-8 or UTF-16"):
        read_lines(tmp_path / "a.txt")


def test_what_cannot_be_opened_is_refused(tmp_path, caplog):
    with pytest.raises(SourceError, match="cannot be read"):
        read_lines(tmp_path)
    assert beginning(tmp_path) == ""
    assert "cannot be read" in caplog.text


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.txt")
    with pytest.raises(SourceError, match="is no regular file"):
        read_lines(tmp_path / "a.txt")


def test_a_video_in_lists_of_several_splits_is_tested_on(tmp_path):
    notes = []
    files = {
        half: [trees.text(tmp_path / f"{half}.txt", names)] for half, names in (("train", ["a", "B", "c"]), ("test", ["b", "d"]))
    }
    splits = read_splits(files | {"validation": [trees.text(tmp_path / "v.txt", ["c"])]}, "abcd", tmp_path, notes)
    assert splits == ({"a": "train", "b": "test", "c": "validation", "d": "test"}, {}, [])
    assert ["names B for the train split, another list for the test split" in notes[0].reason, len(notes)] == [True, 2]


def test_json_with_a_key_twice_keeps_the_first(tmp_path):
    notes = []
    (tmp_path / "a.json").write_text('{"a": {"x": 1, "x": 2}, "b": 3, "a": 4}')
    assert read_json(tmp_path / "a.json", notes) == {"a": {"x": 1}, "b": 3}
    assert [note.item for note in notes] == ["x", "a"]


@pytest.mark.parametrize("content", ["{", "", "[" * 100_000, "1" * 5000])
def test_what_is_no_json_is_refused(tmp_path, content):
    (tmp_path / "a.json").write_text(content)
    with pytest.raises(SourceError, match="is not JSON"):
        read_json(tmp_path / "a.json", [])


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("Abuse/a.mp4", None),
        ("/data/somebody/a.mp4", None),
        ("../a.mp4", "climbs"),
        ("a\\..\\b.mp4", "climbs"),
        ("https://example.invalid/a.mp4", "web"),
        ("file:///etc/passwd", "web"),
        ("a\0.mp4", "zero byte"),
    ],
)
def test_paths_that_are_not_followed(path, reason):
    found = unsafe(path)
    assert found is None if reason is None else reason in found


def test_a_list_names_each_video_once_by_its_last_part(tmp_path):
    notes = []
    listed = read_list(trees.text(tmp_path / "a.txt", ["x/a.mp4", "b", "y\\c.AVI", "z/a.mp4", "../d"]), notes)
    assert listed.names == ["a", "b", "c"]
    assert [note.reason.split("which ")[1].split(";")[0] for note in notes] == ["is listed twice", "climbs out of its folder"]
    assert stem("v1.5_scene") == "v1.5_scene"


def test_absent_videos_are_told_in_one_line(tmp_path):
    notes = []
    listed = read_list(trees.text(tmp_path / "a.txt", [f"v{number:04d}" for number in range(2000)]), notes)
    note_absent(listed, ["v0000", "v0003", "other"], tmp_path, notes)
    assert f"1,998 of the 2,000 videos that a.txt names are not below {tmp_path} (v0001, v0002, v0004, …)" in notes[0].reason
    note_absent(listed, listed.names, tmp_path, notes)
    assert len(notes) == 1


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ('"x/A.mp4", b', ["a", "b"]),
        ("x/_a_mp4", ["a"]),
        ("-long_name.mp3", ["long_name"]),
        ("a_1 and long_name.", ["long_name"]),
        ("long_name2", []),
        ("xlong_name", []),
    ],
)
def test_names_that_stand_in_a_line(line, names):
    assert mentioned(line, {"a", "b", "long_name"} - ({"a"} if "a_1" in line else set())) == names
