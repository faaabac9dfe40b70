import json
import re

import pytest

from hawk_pipelines.sources.dota import Parameters, read, read_metadata
from hawk_pipelines.sources.reading import SourceError
from tests.sources import trees

CLIP = "0RJPQ_97dcs_000199"


@pytest.mark.parametrize("images", ["images", "."])
def test_clips_classes_times_and_split_are_read(tmp_path, ingest, images):
    videos, said, _ = ingest("dota", trees.dota(tmp_path / "dota", images))
    assert said == []
    told = {name.split("/")[1]: (video.label, video.split, video.fps, video.group) for name, video in videos.items()}
    assert told == {
        CLIP: ("ego: turning", "train", 10.0, None),
        "0RJPQ_97dcs_000307": ("other: pedestrian", "train", 10.0, None),
        "0qfbmt4G8Rw_001060": ("ego: lateral", "test", 10.0, None),
    }
    spans = next(video.spans for name, video in videos.items() if CLIP in name)
    assert [(s.start_frame, s.end_frame, s.start_s, s.end_s) for s in spans] == [(3, 9, 0.3, 0.9)]


def test_clips_lie_beside_each_other_where_the_authors_script_puts_them(tmp_path):
    root = trees.dota(tmp_path / "dota", ".")
    for clip in (root / "frames").iterdir():
        if clip.is_dir():
            clip.rename(root / clip.name)
    (root / "frames").rename(tmp_path / "rest")
    assert len(read(Parameters(path=root)).videos) == 3


def test_annotations_of_clips_stand_in_for_the_metadata(tmp_path):
    root = trees.dota(tmp_path / "dota")
    for half in ("train", "val"):
        (root / f"dataset/metadata_{half}.json").unlink()
    videos = {video.path.parent.name: video for video in read(Parameters(path=root)).videos}
    assert (videos[CLIP].label, videos[CLIP].frame_spans, videos[CLIP].split) == ("ego: turning", [(3, 9)], "train")
    (root / f"annotations/{CLIP}.json").unlink()
    reading = read(Parameters(path=root))
    assert f"No metadata say what happens in 1 of 3 clips ({CLIP})" in reading.rejections[0].reason
    assert len(reading.videos) == 3


@pytest.mark.parametrize(
    ("changes", "says", "spans"),
    [
        ({"anomaly_end": 40}, "it is cut there", [(3, 12)]),
        ({"anomaly_start": 9, "anomaly_end": 3}, "no stretch of time", []),
        ({"anomaly_start": -4}, "no stretch of time", []),
        ({"num_frames": 40}, "longer than the video: 40 frames instead of 12", [(3, 9)]),
        ({"num_frames": 5}, "shorter than the video", [(3, 9)]),
        ({"anomaly_end": 10**400}, "anomaly_end: Input should be less than", [(3, 9)]),  # the clip's own annotation stands in
    ],
)
def test_times_that_do_not_fit_are_named(tmp_path, ingest, changes, says, spans):
    root = trees.dota(tmp_path / "dota")
    file = root / "dataset/metadata_train.json"
    told = json.loads(file.read_text())
    told[CLIP] |= changes
    file.write_text(json.dumps(told))
    videos, said, _ = ingest("dota", root)
    assert says in "\n".join(said)
    assert [(s.start_frame, s.end_frame) for s in videos[f"frames/{CLIP}/images"].spans] == spans
    assert len(videos) == 3


@pytest.mark.parametrize(("gone", "spans"), [(1, (2, 8)), (4, (0, 5))])
def test_where_the_first_pictures_are_missing_the_times_move(tmp_path, ingest, gone, spans):
    root = trees.dota(tmp_path / "dota")
    for number in range(gone):
        (root / f"frames/{CLIP}/images/{number:06d}.jpg").unlink()
    videos, said, _ = ingest("dota", root)
    assert f"begin at number {gone}, so that {gone} are missing before them, and its labels are moved accordingly" in said[0]
    assert len(said) == 1
    assert [(s.start_frame, s.end_frame) for s in videos[f"frames/{CLIP}/images"].spans] == [spans]


def test_pictures_numbered_from_1_are_the_same_frames(tmp_path, ingest):
    root = trees.dota(tmp_path / "dota")
    images = root / f"frames/{CLIP}/images"
    for number in range(11, -1, -1):
        (images / f"{number:06d}.jpg").rename(images / f"{number + 1:06d}.jpg")
    videos, said, _ = ingest("dota", root)
    assert said == []
    assert [(s.start_frame, s.end_frame) for s in videos[f"frames/{CLIP}/images"].spans] == [(3, 9)]


def test_frames_and_metadata_may_lie_in_folders_of_their_own(tmp_path):
    root = trees.dota(tmp_path / "sets/dota")
    (root / "frames").rename(tmp_path / "sets/frames part 1")
    (tmp_path / "sets/frames part 2").mkdir()
    (tmp_path / f"sets/frames part 1/{CLIP}").rename(tmp_path / f"sets/frames part 2/{CLIP}")
    reading = read(Parameters(path=tmp_path / "sets"))
    assert reading.rejections == []
    assert [(video.label is not None, video.split is not None) for video in reading.videos] == [(True, True)] * 3


def test_the_folder_of_images_goes_before_other_pictures_of_a_clip(tmp_path):
    root = trees.dota(tmp_path / "dota")
    trees.pictures(root / "frames" / CLIP, range(3), "flow{:03d}.jpg")
    assert {video.path.name for video in read(Parameters(path=root)).videos} == {"images"}


def test_metadata_that_cannot_be_read_cost_what_they_say_only(tmp_path):
    file = tmp_path / "metadata_train.json"
    notes = []
    file.write_text('{"a": {"anomaly_start": NaN, "anomaly_end": 2, "anomaly_class": "x", "num_frames": 3}, "b": [1], "a": {}}')
    assert read_metadata(file, notes) == {"a": None, "b": None}
    assert ["a twice" in notes[0].reason, "anomaly_start" in notes[1].reason, "b in" in notes[2].reason] == [True] * 3
    for content, says in (("[]", "holds a list"), ("{", "is not JSON")):
        file.write_text(content)
        notes.clear()
        assert read_metadata(file, notes) == {}
        assert says in notes[0].reason


def test_a_partly_extracted_archive_is_used_as_far_as_it_goes(tmp_path):
    root = trees.dota(tmp_path / "dota")
    for picture in (root / "frames" / CLIP / "images").iterdir():
        picture.unlink()
    reading = read(Parameters(path=root))
    assert len(reading.videos) == 2
    said = "\n".join(rejection.reason for rejection in reading.rejections)
    assert f"{CLIP} holds no pictures" in said
    assert "1 of the 2 videos that metadata_train.json names are not below" in said


def test_another_folder_is_refused(tmp_path):
    with pytest.raises(SourceError, match="does not look like DoTA"):
        read(Parameters(path=trees.ubnormal(tmp_path / "ub")))


def test_the_real_metadata_are_read_to_the_last_clip(real_data):
    notes = []
    told = {half: read_metadata(real_data / f"annotations/dota/metadata_{half}.json", notes) for half in ("train", "val")}
    assert {half: len(clips) for half, clips in told.items()} == {"train": 3275, "val": 1402}
    assert notes == []
    both = told["train"] | told["val"]
    assert len(both) == 4677
    assert all(re.fullmatch("(ego|other): [a-z_]+", clip.anomaly_class) for clip in both.values())
    assert sum(clip.anomaly_end > clip.num_frames for clip in both.values()) == 1
    for half, clips in told.items():
        assert set((real_data / f"annotations/dota/{half}_split.txt").read_text().split()) == set(clips)


def test_lists_and_metadata_that_disagree_are_named_and_the_clip_is_tested_on(tmp_path):
    root = trees.dota(tmp_path / "dota")
    (root / "dataset/val_split.txt").unlink()
    trees.text(root / "dataset/train_split.txt", [*trees.DOTA["train"], *trees.DOTA["val"]])
    reading = read(Parameters(path=root))
    assert sorted(video.split for video in reading.videos) == ["test", "train", "train"]
    assert (
        "The lists name 0qfbmt4g8rw_001060 for the train split, the metadata for the test split" in reading.rejections[0].reason
    )
