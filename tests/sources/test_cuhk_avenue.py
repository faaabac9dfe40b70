import numpy as np
import pytest
from scipy.io import savemat

from hawk_pipelines.sources.cuhk_avenue import Parameters, read
from hawk_pipelines.sources.reading import SourceError
from tests.sources import trees


def test_both_halves_and_the_masks_are_read(tmp_path, ingest):
    videos, said, _ = ingest("cuhk_avenue", trees.cuhk_avenue(tmp_path / "avenue"))
    assert said == []
    assert {name: (video.label, video.split) for name, video in videos.items()} == {
        "Avenue Dataset/training_videos/01.avi": ("normal", "train"),
        "Avenue Dataset/training_videos/02.avi": ("normal", "train"),
        "Avenue Dataset/testing_videos/01.avi": ("anomaly", "test"),
        "Avenue Dataset/testing_videos/02.avi": ("normal", "test"),
    }
    spans = videos["Avenue Dataset/testing_videos/01.avi"].spans
    assert [(s.start_frame, s.end_frame, s.start_s, s.end_s) for s in spans] == [(4, 9, 4 / 25, 9 / 25)]


def test_a_video_without_masks_is_not_called_normal(tmp_path, ingest):
    root = trees.cuhk_avenue(tmp_path / "avenue")
    (root / "ground_truth_demo/testing_label_mask/2_label.mat").rename(root / "ground_truth_demo/testing_label_mask/9_label.mat")
    videos, said, _ = ingest("cuhk_avenue", root)
    assert videos["Avenue Dataset/testing_videos/02.avi"].label is None
    assert "has no labels (2_label.mat)" in said[0]
    assert "9_label.mat labels a video that is not there" in said[1]


@pytest.mark.parametrize("content", [b"", b"no MATLAB", b"MATLAB 7.3 MAT-file, Platform: GLNXA64" + bytes(200)])
def test_a_file_of_masks_that_cannot_be_read_costs_its_times_only(tmp_path, ingest, content):
    root = trees.cuhk_avenue(tmp_path / "avenue")
    (root / "ground_truth_demo/testing_label_mask/1_label.mat").write_bytes(content)
    videos, said, _ = ingest("cuhk_avenue", root)
    assert "no MATLAB file with a `volLabel` that can be read" in said[0]
    assert videos["Avenue Dataset/testing_videos/01.avi"].label is None
    assert len(videos) == 4


def test_a_cut_file_of_masks_and_one_of_another_kind(tmp_path, ingest):
    root = trees.cuhk_avenue(tmp_path / "avenue")
    masks = root / "ground_truth_demo/testing_label_mask"
    (masks / "1_label.mat").write_bytes((masks / "1_label.mat").read_bytes()[:-300])
    savemat(masks / "2_label.mat", {"volLabel": np.zeros((3, 4))})
    videos, said, _ = ingest("cuhk_avenue", root)
    assert "no MATLAB file with a `volLabel` that can be read" in said[0]
    assert "no row of masks, one a frame" in said[1]
    assert len(videos) == 4


def test_odd_names_and_repeated_numbers_are_named(tmp_path):
    root = trees.cuhk_avenue(tmp_path / "avenue")
    trees.video(root / "Avenue Dataset/training_videos/1.avi")
    trees.video(root / "Avenue Dataset/training_videos/holiday.mp4")
    reading = read(Parameters(path=root))
    (root / "ground_truth_demo/testing_label_mask/01_label.mat").touch()
    reading = read(Parameters(path=root))
    assert len(reading.videos) == 4
    said = "\n".join(rejection.reason for rejection in reading.rejections)
    for words in ("1.avi is called like", "holiday.mp4 is not named like", "1_label.mat is called like"):
        assert words in said


def test_archives_in_folders_of_their_own_and_of_other_names_are_put_together(tmp_path, ingest):
    root = trees.cuhk_avenue(tmp_path / "avenue")
    (root / "Avenue Dataset").rename(tmp_path / "moved")
    (root / "Avenue_Dataset").mkdir()
    (tmp_path / "moved").rename(root / "Avenue_Dataset/avenue dataset")
    (root / "ground_truth_demo").rename(tmp_path / "moved")
    (root / "truth").mkdir()
    (tmp_path / "moved").rename(root / "truth/ground_truth_demo")
    videos, said, _ = ingest("cuhk_avenue", root)
    assert said == []
    assert sorted(video.label for video in videos.values()) == ["anomaly", "normal", "normal", "normal"]


def test_a_folder_with_one_archive_only_is_recognised(tmp_path):
    root = trees.cuhk_avenue(tmp_path / "avenue")
    assert len(read(Parameters(path=root / "Avenue Dataset")).videos) == 4
    with pytest.raises(SourceError, match="does not look like CUHK Avenue"):
        read(Parameters(path=root / "ground_truth_demo/testing_label_mask"))
