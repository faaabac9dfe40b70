import json

import pytest

from hawk_pipelines.sources.reading import SourceError
from hawk_pipelines.sources.ucf_crime import Parameters, looks_like, read, read_captions, read_times
from tests.sources import trees


@pytest.mark.parametrize("build", [trees.ucf_crime, trees.ucf_crime_single])
def test_both_ways_of_unpacking_give_the_same_videos(tmp_path, build):
    reading = read(Parameters(path=build(tmp_path / "ucf")))
    videos = {video.path.stem: (video.label, video.split, video.split_by) for video in reading.videos}
    assert videos == {
        "Abuse001_x264": ("Abuse", "train", "official"),
        "Arrest002_x264": ("Arrest", "train", "official"),
        "Normal_Videos001_x264": ("normal", "train", "official"),
        "Abuse028_x264": ("Abuse", "test", "official"),
        "RoadAccidents002_x264": ("RoadAccidents", "test", "official"),
        "Normal_Videos_003_x264": ("normal", "test", "official"),
    }
    assert reading.rejections == []
    assert "we know of no stated licence" in reading.licence


def test_times_are_frames_at_the_videos_own_rate(tmp_path, ingest):
    videos, said, _ = ingest("ucf_crime", trees.ucf_crime(tmp_path / "ucf"))
    assert said == []
    abuse = videos["Anomaly-Videos-Part-1/Abuse/Abuse028_x264.mp4"]
    assert [(s.start_frame, s.end_frame, s.start_s, s.end_s) for s in abuse.spans] == [(2, 8, 0.2, 0.8)]
    accident = videos["Anomaly-Videos-Part-2/RoadAccidents/RoadAccidents002_x264.mp4"]
    assert (accident.fps, [(s.start_s, s.end_s) for s in accident.spans]) == (5.0, [(0.2, 0.6), (1.2, 1.8)])
    assert [video.spans for video in videos.values() if video.label == "normal" or video.split == "train"] == [[]] * 4


def test_captions_reach_their_video_wherever_they_lie(tmp_path):
    root = trees.ucf_crime(tmp_path / "ucf")
    elsewhere = (root / "UCFCrime_Train.json").rename(tmp_path / "captions.json")
    for uca, expected in ((None, 0), (elsewhere, 3)):
        videos = read(Parameters(path=root, uca=uca)).videos
        captions = [caption for video in videos for caption in video.captions]
        assert len(captions) == expected
    assert captions[0] == (0.0, 0.5, "A man shouts.")


def test_without_lists_the_temporal_annotation_tells_the_test_set(tmp_path):
    root = trees.ucf_crime(tmp_path / "ucf")
    for half in ("Train", "Test"):
        (root / f"UCF_Crimes-Train-Test-Split/Anomaly_Detection_splits/Anomaly_{half}.txt").unlink()
    splits = {video.path.stem: video.split for video in read(Parameters(path=root)).videos}
    assert {name for name, split in splits.items() if split == "test"} == {
        "Abuse028_x264",
        "RoadAccidents002_x264",
        "Normal_Videos_003_x264",
    }
    assert set(splits.values()) == {"train", "test"}
    (root / "Temporal_Anomaly_Annotation_for_Testing_Videos.txt").unlink()
    assert {video.split for video in read(Parameters(path=root)).videos} == {None}


def test_a_partly_extracted_archive_is_used_as_far_as_it_goes(tmp_path):
    root = trees.ucf_crime(tmp_path / "ucf")
    (root / "Anomaly-Videos-Part-1/Abuse/Abuse028_x264.mp4").unlink()
    trees.video(root / "Anomaly-Videos-Part-1/Abuse/Abuse099_x264.mp4")
    trees.video(root / "Anomaly-Videos-Part-1/Abuse/holiday.mp4")
    reading = read(Parameters(path=root))
    assert len(reading.videos) == 5
    said = "\n".join(rejection.reason for rejection in reading.rejections)
    assert "1 of the 3 videos that Anomaly_Test.txt names are not below" in said
    assert "Abuse028_x264" in said
    assert "Abuse099_x264.mp4 is in neither official split list" in said
    assert "1 video file(s) not named like those of UCF-Crime are left out" in said
    assert "holiday.mp4" in said


@pytest.mark.parametrize(("encoding", "ends"), [("utf-8-sig", "\r\n"), ("utf-16", "\r\n"), ("utf-16-le", "\n"), ("utf-8", "\r")])
def test_lists_of_other_systems_are_read_alike(tmp_path, encoding, ends):
    root = trees.ucf_crime(tmp_path / "ucf")
    lists = root / "UCF_Crimes-Train-Test-Split/Anomaly_Detection_splits"
    trees.text(lists / "Anomaly_Train.txt", trees.UCF_TRAIN, ends, encoding)
    trees.text(root / "Temporal_Anomaly_Annotation_for_Testing_Videos.txt", trees.UCF_TIMES, ends, encoding)
    reading = read(Parameters(path=root))
    assert reading.rejections == []
    assert sum(video.split == "train" for video in reading.videos) == 3
    assert sum(len(video.frame_spans) for video in reading.videos) == 3


def test_bad_lines_of_lists_are_named_and_the_others_are_used(tmp_path):
    root = trees.ucf_crime(tmp_path / "ucf")
    lists = root / "UCF_Crimes-Train-Test-Split/Anomaly_Detection_splits"
    bad = ["../../secret/Abuse028_x264.mp4", "https://example.invalid/Abuse028_x264.mp4", "Abuse/Abuse001_x264.mp4"]
    trees.text(lists / "Anomaly_Train.txt", trees.UCF_TRAIN + bad)
    reading = read(Parameters(path=root))
    assert [rejection.reason.split("which ")[1].split(";")[0] for rejection in reading.rejections] == [
        "climbs out of its folder",
        "is an address on the web, and only files are read",
        "is listed twice",
    ]
    assert len(reading.videos) == 6


def test_a_video_in_both_lists_is_tested_on(tmp_path):
    root = trees.ucf_crime(tmp_path / "ucf")
    trees.text(
        root / "UCF_Crimes-Train-Test-Split/Anomaly_Detection_splits/Anomaly_Train.txt", trees.UCF_TRAIN + trees.UCF_TEST[:1]
    )
    reading = read(Parameters(path=root))
    assert {video.split for video in reading.videos if video.path.stem == "Abuse028_x264"} == {"test"}
    assert "names Abuse028_x264 for the train split, another list for the test split" in reading.rejections[0].reason


def test_spans_that_cannot_be_are_named_and_the_others_are_kept(tmp_path, ingest):
    root = trees.ucf_crime(tmp_path / "ucf")
    lines = [
        "Abuse028_x264.mp4  Abuse  8  2  3  99",
        "RoadAccidents002_x264.mp4  RoadAccidents  -5  3  50  60",
        "Arrest002_x264.mp4 Arrest nan 4 1 2",
    ]
    lines += [lines[0], "what is this", f"Abuse001_x264.mp4 Abuse 1 {'9' * 400}", "Normal_Videos_003_x264.mp4  Normal  4"]
    trees.text(root / "Temporal_Anomaly_Annotation_for_Testing_Videos.txt", lines)
    videos, said, _ = ingest("ucf_crime", root)
    spans = {
        name.rpartition("/")[2]: [(s.start_frame, s.end_frame) for s in video.spans]
        for name, video in videos.items()
        if video.spans
    }
    assert spans == {"Abuse028_x264.mp4": [(3, 12)]}
    said = "\n".join(said)
    for words in (
        "frames 8 to 2 (0.80 to 0.20 s), which is no stretch",
        "frames 3 to 99 (0.30 to 9.90 s), but the video ends at 1.20 s; it is cut",
        "frames -5 to 3",
        "frames 50 to 60",
        "Arrest nan 4 1 2",
        "abuse028_x264 twice",
        "'what is this'",
        "Normal  4",
    ):
        assert words in said


def test_captions_that_cannot_be_are_named_and_the_others_are_kept(tmp_path, ingest):
    root = trees.ucf_crime(tmp_path / "ucf")
    times, sentences = '[[0.5, 0.1], [NaN, 1], [-1, 1], [0, 99], [50, 60], "x", [0, 1]]', '["a", "b", "c", "d", "e", "f"]'
    told = f'{{"Abuse001_x264": {{"timestamps": {times}, "sentences": {sentences}}}, '
    told += '"Abuse028_x264": {"sentences": []}, "Abuse001_x264": {"timestamps": [], "sentences": []}}'
    (root / "UCFCrime_Train.json").write_text(told)
    _, said, about = ingest("ucf_crime", root)
    captions = about["Anomaly-Videos-Part-1/Abuse/Abuse001_x264.mp4"].captions
    assert captions == [(0.0, pytest.approx(1.2), "d")]
    said = "\n".join(said)
    for words in (
        "from 0.5 to 0.1 s",
        "from nan to 1 s",
        "from -1 to 1 s",
        "from 0 to 99 s, but the video ends at 1.20 s; it is cut there",
        "from 50 to 60 s",
        "'x' instead of two numbers",
        "7 times, but 6 sentences",
        "no lists of `timestamps` and `sentences`",
        "Abuse001_x264 twice",
    ):
        assert words in said


@pytest.mark.parametrize(
    ("content", "says"), [(b"{", "is not JSON"), (b"[1]", "holds a list"), (b"\xff\xd8\xff\xe0 no text", "no text in UTF-8")]
)
def test_a_file_of_captions_that_is_none_costs_its_captions_only(tmp_path, content, says):
    root = trees.ucf_crime(tmp_path / "ucf")
    (root / "UCFCrime_Val.json").write_bytes(content)
    reading = read(Parameters(path=root))
    assert says in reading.rejections[0].reason
    assert sum(len(video.captions) for video in reading.videos) == 3


def test_a_list_that_is_no_text_is_left_out(tmp_path):
    root = trees.ucf_crime(tmp_path / "ucf")
    (root / "UCF_Crimes-Train-Test-Split/Anomaly_Detection_splits/Anomaly_Train.txt").write_bytes(b"\xff\xd8\xff\xe0 a picture")
    reading = read(Parameters(path=root))
    assert "Until then the list is left out" in reading.rejections[0].reason
    assert {video.split for video in reading.videos} == {"train", "test"}


def test_another_folder_is_refused(tmp_path):
    (tmp_path / "empty").mkdir()
    assert not looks_like(tmp_path / "empty")
    with pytest.raises(SourceError, match="does not look like UCF-Crime"):
        read(Parameters(path=tmp_path / "empty"))
    with pytest.raises(SourceError, match=r"gone does not exist; set `ingest\.ucf_crime\.path`"):
        read(Parameters(path=tmp_path / "gone"))
    with pytest.raises(SourceError, match=r"ingest\.ucf_crime\.uca"):
        read(Parameters(path=trees.ucf_crime(tmp_path / "ucf"), uca=tmp_path / "gone"))
    with pytest.raises(SourceError, match=r"empty holds no UCFCrime_Train\.json"):
        read(Parameters(path=tmp_path / "ucf", uca=tmp_path / "empty"))


def test_the_real_annotations_are_read_to_the_last_row(real_data):
    notes = []
    times, is_whole = read_times(real_data / "annotations/ucf_crime/Temporal_Anomaly_Annotation.txt", notes)
    assert is_whole
    assert len(times) == 290
    assert sum(not spans for spans in times.values()) == 150
    assert sum(map(len, times.values())) == 156
    assert times["abuse028_x264"] == [(165, 240)]
    files = [real_data / f"annotations/uca/UCFCrime_{half}.json" for half in ("Train", "Val", "Test")]
    captions = read_captions(files, notes)
    counts = [sum(map(len, read_captions([file], notes).values())) for file in files]
    assert (len(captions), sum(counts)) == (1854, 23542)
    assert all(0 <= caption.start_s < caption.end_s for of_video in captions.values() for caption in of_video)
    assert notes == []


def test_the_real_lists_and_times_fit_a_tree_of_all_names(real_data, tmp_path):
    lists = real_data / "annotations/ucf_crime"
    for half in ("Train", "Test"):
        for line in (lists / f"Anomaly_{half}.txt").read_text().split():
            path = tmp_path / "Anomaly-Videos-Part-1" / line
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    for file in lists.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    reading = read(Parameters(path=tmp_path, uca=real_data / "annotations/uca"))
    assert reading.rejections == []
    assert all(part.complete for part in reading.parts)
    assert [sum(video.split == split for video in reading.videos) for split in ("train", "test")] == [1610, 290]
    assert sum(len(video.captions) for video in reading.videos) == 23542
    assert json.dumps(sorted({video.label for video in reading.videos})).count('"') == 28  # 13 classes and normal


def test_sentences_that_are_no_texts_are_no_captions(tmp_path):
    notes = []
    told = {
        "Abuse001_x264.mp4": {"timestamps": [[0, 1]] * 5 + [[0, 10**400]], "sentences": [None, {}, 3, " ", "A man.", "Late."]},
        "Abuse002_x264": {"timestamps": [[0, 1]] * 2, "sentences": "xy"},
        "film": {"timestamps": [], "sentences": []},
    }
    captions = read_captions([trees.text(tmp_path / "a.json", [json.dumps(told)])], notes)
    assert captions == {"abuse001_x264": [(0.0, 1.0, "A man.")], "abuse002_x264": []}
    assert len(notes) == 5 + 1 + 1


def test_names_are_one_in_small_and_capital_letters_and_linked_parts_are_read(tmp_path):
    root = trees.ucf_crime(tmp_path / "ucf")
    (root / "Anomaly-Videos-Part-1").rename(tmp_path / "disk")
    (root / "Anomaly-Videos-Part-1").symlink_to(tmp_path / "disk")
    (tmp_path / "disk/Abuse/Abuse028_x264.mp4").rename(tmp_path / "disk/Abuse/abuse028_X264.MP4")
    reading = read(Parameters(path=root))
    assert reading.rejections == []
    (video,) = [video for video in reading.videos if "028" in video.name]
    assert (video.label, video.split, video.frame_spans, len(video.captions)) == ("Abuse", "test", [(2, 8)], 1)


def test_lists_of_the_same_kind_are_read_together(tmp_path):
    root = trees.ucf_crime(tmp_path / "ucf")
    trees.text(root / "A/Anomaly_Test.txt", trees.UCF_TEST[:1])
    trees.text(root / "A/Temporal_Anomaly_Annotation.txt", trees.UCF_TIMES[:1])
    trees.text(root / "A/UCFCrime_Train.json", [json.dumps(trees.UCA)])
    reading = read(Parameters(path=root))
    assert reading.rejections == []
    assert sum(video.split == "test" for video in reading.videos) == 3
    assert sum(len(video.frame_spans) for video in reading.videos) == 3
    trees.text(root / "A/UCFCrime_Train.json", [json.dumps(trees.UCA).replace("cat", "dog")])
    (otherwise,) = read(Parameters(path=root)).rejections
    assert "describes Abuse028_x264 otherwise than another file" in otherwise.reason


def test_without_a_test_list_a_damaged_time_keeps_its_video_out_of_training(tmp_path):
    root = trees.ucf_crime(tmp_path / "ucf")
    (root / "UCF_Crimes-Train-Test-Split/Anomaly_Detection_splits/Anomaly_Test.txt").unlink()
    trees.text(
        root / "UCF_Crimes-Train-Test-Split/Anomaly_Detection_splits/Anomaly_Train.txt", trees.UCF_TRAIN + trees.UCF_TEST[1:2]
    )
    times = ["Abuse028_x264.mp4  Abuse  2  8x  -1  -1", *trees.UCF_TIMES[1:]]
    trees.text(root / "Temporal_Anomaly_Annotation_for_Testing_Videos.txt", times)
    reading = read(Parameters(path=root))
    assert {video.path.stem for video in reading.videos if video.split == "test"} == {
        "Abuse028_x264",
        "RoadAccidents002_x264",
        "Normal_Videos_003_x264",
    }
    said = "\n".join(rejection.reason for rejection in reading.rejections)
    assert "so the times of its anomalies are unknown" in said
    assert "Anomaly_Train.txt names 1 video(s) whose times are those of test videos (roadaccidents002_x264)" in said
