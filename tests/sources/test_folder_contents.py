"""Every file of a folder is a video, a table, or named with the reason why it is neither."""

import os
import shutil
import socket

import pytest

from hawk_pipelines.sources.folder import Parameters, read
from hawk_pipelines.sources.folder_contents import read_contents
from hawk_pipelines.sources.inspection import inspect
from tests.video.odd_inputs import pictures


def _contents(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"")
    contents = read_contents(root)
    return [path.relative_to(root).as_posix() for path in contents.videos], [rejection.reason for rejection in contents.notes]


def test_what_probe_opens_ingest_takes(real_data, ingest):
    folder = real_data / "reported/endings"
    files = sorted(path.name for path in folder.iterdir())
    assert {row.status for row in inspect([str(folder / name) for name in files], workers=0)} == {"ok"}
    videos, said, _ = ingest("folder", folder)
    assert (sorted(videos), said) == (files, [])


@pytest.mark.parametrize("ending", ["", ".bin", ".dat", ".backup", ".0412"])
def test_a_video_of_an_unknown_ending_is_taken_by_how_it_begins(real_data, tmp_path, ending):
    for path in (real_data / "reported/endings").iterdir():
        shutil.copy(path, tmp_path / f"{path.name.replace('.', '-')}{ending}")
    shutil.copy(next((real_data / "videos/pedestrians").glob("*.avi")), tmp_path / f"walkers{ending}")
    assert {row.status for row in inspect([str(path) for path in tmp_path.iterdir()], workers=0)} == {"ok"}
    assert _contents(tmp_path) == (sorted(path.name for path in tmp_path.iterdir()), [])


def test_files_that_do_not_begin_like_a_video_are_named_in_one_line(tmp_path):
    for number in range(50):
        (tmp_path / f"{number:02}.bin").write_bytes(b"\0\1\2\3" * 200)
    (tmp_path / "empty").touch()
    (tmp_path / "song.unknown").write_bytes(b"\0\0\0\x18ftypM4A ")
    videos, (reason,) = _contents(tmp_path, "a.mp4")
    assert videos == ["a.mp4"]
    assert reason.startswith("52 file(s) neither end nor begin like a video")
    assert "(00.bin, 01.bin, 02.bin, …)" in reason


def test_known_kinds_are_counted_in_one_line_and_not_opened(tmp_path):
    names = ["a.txt", "b.TXT", "c.srt", "d.json", "e.wav", "sub/.DS_Store", "Thumbs.db", ".hidden/x.mp4", "a.mp4~", "photo.jpg"]
    videos, (reason,) = _contents(tmp_path, "a.mp4", *names)
    assert videos == ["a.mp4"]
    assert reason.startswith("10 file(s) are taken for no videos and are not used: ")
    for count in ("2 .txt", "1 .srt", "1 .json", "1 .wav", "2 hidden", "1 Thumbs.db", "1 backups (*~)", "1 .jpg"):
        assert count in reason


@pytest.mark.parametrize("name", ["control", "b.mp4", "captions.csv", "sub/b", "frames/000002.jpg"])
@pytest.mark.parametrize("make", [os.mkfifo, lambda path: socket.socket(socket.AF_UNIX).bind(path)], ids=["pipe", "socket"])
def test_what_is_no_regular_file_is_named_and_not_opened(tmp_path, monkeypatch, name, make):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    monkeypatch.chdir((tmp_path / name).parent)  # the path of a socket has to be short
    make((tmp_path / name).name)
    if name.startswith("frames/"):
        (tmp_path / "frames/000001.jpg").touch()
    videos, (reason,) = _contents(tmp_path, "a.mp4")
    assert videos == ["a.mp4"]
    assert f"{tmp_path / name} is no regular file" in reason


def test_names_that_are_no_unicode_are_named_all_the_same(tmp_path):
    (tmp_path / "a.mp4").touch()
    for name in (b"caf\xe9.txt", b"caf\xe9", b"\xe9.zip"):
        (tmp_path / os.fsdecode(name)).touch()
    (tmp_path / os.fsdecode(b"\xe9.mp4")).symlink_to("/nowhere")
    notes = read(Parameters(path=tmp_path)).rejections
    assert len(notes) == 4
    assert all("\\udce9" in one.reason for one in notes if one.reason.encode())


def test_archives_loose_pictures_and_tables_below_are_named(tmp_path):
    pictures(tmp_path, "camera")
    shutil.copy(tmp_path / "camera/frame000.png", tmp_path / "0001.png")
    videos, reasons = _contents(tmp_path, "a.mp4", "part.zip", "gate/captions.csv")
    assert videos == ["a.mp4", "camera"]
    archive, table, loose = reasons
    assert "1 archive(s) are left out (part.zip)" in archive
    assert "gate/captions.csv" in table
    assert str(tmp_path / "captions.csv") in table
    assert "0001.png" in loose
    assert "a folder of its own" in loose


@pytest.mark.parametrize(
    ("names", "kept"),
    [
        (["go.MP4", "go.LRV"], ["go.MP4"]),
        (["GH010001.MP4", "GL010001.LRV"], ["GH010001.MP4"]),
        (["dji.mp4", "DJI.LRF"], ["dji.mp4"]),
        (["go.LRV"], ["go.LRV"]),
        (["a/go.mp4", "b/go.LRV"], ["a/go.mp4", "b/go.LRV"]),
    ],
)
def test_a_cameras_small_copy_is_left_out_beside_its_recording_only(tmp_path, names, kept):
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"\0\0\0\x18ftypisom")
    videos, reasons = read_contents(tmp_path)[0], [rejection.reason for rejection in read_contents(tmp_path).notes]
    assert [path.relative_to(tmp_path).as_posix() for path in videos] == kept
    assert [
        ("small copies" in reason, set(names) - set(kept) <= set(reason.replace("(", " ").split())) for reason in reasons
    ] == [(True, True)] * (len(names) > len(kept))


def test_a_folder_without_a_video_says_what_it_holds(tmp_path):
    (tmp_path / "a.zip").touch()
    with pytest.raises(Exception, match=r"holds no video file .*1 archive\(s\)"):
        read(Parameters(path=tmp_path))
