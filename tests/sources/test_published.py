import json

import pytest

from hawk_pipelines.sources import hawk
from hawk_pipelines.sources.published import join
from hawk_pipelines.sources.reading import FoundVideo, SourceError
from tests.sources import trees

AUTHORS = "/remote-home/share/somebody/Data"
PUBLISHED = {  # source: published path, and the video of our tree that it means
    "ucf_crime": ("UCF-Crime/videos/Abuse028_x264.mp4", "Anomaly-Videos-Part-1/Abuse/Abuse028_x264.mp4"),
    "shanghaitech": ("ShanghaiTechDataset/testing/videos/01_0014.mp4", "testing/frames/01_0014"),
    "cuhk_avenue": ("avenue/avenue/Video_Train/2_video.mp4", "Avenue Dataset/training_videos/02.avi"),
    "ucsd_ped1": ("ped1/ped1/training/videos/ped1_train_1_video.mp4", "Train/Train001"),
    "ucsd_ped2": ("ped2/ped2/testing/videos/3_video.mp4", "Test/Test003"),
    "dota": ("DoTA/Video/0RJPQ_97dcs_000199_video.mp4", "frames/0RJPQ_97dcs_000199/images"),
    "ubnormal": ("UBnormal/Scene1/normal_scene_1_scenario1_10.mp4", "Scene1/normal_scene_1_scenario1_10.mp4"),
}


def _annotations(folder, split, *videos):
    items = [{"video": video, "description": f"About {video}.", "QA": [{"q": "Who?", "a": "A man."}]} for video in videos]
    folder.mkdir(exist_ok=True)
    (folder / f"all_videos_{split}.json").write_text(json.dumps(items))


@pytest.mark.parametrize("source", PUBLISHED)
def test_a_video_of_the_original_data_set_is_found_by_what_it_was_published_as(tmp_path, ingest, source):
    published, name = PUBLISHED[source]
    folder = tmp_path / "annotations"
    _annotations(folder, "test", f"{AUTHORS}/{published}")
    _annotations(folder, "train", f"{AUTHORS}/{published.replace('.mp4', '9.mp4')}")
    videos, said, about = ingest(source, trees.TREES[source](tmp_path / "tree"), published=str(folder))
    assert about[name].description == f"About {AUTHORS}/{published}."
    assert (videos[name].split, videos[name].split_by) == ("test", "published")
    assert [video.description for other, video in about.items() if other != name] == [None] * (len(videos) - 1)
    (unmatched,) = [line for line in said if "annotations/" in line]
    assert "there is no such file among the videos" in unmatched


def test_sources_are_read_and_joined_together(tmp_path, ingest):
    folder = tmp_path / "annotations"
    _annotations(folder, "train", *(f"{AUTHORS}/{published}" for published, _ in PUBLISHED.values()))
    _annotations(folder, "test", f"{AUTHORS}/{PUBLISHED['dota'][0]}")
    some = ["ucsd_ped1", "ucsd_ped2", "cuhk_avenue"]
    paths = {source: {"path": str(trees.TREES[source](tmp_path / source))} for source in some}
    videos, said, about = ingest(some, published=str(folder), **paths)
    described = {name for name, video in about.items() if video.description}
    assert described == {f"{source}/{PUBLISHED[source][1]}" for source in some}
    assert {video.source for video in videos.values()} == set(some)
    assert "passed over: 2 of dota, 1 of shanghaitech, 1 of ubnormal, 1 of ucf_crime" in said[-1]


def test_a_folder_of_ones_own_is_joined_by_folders_and_name(tmp_path):
    _annotations(tmp_path / "annotations", "train", "gate-1/a.mp4", "elsewhere/b.mp4", "c.mp4", "a.mp4")
    _annotations(tmp_path / "annotations", "test", "gate_1/A.mp4")
    found = [FoundVideo(tmp_path / name, name) for name in ("gate_1/a.mp4", "b.mp4", "x/c.mp4", "y/c.mp4", "x/a.mp4")]
    joined = join(found, tmp_path / "annotations", "ingest.published")
    assert [video.description is not None for video in joined.videos] == [True, True, False, False, False]
    reasons = [rejection.reason for rejection in joined.rejections]
    assert "several files could be meant (x/c.mp4, y/c.mp4)" in reasons[0]
    assert "several files could be meant (gate_1/a.mp4, x/a.mp4)" in reasons[1]
    assert "gate_1/a.mp4, which an earlier item describes already" in reasons[2]
    assert joined.matched == 2


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_annotations_of_other_systems_are_read_alike(tmp_path, encoding):
    (tmp_path / "a.json").write_text('[{"video": "a.mp4", "description": "A café.", "QA": []}]', encoding=encoding)
    (video,) = join([FoundVideo(tmp_path / "a.mp4", "a.mp4")], tmp_path / "a.json", "ingest.published").videos
    assert video.description == "A café."


def test_annotations_that_are_not_there(tmp_path):
    with pytest.raises(SourceError, match=r"gone does not exist; set `ingest\.published`"):
        join([], tmp_path / "gone", "ingest.published")
    with pytest.raises(SourceError, match=r"all_videos_train\.json and .*all_videos_test\.json not found"):
        join([], tmp_path, "ingest.published")


def test_the_release_in_the_pack_is_matched_to_the_last_item(real_data):
    root = real_data / "layouts/HAWK_release"
    reading = hawk.read(hawk.Parameters(annotations=root / "Annotation/All_Mix", videos=root / "Videos"))
    assert len(reading.videos) == 9
    assert [sum(video.split == split for video in reading.videos) for split in ("train", "test")] == [7, 2]
    assert reading.rejections == []


def test_every_real_clip_is_found_by_what_it_was_published_as(real_data, tmp_path):
    names = [name for half in ("train", "val") for name in (real_data / f"annotations/dota/{half}_split.txt").read_text().split()]
    found = [FoundVideo(tmp_path / name, name, published_as=f"dota/{name}") for name in names]
    _annotations(tmp_path / "annotations", "train", *(f"{AUTHORS}/DoTA/Video/{name}_video.mp4" for name in names))
    _annotations(tmp_path / "annotations", "test", "../climbs.mp4")
    joined = join(found, tmp_path / "annotations", "ingest.published")
    assert (joined.matched, len(joined.rejections)) == (4677, 1)


def test_a_folder_is_joined_alike_alone_and_beside_other_sources(tmp_path, ingest):
    for name in ("a/x.mp4", "b/x.mp4"):
        trees.video(tmp_path / "f" / name)
    _annotations(tmp_path / "annotations", "train", "/z/a/x.mp4")
    _annotations(tmp_path / "annotations", "test", "/z/b/x.mp4")
    ped1 = {"path": str(trees.TREES["ucsd_ped1"](tmp_path / "ped1"))}
    paths = {"folder": {"path": str(tmp_path / "f")}, "published": str(tmp_path / "annotations")}
    alone, _, _ = ingest("folder", **paths)
    together, _, about = ingest(["folder", "ucsd_ped1"], ucsd_ped1=ped1, **paths)
    assert {name: video.split for name, video in alone.items()} == {"a/x.mp4": "train", "b/x.mp4": "test"}
    assert {name for name, video in about.items() if video.description} == {f"folder/{name}" for name in alone}
    assert len(together) == 5


@pytest.mark.parametrize(
    ("published", "is_matched"),
    [
        *((f"{prefix}/a.mp4", False) for prefix in ("hf:x", "minio:bucket", "x:y", "/vsicurl", "http\uff1a//x", "www.x.org")),
        *((f"{prefix}/a.mp4", True) for prefix in ("C:/x", "C:", "/data/x", "10:30")),
    ],
)
def test_what_may_be_an_address_is_not_matched_by_its_last_part(tmp_path, published, is_matched):
    name = "10:30/a.mp4" if published.startswith("10:30") else "a.mp4"
    file = tmp_path / "annotations.json"
    file.write_text(json.dumps([{"video": published, "description": "A man falls.", "QA": []}]))
    joined = join([FoundVideo(tmp_path / name, name)], file, "ingest.published")
    assert (joined.matched, bool(joined.rejections)) == (is_matched, not is_matched)


@pytest.mark.parametrize(
    ("anomaly", "words"),
    [
        ({"start": 1, "end": 2}, "times of an anomaly (start: 1, end: 2)"),
        ({"anomaly": [1, 2]}, "times of an anomaly (anomaly: [1, 2])"),
        ({"Anomaly Start": 3}, "times of an anomaly (Anomaly Start: 3)"),
        ({"anomaly_type": "fall"}, "a class of an anomaly (anomaly_type: fall)"),
        ({"anomaly_type": "none", "spans": [], "anomaly": False, "start": -1, "legend": "x"}, None),
    ],
)
def test_a_normal_video_with_an_anomaly_is_named(tmp_path, anomaly, words):
    file = tmp_path / "annotations.json"
    file.write_text(json.dumps([{"video": "a.mp4", "description": "A man walks.", "QA": [], "label": "Normal", **anomaly}]))
    reasons = [line.reason for line in join([FoundVideo(tmp_path / "a.mp4", "a.mp4")], file, "ingest.published").rejections]
    assert [f"calls its video normal, but gives {words}" in reason for reason in reasons] == ([True] if words else [])
