import pytest

from hawk_pipelines.sources.reading import SourceError
from hawk_pipelines.sources.text_files import read_list
from hawk_pipelines.sources.ubnormal import Parameters, read, read_tracks
from tests.sources import trees


def test_videos_tracks_and_the_split_in_three_are_read(tmp_path, ingest):
    videos, said, _ = ingest("ubnormal", trees.ubnormal(tmp_path / "ub"))
    assert said == []
    told = {
        video.name.rpartition("/")[2]: (video.label, video.split, [(s.start_frame, s.end_frame) for s in video.spans])
        for video in videos.values()
    }
    assert told == {
        "abnormal_scene_1_scenario_1.mp4": ("anomaly", "test", [(2, 9)]),
        "normal_scene_1_scenario1_10.mp4": ("normal", "test", []),
        "normal_scene_16_scenario_2.mp4": ("normal", "train", []),
        "abnormal_scene_20_scenario_6.mp4": ("anomaly", "train", [(0, 12)]),
        "abnormal_scene_20_scenario_7.mp4": ("anomaly", "validation", [(3, 5)]),
    }
    (span,) = videos["Scene1/abnormal_scene_1_scenario_1.mp4"].spans
    assert (span.start_s, span.end_s) == (2 / 30, 9 / 30)


@pytest.mark.parametrize("weather", ["fog", "fire", "smoke"])
def test_a_scenario_in_other_weather_is_the_same_source_video(tmp_path, ingest, weather):
    root, name = trees.ubnormal(tmp_path / "ub"), f"abnormal_scene_1_scenario_1_{weather}"
    trees.video(root / f"Scene1/{name}.mp4")
    trees.text(root / "scripts/abnormal_training_video_names.txt", ["abnormal_scene_20_scenario_6", name])
    videos, said, _ = ingest("ubnormal", root)
    assert f"Scene1/{name}.mp4" not in videos
    assert "same source video (abnormal_scene_1_scenario_1)" in said[-1]
    assert len(ingest("ubnormal", root, leakage="allow")[0]) == 6


def test_bad_tracks_are_named_and_the_others_are_used(tmp_path):
    notes = []
    lines = ["1,5,20", "2,30,25", "3,-1,4", "4,nan,9", "5,21,22", "6;1;2", "7,18.0,20.0"]
    assert read_tracks(trees.text(tmp_path / "a_tracks.txt", lines, "\r\n"), notes) == [(5, 23)]
    assert [note.reason.split("a_tracks.txt has ")[1].split(";")[0] for note in notes][:3] == [
        "a track from frame 30 to 25",
        "a track from frame -1 to 4",
        "the line '4,nan,9' instead of object, first and last frame",
    ]
    assert len(notes) == 4


def test_maps_of_another_number_or_size_and_missing_tracks_are_named(tmp_path, ingest):
    root = trees.ubnormal(tmp_path / "ub")
    home = root / "Scene20/abnormal_scene_20_scenario_6_annotations"
    (home / "abnormal_scene_20_scenario_6_0011_gt.png").unlink()
    trees.masks(home, range(11), (), "abnormal_scene_20_scenario_6_{:04d}_gt.png", (40, 30))
    (root / "Scene1/abnormal_scene_1_scenario_1_annotations/abnormal_scene_1_scenario_1_tracks.txt").unlink()
    videos, said, _ = ingest("ubnormal", root)
    assert videos["Scene1/abnormal_scene_1_scenario_1.mp4"].label == "anomaly"
    said = "\n".join(said)
    for words in (
        "1 abnormal video(s) have no tracks (abnormal_scene_1_scenario_1)",
        "shorter than the video: 11 frames instead of 12",
        "are 40×30, but the video is 96×96",
    ):
        assert words in said


def test_lists_that_leave_out_a_video_or_name_an_absent_one(tmp_path):
    root = trees.ubnormal(tmp_path / "ub")
    trees.text(root / "scripts/normal_test_video_names.txt", ["normal_scene_9_scenario_9"])
    reading = read(Parameters(path=root))
    said = "\n".join(rejection.reason for rejection in reading.rejections)
    assert "1 of the 1 videos that normal_test_video_names.txt names are not below" in said
    assert "normal_scene_1_scenario1_10.mp4 is in none of the official lists" in said
    assert len(reading.videos) == 4
    for file in (root / "scripts").glob("*.txt"):
        file.unlink()
    assert {video.split for video in read(Parameters(path=root)).videos} == {None}


def test_a_video_in_two_lists_is_tested_on_and_repeated_or_odd_ones_are_named(tmp_path):
    root = trees.ubnormal(tmp_path / "ub")
    trees.text(
        root / "scripts/abnormal_training_video_names.txt", ["abnormal_scene_20_scenario_6", "abnormal_scene_1_scenario_1"]
    )
    trees.video(root / "Scene2/abnormal_scene_1_scenario_1.mp4")
    trees.video(root / "Scene2/Abnormal_scene_2_scenario_9.mp4")
    reading = read(Parameters(path=root))
    (video,) = [video for video in reading.videos if video.path.stem == "abnormal_scene_1_scenario_1"]
    assert (video.split, video.path.parent.name, video.frame_spans) == ("test", "Scene1", [(2, 9)])
    said = "\n".join(rejection.reason for rejection in reading.rejections)
    for words in (
        "for the train split, another list for the test split",
        "is called like",
        "Abnormal_scene_2_scenario_9.mp4)",
    ):
        assert words in said


def test_videos_and_lists_may_lie_in_folders_of_their_own(tmp_path):
    root = trees.ubnormal(tmp_path / "sets/UBnormal")
    (tmp_path / "sets/repository").mkdir()
    (root / "scripts").rename(tmp_path / "sets/repository/scripts")
    reading = read(Parameters(path=tmp_path / "sets"))
    assert reading.rejections == []
    assert {video.split for video in reading.videos} == {"train", "validation", "test"}


def test_another_folder_is_refused(tmp_path):
    with pytest.raises(SourceError, match="does not look like UBnormal"):
        read(Parameters(path=trees.dota(tmp_path / "dota")))


def test_the_real_lists_are_read_to_the_last_name(real_data, tmp_path):
    notes = []
    counts = {}
    for file in sorted((real_data / "annotations/ubnormal").glob("*_names.txt")):
        names = read_list(file, notes).names
        counts[file.stem.removesuffix("_video_names")] = len(names)
        (tmp_path / file.name).write_bytes(file.read_bytes())
        for name in names:
            path = tmp_path / f"Scene{name.split('_')[2]}" / f"{name}.mp4"
            path.parent.mkdir(exist_ok=True)
            path.touch()
    assert counts == {
        "abnormal_training": 82, "abnormal_validation": 38, "abnormal_test": 158,
        "normal_training": 186, "normal_validation": 26, "normal_test": 53,
    }  # fmt: skip
    assert notes == []
    reading = read(Parameters(path=tmp_path))
    assert len(reading.videos) == 543
    assert [sum(video.split == split for video in reading.videos) for split in ("train", "validation", "test")] == [268, 64, 211]
    (untracked,) = reading.rejections
    assert "278 abnormal video(s) have no tracks" in untracked.reason


def test_lists_in_a_folder_that_is_called_annotations_are_read(tmp_path):
    root = trees.ubnormal(tmp_path / "ub")
    (root / "scripts").rename(root / "ubnormal_annotations")
    assert {video.split for video in read(Parameters(path=root)).videos} == {"train", "validation", "test"}
