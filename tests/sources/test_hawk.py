import json

import pytest

from hawk_pipelines.sources.hawk import Parameters, read
from hawk_pipelines.sources.reading import SourceError


@pytest.fixture
def tree(tmp_path):
    root = tmp_path / "videos"
    for name in ("UCF_Crime/a.mp4", "CUHK_Avenue/01.avi", "Ped1/01.avi", "ShanghaiTech/x-1.avi", "twice/t.mp4", "other/t.mp4"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"")
    (tmp_path / "secret.mp4").write_bytes(b"")
    (root / "UCF_Crime/notes.txt").write_bytes(b"")

    def annotate(*videos, file="a.json", **changes):
        items = [{"video": v, "description": "Something.", "QA": [{"q": "What?", "a": "Something."}]} | changes for v in videos]
        (tmp_path / file).write_text(json.dumps(items))
        return Parameters(annotations=tmp_path / file, videos=root)

    return annotate


@pytest.mark.parametrize(
    ("published", "name"),
    [
        ("UCF_Crime/a.mp4", "UCF_Crime/a.mp4"),
        ("/remote-home/share/somebody/Data/UCF-Crime/a.mp4", "UCF_Crime/a.mp4"),
        ("/data/avenue/avenue/01.avi", "CUHK_Avenue/01.avi"),
        ("ped1/ped1/01.avi", "Ped1/01.avi"),
        ("ShanghaiTechDataset/X_1.avi", "ShanghaiTech/x-1.avi"),
        ("elsewhere/deep/a.mp4", "UCF_Crime/a.mp4"),
        ("D:\\videos\\UCF-Crime\\a.mp4", "UCF_Crime/a.mp4"),
        ("d:/videos/UCF-Crime/a.mp4", "UCF_Crime/a.mp4"),
        ("\\\\?\\D:\\videos\\UCF-Crime\\a.mp4", "UCF_Crime/a.mp4"),
        ("/videos/12:30/UCF-Crime/a.mp4", "UCF_Crime/a.mp4"),
        ("/videos/file:1/a.mp4", "UCF_Crime/a.mp4"),
    ],
)
def test_a_published_path_is_found_by_its_folders_then_by_a_unique_name(tree, published, name):
    (video,) = read(tree(published)).videos
    assert video.name == name
    assert video.description == "Something."
    assert video.split is None


@pytest.mark.parametrize(
    ("published", "reason"),
    [
        ("t.mp4", "several files could be meant"),
        ("gone.mp4", "no such file"),
        ("../secret.mp4", "climbs out of its folder"),
        *(
            (f"{address}a.mp4", "is an address on the web")
            for address in (
                *(
                    "https://example.invalid/",
                    "HTTP://x/",
                    " http://x/",
                    "file://",
                    "file:///data/",
                    "file:",
                    "file:/data/",
                    "s3://bucket/",
                ),
                *(
                    "gs://bucket/",
                    "gs:",
                    "rtsp:",
                    "rtsp://10.0.0.1/",
                    "ftp://x/",
                    "\\\\server\\share\\",
                    "//server/share/",
                    "smb:\\\\s\\",
                ),
                *("hdfs:/x/", "ana@server:/data/", "ana@server:", "data:video/mp4,", "unknown+1://x/", "nas:/UCF_Crime/"),
            )
        ),
        ("UCF_Crime/notes.txt", "no such file"),
        ("", "video: text is needed"),
        ("//", "path is empty"),
    ],
)
def test_what_cannot_be_found_is_refused_and_the_rest_goes_on(tree, published, reason):
    reading = read(tree(published, "UCF_Crime/a.mp4"))
    assert [video.name for video in reading.videos] == ["UCF_Crime/a.mp4"]
    assert reason in reading.rejections[0].reason


def test_items_without_a_video_or_with_another_shape_are_refused(tree, tmp_path):
    parameters = tree("UCF_Crime/a.mp4")
    good = json.loads((tmp_path / "a.json").read_text())
    bad = [{"description": "No video.", "QA": []}, "text", {"video": "Ped1/01.avi", "description": 3, "QA": []}]
    (tmp_path / "a.json").write_text(json.dumps(bad + good))
    reading = read(parameters)
    assert [(video.name, video.description) for video in reading.videos] == [
        ("Ped1/01.avi", ""),
        ("UCF_Crime/a.mp4", "Something."),
    ]
    assert ["video: text is needed" in r.reason for r in reading.rejections] == [True, False, False]
    assert [r.item for r in reading.rejections] == ["a.json[0]", "a.json[1]", "a.json[2]"]


def test_the_published_split_is_kept(tree, tmp_path):
    tree("UCF_Crime/a.mp4", file="all_videos_train.json")
    parameters = tree("Ped1/01.avi", file="all_videos_test.json")
    reading = read(parameters.model_copy(update={"annotations": tmp_path}))
    assert {video.name: video.split for video in reading.videos} == {"UCF_Crime/a.mp4": "train", "Ped1/01.avi": "test"}


@pytest.mark.parametrize(("text", "says"), [("{", "is not JSON"), ("{}", "holds an object"), ("[]", "an empty list")])
def test_a_file_that_is_no_list_of_annotations(tree, tmp_path, text, says):
    parameters = tree("UCF_Crime/a.mp4")
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(SourceError, match=says):
        read(parameters)


def test_no_item_at_all(tree):
    with pytest.raises(SourceError, match=r"No item of .* has its video"):
        read(tree("gone.mp4"))


def test_a_video_in_both_files_is_tested_on(tree, tmp_path):
    tree("UCF_Crime/a.mp4", file="all_videos_train.json")
    parameters = tree("UCF_Crime/a.mp4", "Ped1/01.avi", file="all_videos_test.json")
    reading = read(parameters.model_copy(update={"annotations": tmp_path}))
    assert {video.name: video.split for video in reading.videos} == {"UCF_Crime/a.mp4": "test", "Ped1/01.avi": "test"}
    assert "which an earlier item describes already; remove one. It is tested on." in reading.rejections[0].reason
