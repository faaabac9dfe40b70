import numpy as np
import pytest

from hawk_pipelines.sources.reading import SourceError
from hawk_pipelines.sources.shanghaitech import Parameters, read
from tests.sources import trees


def test_both_halves_and_the_labels_are_read(tmp_path, ingest):
    videos, said, _ = ingest("shanghaitech", trees.shanghaitech(tmp_path / "st"))
    assert said == []
    assert {name: (video.label, video.split, video.split_by) for name, video in videos.items()} == {
        "training/videos/01_001.avi": ("normal", "train", "official"),
        "training/videos/06_001.avi": ("normal", "train", "official"),
        "testing/frames/01_0014": ("anomaly", "test", "official"),
        "testing/frames/06_0153": ("normal", "test", "official"),
    }
    clip = videos["testing/frames/01_0014"]
    assert (clip.fps, clip.frames) == (24.0, 12)
    assert [(s.start_frame, s.end_frame, s.start_s, s.end_s) for s in clip.spans] == [(3, 8, 3 / 24, 8 / 24)]


def test_masks_of_pixels_stand_in_for_labels_of_frames(tmp_path, ingest):
    root = trees.shanghaitech(tmp_path / "st")
    (root / "shanghaitech/testing/test_frame_mask/01_0014.npy").unlink()
    videos, said, _ = ingest("shanghaitech", root)
    assert said == []
    assert [(s.start_frame, s.end_frame) for s in videos["testing/frames/01_0014"].spans] == [(3, 8)]


def test_a_clip_without_labels_is_not_called_normal(tmp_path, ingest):
    root = trees.shanghaitech(tmp_path / "st")
    for kind in ("frame", "pixel"):
        (root / f"shanghaitech/testing/test_{kind}_mask/06_0153.npy").unlink()
    videos, said, _ = ingest("shanghaitech", root)
    assert videos["testing/frames/06_0153"].label is None
    assert "06_0153 has no labels" in said[0]


@pytest.mark.parametrize(
    ("labels", "says", "spans"),
    [
        (np.array([0] * 10 + [1] * 10), "longer than the video: 20 frames instead of 12", [(10, 12)]),
        (np.array([0, 1, 1]), "shorter than the video: 3 frames instead of 12", [(1, 3)]),
        (np.array([0.0, np.nan]), "no numbers (NaN)", [(3, 8)]),  # the masks of pixels stand in
        (np.array(["a", "b"]), "does not hold one array of numbers", [(3, 8)]),
        (np.zeros((2, 3)), "an array of the shape (2, 3)", [(3, 8)]),
        (np.array([{}, {}], object), "no NumPy file of plain numbers", [(3, 8)]),
    ],
)
def test_labels_that_do_not_fit_are_named(tmp_path, ingest, labels, says, spans):
    root = trees.shanghaitech(tmp_path / "st")
    np.save(root / "shanghaitech/testing/test_frame_mask/01_0014.npy", labels, allow_pickle=True)
    videos, said, _ = ingest("shanghaitech", root)
    assert says in said[0]
    assert [(s.start_frame, s.end_frame) for s in videos["testing/frames/01_0014"].spans] == spans
    assert len(videos) == 4


def test_masks_of_another_size_still_tell_the_time(tmp_path, ingest):
    root = trees.shanghaitech(tmp_path / "st")
    (root / "shanghaitech/testing/test_frame_mask/01_0014.npy").unlink()
    masks = np.zeros((12, 30, 40), np.uint8)
    masks[2:4, 5, 5] = 1
    np.save(root / "shanghaitech/testing/test_pixel_mask/01_0014.npy", masks)
    videos, said, _ = ingest("shanghaitech", root)
    assert "are 40×30, but the video is 96×96; only their times are used" in said[0]
    assert [(s.start_frame, s.end_frame) for s in videos["testing/frames/01_0014"].spans] == [(2, 4)]


def test_clips_whose_pictures_begin_at_1_or_have_holes_or_lack_the_first(tmp_path, ingest):
    root = trees.shanghaitech(tmp_path / "st")
    home = root / "shanghaitech/testing"
    for name, numbers in (("01_0001", range(1, 13)), ("01_0002", [0, 1, 3]), ("01_0003", range(5, 12))):
        trees.pictures(home / "frames" / name, numbers)
        np.save(home / "test_frame_mask" / f"{name}.npy", np.array([0] * 3 + [1] * 4 + [0] * 5))
    (home / "frames/01_0004").mkdir()
    videos, said, _ = ingest("shanghaitech", root)
    assert [(s.start_frame, s.end_frame) for s in videos["testing/frames/01_0001"].spans] == [(3, 7)]
    assert "testing/frames/01_0002" not in videos
    assert [(s.start_frame, s.end_frame) for s in videos["testing/frames/01_0003"].spans] == [(0, 2)]
    said = "\n".join(said)
    assert "number 2 is missing" in said
    assert "begin at number 5, so that 5 are missing before them, and its labels are moved accordingly" in said
    assert "01_0004 holds no pictures" in said


def test_a_clip_as_a_file_and_as_pictures_counts_once(tmp_path):
    root = trees.shanghaitech(tmp_path / "st")
    trees.pictures(root / "shanghaitech/training/frames/01_001", range(12))
    names = [video.name for video in read(Parameters(path=root)).videos]
    assert "training/videos/01_001.avi" in names
    assert "training/frames/01_001" not in names
    trees.video(root / "shanghaitech/training/videos/01_001.mp4")
    (twin,) = read(Parameters(path=root)).rejections
    assert "01_001.mp4 is called like" in twin.reason


def test_another_folder_is_refused(tmp_path):
    with pytest.raises(SourceError, match="does not look like ShanghaiTech Campus"):
        read(Parameters(path=trees.ucf_crime(tmp_path / "ucf")))
