"""A line of a list or a times file that cannot be read: its video keeps the side that other files give, or is left out in words.

Never is it trained on by accident, and never does it become a normal video.
"""

import json

import pytest

from hawk_pipelines.sources import dota, shanghaitech, ubnormal, ucf_crime, ucsd_ped1, webvid
from hawk_pipelines.sources.reading import FoundVideo
from tests.sources import trees

ABUSE = "Abuse028_x264"  # tested on
LISTS = "UCF_Crimes-Train-Test-Split/Anomaly_Detection_splits"
TIMES = "Temporal_Anomaly_Annotation_for_Testing_Videos.txt"


def _write(path, content):
    """Lines, bytes, or None for no file."""
    if content is None:
        path.unlink()
    elif isinstance(content, bytes):
        path.write_bytes(content)
    else:
        trees.text(path, content)


def _said(reading):
    return "\n".join(one.reason for one in reading.rejections)


BROKEN = {
    "climbs": f"../Abuse/{ABUSE}.mp4",
    "an address": f"https://example.invalid/{ABUSE}.mp4",
    "cells after it": f"Abuse/{ABUSE}.mp4 2 8 -1 -1",
    "commas": f"{ABUSE}.mp4,Abuse,test",
    "quoted": f'"Abuse/{ABUSE}.mp4"',
    "a zero byte": f"Abuse/\0{ABUSE}.mp4",
}


@pytest.mark.parametrize("line", BROKEN.values(), ids=BROKEN)
@pytest.mark.parametrize(
    ("train", "times", "side"),
    [
        (trees.UCF_TRAIN, trees.UCF_TIMES, "test"),  # the times list the test set, but a list of it is there, too
        (trees.UCF_TRAIN, None, None),
        (None, None, None),
        ([*trees.UCF_TRAIN, f"Abuse/{ABUSE}.mp4"], None, "train"),
    ],
    ids=["times", "no times", "test list alone", "in the train list"],
)
def test_a_broken_line_of_the_test_list_of_ucf_crime(tmp_path, line, train, times, side):
    root = trees.ucf_crime(tmp_path / "ucf")
    _write(root / LISTS / "Anomaly_Train.txt", train)
    _write(root / LISTS / "Anomaly_Test.txt", [line, *trees.UCF_TEST[1:]])
    _write(root / TIMES, times)
    reading = ucf_crime.read(ucf_crime.Parameters(path=root))
    sides = {video.path.stem: video.split for video in reading.videos}
    if times is None:
        assert sides.get(ABUSE) == side
    else:
        assert sides.get(ABUSE) in ("test", None)
    assert ABUSE in _said(reading)
    assert {name for name, split in sides.items() if split == "train"} - {ABUSE} == {
        "Abuse001_x264",
        "Arrest002_x264",
        "Normal_Videos001_x264",
    }


@pytest.mark.parametrize("times", [trees.UCF_TIMES, None], ids=["times", "no times"])
def test_a_garbled_line_of_the_test_list_of_ucf_crime_trains_on_no_test_video(tmp_path, times):
    root, folder, name = trees.ucf_crime(tmp_path / "ucf"), "RoadAccidents", "RoadAccidents002_x264"
    _write(root / LISTS / "Anomaly_Train.txt", None)
    _write(root / TIMES, times)
    garbled = [f"{folder}/{name}{end}" for end in (".", ".m", ".mp4.", ".mp4;", ".mp3", "_mp4", ".mp4|x", ".mp4 2 8")]
    garbled += [f"{folder}/{begin}{name}.mp4" for begin in "-_~\u200b"]
    garbled += [
        f"{folder}/{wrong}" for wrong in ("RoadAccidents2_x264.mp4", "RoadAccidents002_x26", "RoadAccidents002.mp4", "Roa")
    ]
    garbled += ["RoadAccidents 002_x264.mp4", "RoadAccidents0", "RoadAccidents.mp4", f"../{folder}/RoadAccidents2_x264.mp4"]
    for line in garbled:
        _write(root / LISTS / "Anomaly_Test.txt", [trees.UCF_TEST[0], line, trees.UCF_TEST[2]])
        reading = ucf_crime.read(ucf_crime.Parameters(path=root))
        assert {video.path.stem: video.split for video in reading.videos}.get(name) == ("test" if times else None), line
        assert line.rpartition("/")[2].removesuffix(".mp4") in _said(reading) or repr(line) in _said(reading), line


@pytest.mark.parametrize(("name", "trained"), [("RoadAccidents020_x264", 3), ("RoadAccidents20_x264", 0)])
def test_a_listed_video_that_is_absent_is_no_garbled_name(tmp_path, name, trained):
    root = trees.ucf_crime(tmp_path / "ucf")
    for half in ("Train", "Test"):
        _write(root / LISTS / f"Anomaly_{half}.txt", [*trees.UCF_TEST, f"RoadAccidents/{name}.mp4"] if half == "Test" else None)
    _write(root / TIMES, None)
    videos = ucf_crime.read(ucf_crime.Parameters(path=root)).videos
    assert sum(video.split == "train" for video in videos) == trained
    _write(root / TIMES, [*trees.UCF_TIMES, f"{name}.mp4  RoadAccidents  2  8  -1  -1"])
    _write(root / LISTS / "Anomaly_Test.txt", None)
    videos = ucf_crime.read(ucf_crime.Parameters(path=root)).videos
    assert sum(video.split == "train" for video in videos) == trained


@pytest.mark.parametrize("content", [b"", b"\n \n", b"\xff\xd8\xff\xe0", b"Abuse/Abuse028_x264.mp4\nAbuse/caf\xe9_x264.mp4\n"])
@pytest.mark.parametrize("train", [trees.UCF_TRAIN, None], ids=["train list", "no train list"])
def test_a_test_list_that_is_empty_or_no_text_is_named_and_turns_no_published_split_into_a_seeded_one(tmp_path, content, train):
    root = trees.ucf_crime(tmp_path / "ucf")
    _write(root / LISTS / "Anomaly_Test.txt", content)
    _write(root / LISTS / "Anomaly_Train.txt", train)
    _write(root / TIMES, None)
    reading = ucf_crime.read(ucf_crime.Parameters(path=root))
    assert "Anomaly_Test.txt is" in _said(reading)
    sides = {video.path.stem: video.split for video in reading.videos}
    assert sides.get(ABUSE) == ("test" if train else None)
    assert None not in sides.values()
    assert [split for split in sides.values() if split == "train"] == ["train"] * (3 if train else 0)


@pytest.mark.parametrize(
    ("line", "spans", "says"),
    [
        (f"{ABUSE}.mp4  Abuse", [], "no class with pairs of frames"),
        (f"{ABUSE}.mp4", [], "no class with pairs of frames"),
        (f"{ABUSE}.mp4  Abuse  2  8x  -1  -1", [], "no class with pairs of frames"),
        (f"{ABUSE}.mp4  Abuse  2", [], "no class with pairs of frames"),
        (f"{ABUSE}.mp4,Abuse,2,8,-1,-1", [], "begins with no video"),
        (f"../{ABUSE}.mp4  Abuse  2  8  -1  -1", [], "climbs out of its folder"),
        (f"s3://bucket/{ABUSE}.mp4  Abuse  2  8  -1  -1", [], "is an address"),
        (f"{ABUSE}.mp4  Abuse  -1  -1  -1  -1", [], "gives no time of an anomaly"),
        (f"{ABUSE}.mp4  Abuse  2  8  -1  -1", [(2, 8)], ""),
    ],
)
def test_a_broken_line_of_the_times_still_lists_its_video_for_the_test(tmp_path, line, spans, says):
    root = trees.ucf_crime(tmp_path / "ucf")
    _write(root / LISTS / "Anomaly_Train.txt", None)
    _write(root / LISTS / "Anomaly_Test.txt", None)
    _write(root / TIMES, [line, *trees.UCF_TIMES[1:]])
    reading = ucf_crime.read(ucf_crime.Parameters(path=root))
    (video,) = [one for one in reading.videos if one.path.stem == ABUSE]
    assert (video.split, video.label, video.frame_spans) == ("test", "Abuse", spans)
    assert says in _said(reading)
    assert sum(one.split == "train" for one in reading.videos) == 3


@pytest.mark.parametrize(
    ("lines", "trained"),
    [(["Abus028_x264.mp4  Abuse  2  8  -1  -1"], 0), (["video class start end start end", f"{ABUSE}.mp4 Abuse 2 8 -1 -1"], 3)],
    ids=["a misspelt name", "a heading"],
)
def test_where_a_test_video_cannot_be_told_nothing_is_taken_for_the_other_half(tmp_path, lines, trained):
    root = trees.ucf_crime(tmp_path / "ucf")
    _write(root / LISTS / "Anomaly_Train.txt", None)
    _write(root / LISTS / "Anomaly_Test.txt", None)
    _write(root / TIMES, [*lines, *trees.UCF_TIMES[1:]])
    reading = ucf_crime.read(ucf_crime.Parameters(path=root))
    assert sum(one.split == "train" for one in reading.videos) == trained
    assert "begins with no video" in _said(reading)


@pytest.mark.parametrize(
    ("test", "times", "trained"),
    [
        (trees.UCF_TEST, b"\xff\xd8\xff\xe0", 3),
        (trees.UCF_TEST, b"", 3),
        (["Abuse/Abus028_x264.mp4", *trees.UCF_TEST[1:]], None, 0),
        (["The test videos", *trees.UCF_TEST], None, 3),
    ],
    ids=["times that are no text", "empty times", "a misspelt name", "a heading"],
)
def test_a_whole_test_list_tells_the_other_half_and_one_with_a_garbled_name_does_not(tmp_path, test, times, trained):
    root = trees.ucf_crime(tmp_path / "ucf")
    _write(root / LISTS / "Anomaly_Train.txt", None)
    _write(root / LISTS / "Anomaly_Test.txt", test)
    _write(root / TIMES, times)
    reading = ucf_crime.read(ucf_crime.Parameters(path=root))
    sides = {video.path.stem: video.split for video in reading.videos}
    assert list(sides.values()).count("train") == trained
    assert sides.get(ABUSE) == ("test" if trained else None)
    assert reading.rejections


def test_a_normal_video_with_times_of_an_anomaly_is_neither(tmp_path, ingest):
    root = trees.ucf_crime(tmp_path / "ucf")
    _write(root / TIMES, [*trees.UCF_TIMES[:2], "Normal_Videos_003_x264.mp4  Normal  2  8  -1  -1"])
    videos, said, _ = ingest("ucf_crime", root)
    (video,) = [one for name, one in videos.items() if "Normal_Videos_003" in name]
    assert (video.label, video.spans, video.split) == (None, [], "test")
    assert "gives times of an anomaly in a normal video" in said[0]
    assert "Normal_Videos_003_x264.mp4 is labelled normal, but said to have an anomaly (0.20 to 0.80 s)" in said[-1]


@pytest.mark.parametrize("listed", [True, False], ids=["lists", "metadata alone"])
@pytest.mark.parametrize("fact", [{}, [], 3, {"anomaly_start": "x"}, None])
def test_a_clip_of_dota_with_broken_metadata_stays_in_its_half(tmp_path, fact, listed):
    root, clip = trees.dota(tmp_path / "dota"), "0qfbmt4G8Rw_001060"
    (root / f"annotations/{clip}.json").unlink()
    file = root / "dataset/metadata_val.json"
    file.write_text(json.dumps({clip: fact}))
    if not listed:
        for half in ("train", "val"):
            (root / f"dataset/{half}_split.txt").unlink()
    reading = dota.read(dota.Parameters(path=root))
    (video,) = [one for one in reading.videos if clip in one.name]
    assert (video.split, video.label) == ("test", None)
    assert f"{clip} in {file} is left out" in _said(reading)


@pytest.mark.parametrize(
    ("metadata", "line", "says"),
    [
        (b"{", "../0qfbmt4G8Rw_001060", "which seems to mean it"),
        (b"{}", "0qfbmt4G8Rw_001060;x", "is empty"),
        (b"\xff\xd8", "https://example.invalid/0qfbmt4G8Rw_001060", "is in neither half of the official split"),
        (None, None, "val_split.txt is empty"),
    ],
)
def test_a_clip_of_dota_without_a_side_is_left_out_and_not_drawn(tmp_path, metadata, line, says):
    root, clip = trees.dota(tmp_path / "dota"), "0qfbmt4G8Rw_001060"
    _write(root / "dataset/metadata_val.json", metadata)
    _write(root / "dataset/val_split.txt", [line] if line else b"")
    reading = dota.read(dota.Parameters(path=root))
    assert sorted((video.split, clip in video.name) for video in reading.videos) == [("train", False)] * 2
    assert says in _said(reading)
    assert "is in neither half of the official split" in _said(reading)


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        (["../abnormal_scene_1_scenario_1"], "which seems to mean it"),
        (["abnormal_scene_1_scenario_1,test"], "which seems to mean it"),
        ([], "abnormal_test_video_names.txt is empty"),
        (b"\xff\xfe\xff", "abnormal_test_video_names.txt is no text"),
    ],
)
def test_a_broken_list_of_ubnormal_costs_its_videos(tmp_path, lines, says):
    root = trees.ubnormal(tmp_path / "ub")
    _write(root / "scripts/abnormal_test_video_names.txt", lines)
    reading = ubnormal.read(ubnormal.Parameters(path=root))
    assert "abnormal_scene_1_scenario_1" not in {video.path.stem for video in reading.videos}
    assert len(reading.videos) == 4
    assert says in _said(reading)


def test_lists_of_ubnormal_that_are_all_empty_draw_no_split(tmp_path):
    root = trees.ubnormal(tmp_path / "ub")
    for file in (root / "scripts").glob("*.txt"):
        file.write_bytes(b"")
    reading = ubnormal.read(ubnormal.Parameters(path=root))
    assert reading.videos == []
    assert _said(reading).count("is empty") == 6


def test_a_normal_video_of_ubnormal_with_tracks_is_neither(tmp_path, ingest):
    root = trees.ubnormal(tmp_path / "ub")
    name = "normal_scene_16_scenario_2"
    trees.text(root / f"Scene16/{name}_annotations/{name}_tracks.txt", ["1,2,5"])
    videos, said, _ = ingest("ubnormal", root)
    assert (videos[f"Scene16/{name}.mp4"].label, videos[f"Scene16/{name}.mp4"].spans) == (None, [])
    assert f"{name}_tracks.txt gives times of an anomaly in a normal video" in said[0]


@pytest.mark.parametrize(
    "entry", ["TestVideoFile{end+1}.gt_frame [6:9];", "TestVideoFile{end+1}.gt_fram = [6:9];", "TestVideoFile{end+1};"]
)
def test_a_broken_entry_of_ucsd_moves_no_other(tmp_path, entry):
    root = trees.ucsd(tmp_path / "ucsd", "ped1")
    script = root / "UCSD_Anomaly_Dataset.v1p2/UCSDped1/Test/UCSDped1.m"
    trees.text(script, ["TestVideoFile = {};", entry, "TestVideoFile{end+1}.gt_frame = [5:9];"])
    reading = ucsd_ped1.read(ucsd_ped1.Parameters(path=root))
    about = {video.path.name: (video.label, video.frame_spans, video.split) for video in reading.videos}
    assert about["Test001"] == (None, [], "test")
    assert about["Test003"] == ("anomaly", [(4, 9)], "test")
    assert "Entry 1 of" in _said(reading)


@pytest.mark.parametrize("content", [b"", b"no numbers", None])
def test_a_clip_of_shanghaitech_whose_labels_cannot_be_read_is_not_normal(tmp_path, ingest, content):
    root = trees.shanghaitech(tmp_path / "sh")
    for kind in ("frame", "pixel"):
        _write(root / f"shanghaitech/testing/test_{kind}_mask/01_0014.npy", content)
    videos, said, _ = ingest("shanghaitech", root)
    video = videos["testing/frames/01_0014"]
    assert (video.label, video.split) == (None, "test")
    assert any("01_0014" in line for line in said)
    assert shanghaitech.TITLE


@pytest.mark.parametrize(
    "row", ["13,,PT1S,000051_000100,", "13,,PT1S,../000051_000100,A man saws.", '13,,PT1S,000051_000100,"A man\nsaws."']
)
def test_a_row_of_webvids_test_table_that_cannot_be_used_keeps_its_video_out_of_training(tmp_path, row):
    root = trees.webvid(tmp_path / "wv")
    head = "videoid,contentUrl,duration,page_dir,name\n"
    (root / "results_2M_val.csv").write_text(f"{head}{row}\n")
    train = root / "results_2M_train.csv"
    train.write_text(train.read_text() + "13,,PT1S,000051_000100,A man cuts wood.\n")
    reading = webvid.read(webvid.Parameters(path=root))
    assert sorted(video.path.stem for video in reading.videos) == ["11", "12"]
    assert "name a video of a test table's row that cannot be used" in _said(reading)
    assert isinstance(reading.videos[0], FoundVideo)


@pytest.mark.parametrize(("content", "says"), [("", "is empty"), ("videoid,contentUrl,duration,page_dir,name\n", "has no row")])
def test_a_table_of_webvid_without_rows_is_named(tmp_path, content, says):
    root = trees.webvid(tmp_path / "wv")
    (root / "results_2M_val.csv").write_text(content)
    reading = webvid.read(webvid.Parameters(path=root))
    assert sorted(video.path.stem for video in reading.videos) == ["11", "12"]
    assert f"results_2M_val.csv {says}" in _said(reading)
