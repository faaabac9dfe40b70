"""Every published layout at once: our own trees, and those of the outside pack, with the counts that are in them."""

import os
import shutil
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from hawk_pipelines.sources.checking import check
from hawk_pipelines.sources.frame_labels import read_frame_labels
from hawk_pipelines.sources.parameters import PUBLISHED
from hawk_pipelines.sources.reading import SourceError
from tests.sources import trees

LAYOUTS = {  # folder: source, videos by split, labels, spans by video
    "UCF-Crime": (
        "ucf_crime",
        {"train": 5, "test": 5},
        {"Abuse": 2, "Arrest": 1, "Fighting": 1, "RoadAccidents": 2, "Vandalism": 1, "normal": 3},
        {
            "Abuse028_x264.mp4": [(10, 40)],
            "Fighting033_x264.mp4": [(5, 50)],
            "RoadAccidents002_x264.mp4": [(8, 20), (30, 45)],
            "RoadAccidents133_x264.mp4": [(20, 55)],
        },
    ),
    "UCF-Crime_single_archive": ("ucf_crime", {"train": 1, "test": 3}, {"Abuse": 1, "Fighting": 1, "normal": 2}, {}),
    "ShanghaiTech": (
        "shanghaitech",
        {"train": 3, "test": 2},
        {"normal": 3, "anomaly": 2},
        {"01_0014": [(9, 18)], "06_0153": [(8, 16)]},
    ),
    "CUHK_Avenue": (
        "cuhk_avenue",
        {"train": 2, "test": 2},
        {"normal": 2, "anomaly": 2},
        {"01.avi": [(10, 20)], "02.avi": [(7, 15)]},
    ),
    "UCSDped1": ("ucsd_ped1", {"train": 1, "test": 2}, {"normal": 1, "anomaly": 2}, {"Test001": [(5, 15)], "Test003": [(4, 14)]}),
    "UCSDped2": ("ucsd_ped2", {"train": 1, "test": 2}, {"normal": 1, "anomaly": 2}, {"Test001": [(6, 20)], "Test006": [(0, 12)]}),
    "DoTA": (
        "dota",
        {"train": 2, "test": 1},
        {"ego: leave_to_right": 1, "other: turning": 1, "ego: lateral": 1},
        {
            "0RJPQ_97dcs_000199/images": [(15, 28)],
            "0RJPQ_97dcs_000307/images": [(10, 30)],
            "0qfbmt4G8Rw_001060/images": [(12, 25)],
        },
    ),
    "UBnormal": (
        "ubnormal",
        {"train": 2, "test": 2},
        {"normal": 2, "anomaly": 2},
        {"abnormal_scene_1_scenario_1.mp4": [(8, 20)], "abnormal_scene_20_scenario_6.mp4": [(5, 21)]},
    ),
    "WebVid": ("webvid", {"train": 5, "test": 1}, {None: 6}, {}),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_layout_of_the_pack_is_read_with_its_exact_counts(real_data, ingest, layout):
    source, splits, labels, spans = LAYOUTS[layout]
    videos, said, _ = ingest(source, real_data / "layouts" / layout)
    assert Counter(video.split for video in videos.values()) == splits
    assert Counter(video.label for video in videos.values()) == labels
    seen = {video.name: [(span.start_frame, span.end_frame) for span in video.spans] for video in videos.values() if video.spans}
    assert sorted(seen.values()) == sorted(spans.values())
    assert all(any(name.endswith(ending) and spans[ending] == found for ending in spans) for name, found in seen.items())
    for video in videos.values():
        for span in video.spans:
            assert (span.start_s, span.end_s) == (span.start_frame / video.fps, span.end_frame / video.fps)
    assert {video.licence for video in videos.values()} == {PUBLISHED[source].LICENCE}
    expected = {"UCF-Crime": ["in neither official split list"], "WebVid": ["a video that is not below"]}.get(layout, [])
    assert [words in line for words, line in zip(expected, said, strict=True)] == [True] * len(expected)


@pytest.mark.parametrize(
    ("name", "frames", "marked"), [("avenue", 15324, 3867), ("ped2", 2010, 1648), ("shanghai", 40791, 17326)]
)
def test_the_published_labels_of_frames_are_read_to_the_last(real_data, name, frames, marked):
    labels = read_frame_labels(real_data / f"annotations/frame_labels/frame_labels_{name}.npy")
    assert labels.frames == frames
    assert (
        sum(end - start for start, end in labels.spans)
        == marked
        == int(np.load(real_data / f"annotations/frame_labels/frame_labels_{name}.npy").sum())
    )


def test_the_pack_is_recognised_whole(real_data):
    found = {(one.source, str(one.path.relative_to(real_data / "layouts")).split("/")[0]) for one in check(real_data / "layouts")}
    assert found == {(source, layout) for layout, (source, *_) in LAYOUTS.items()} | {("hawk", "HAWK_release")}


@pytest.mark.parametrize("source", trees.TREES)
@pytest.mark.parametrize("above", ["", "a", "a/b"])
def test_a_data_set_is_recognised_up_to_two_levels_deep(tmp_path, source, above):
    root = tmp_path / "sets"
    trees.TREES[source](root / above)
    wrapped = source in ("shanghaitech", "ucsd_ped1", "ucsd_ped2")  # their archives have a folder of their own around it
    assert [one.source for one in check(root)] == ([] if wrapped and above == "a/b" else [source])


@pytest.mark.parametrize("source", trees.TREES)
def test_nothing_else_takes_a_data_set_for_its_own(tmp_path, source):
    root = trees.TREES[source](tmp_path / "tree")
    (one,) = check(root)
    assert not one.complete
    assert one.reading.rejections == [] or source == "webvid"
    for other, module in PUBLISHED.items():
        if other != source:
            with pytest.raises(SourceError, match="does not look like"):
                module.read(module.Parameters(path=root))


def test_the_wrong_folder_is_told_by_what_it_looks_like(tmp_path, ingest):
    root = trees.dota(tmp_path / "dota")
    with pytest.raises(SourceError, match=r"does not look like UCF-Crime.*It looks like `dota`"):
        ingest("ucf_crime", root)


def test_two_copies_in_one_folder_count_once_or_are_refused(tmp_path, ingest):
    for source in ("dota", "shanghaitech"):
        shutil.copytree(trees.TREES[source](tmp_path / source / "one"), tmp_path / source / "two")
    videos, said, _ = ingest("dota", tmp_path / "dota")
    assert len(videos) == 3
    assert sum("is called like" in line for line in said) == 3
    with pytest.raises(SourceError, match="holds ShanghaiTech Campus 2 times"):
        ingest("shanghaitech", tmp_path / "shanghaitech")


@pytest.mark.parametrize(
    "name",
    [
        "training_videos/cat.mp4",
        "metadata_train.json",
        "Abuse028_x264.npy",
        "a.csv",
        "Scene1/film.mp4",
        "frames/1.jpg",
        "Test/Test001/001.tif",
        "training/videos/film.avi",
        "Annotation/a.json",
    ],
)
def test_other_folders_are_not_taken_for_a_data_set(tmp_path, name):
    trees.text(tmp_path / name, ["{}"])
    assert check(tmp_path) == []


@pytest.mark.parametrize("source", trees.TREES)
def test_links_in_circles_and_folders_that_cannot_be_read_stop_nothing(source, ingest):
    with tempfile.TemporaryDirectory() as folder:  # pytest's own may be entered by nobody else
        above = Path(folder)
        above.chmod(0o755)
        root = trees.TREES[source](above / "tree")
        (root / "loop").symlink_to("loop")
        (root / "up").symlink_to(above)
        (above / "secret").mkdir(mode=0)
        if os.geteuid() == 0:  # who may do everything cannot meet a folder that cannot be read
            os.seteuid(65534)
        try:
            (one,) = check(above)
        finally:
            os.seteuid(os.getuid())
            (above / "secret").chmod(0o755)
        assert (one.source, len(one.reading.videos)) == (source, len(ingest(source, root)[0]))


def test_what_is_not_there(tmp_path):
    with pytest.raises(SourceError, match="gone does not exist"):
        check(tmp_path / "gone")
    (tmp_path / "film.mp4").write_bytes(b"")
    assert check(tmp_path) == []
    assert check(tmp_path / "film.mp4") == []
