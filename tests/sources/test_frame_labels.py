import numpy as np
import pytest

from hawk_pipelines.sources.frame_labels import merged, picture_size, read_frame_labels, runs
from hawk_pipelines.sources.reading import SourceError
from tests.sources import trees


@pytest.mark.parametrize(
    ("labels", "spans"),
    [([], []), ([0, 0], []), ([1], [(0, 1)]), ([1, 1, 0, 5, 0, -1], [(0, 2), (3, 4), (5, 6)]), ([0.0, 0.5], [(1, 2)])],
)
def test_runs_of_labels_are_half_open_and_zero_based(labels, spans):
    assert runs(np.array(labels)) == spans


def test_spans_are_put_in_order_without_overlap():
    assert merged([(8, 20), (12, 16), (0, 2), (2, 4), (30, 31)]) == [(0, 4), (8, 20), (30, 31)]
    assert merged([]) == []


@pytest.mark.parametrize("shape", [(6,), (1, 6), (6, 1), (1, 1, 6)])
@pytest.mark.parametrize("dtype", [np.uint8, np.int64, bool, np.float32])
def test_labels_of_frames_may_lie_in_any_direction(tmp_path, shape, dtype):
    np.save(tmp_path / "a.npy", np.array([0, 1, 1, 0, 0, 1], dtype).reshape(shape))
    assert read_frame_labels(tmp_path / "a.npy") == (6, [(1, 3), (5, 6)], None, [], False)


def test_masks_of_pixels(tmp_path):
    masks = np.zeros((6, 30, 40), bool)
    masks[2, 29, 39] = masks[3, 0, 0] = True
    np.save(tmp_path / "a.npy", masks)
    assert read_frame_labels(tmp_path / "a.npy") == (6, [(2, 4)], (40, 30), [], False)


def test_pickled_labels_are_never_loaded(tmp_path):
    class Evil:
        def __reduce__(self):
            return (open, (str(tmp_path / "touched"), "w"))

    np.save(tmp_path / "a.npy", np.array([Evil()], object), allow_pickle=True)
    with pytest.raises(SourceError, match="no NumPy file of plain numbers"):
        read_frame_labels(tmp_path / "a.npy")
    assert not (tmp_path / "touched").exists()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 a cut archive", b"\x93NUMPY\x01\x00v\x00{'descr': ", b"no array"])
def test_a_damaged_file_is_refused(tmp_path, content):
    (tmp_path / "a.npy").write_bytes(content)
    with pytest.raises(SourceError, match="is no NumPy file of plain numbers"):
        read_frame_labels(tmp_path / "a.npy")


def test_masks_that_are_no_numbers_are_refused(tmp_path):
    masks = np.zeros((3, 4, 5))
    masks[1, 2, 3] = np.nan
    np.save(tmp_path / "a.npy", masks)
    with pytest.raises(SourceError, match="no numbers"):
        read_frame_labels(tmp_path / "a.npy")


def test_masks_as_pictures_go_by_rank_where_there_are_as_many_and_by_number_where_not(tmp_path):
    video = trees.pictures(tmp_path / "video", range(1, 7))
    whole = trees.masks(tmp_path / "whole", range(6), (2, 3))  # counted from 0, the pictures from 1
    assert read_frame_labels(whole, video) == (6, [(2, 4)], (96, 96), [], True)
    some = trees.masks(tmp_path / "some", (3, 4, 6), (3, 6))
    assert read_frame_labels(some, video) == (6, [(2, 3), (5, 6)], (96, 96), [0, 1, 4], True)


def test_a_mask_with_an_enormous_number_takes_no_memory(tmp_path):
    video = trees.pictures(tmp_path / "video", range(3))
    masks = trees.masks(tmp_path / "masks", (0, 1, 2, 10**17), (1,))
    assert read_frame_labels(masks, video) == (10**17 + 1, [(1, 2)], (96, 96), [], True)


def test_the_size_of_a_picture(tmp_path):
    (path,) = trees.masks(tmp_path / "a", (1,), (), size=(40, 30)).iterdir()
    assert picture_size(path) == (40, 30)
    huge = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + (200_000).to_bytes(4, "big") * 2 + b"\x08\x00\x00\x00\x00\x00\x00\x00\x00"
    for content in (b"", b"no picture", huge):
        path.write_bytes(content)
        assert picture_size(path) is None
