import base64
from pathlib import Path

import cv2
import numpy as np
import pytest

from hawk_pipelines.engine.store import ItemStore, MissingItem
from hawk_pipelines.evaluation.report.pictures import MOST_FRAMES, MOVING, SIDE, data_uri, overlaid, pictures
from hawk_pipelines.schema import StoredItem
from hawk_pipelines.video.flow import motion_mask
from hawk_pipelines.video.stored import ItemPlace, frame_item, unpack
from hawk_pipelines.video.streams import StreamParameters


@pytest.fixture(scope="module")
def stored(rendered, tmp_path_factory):
    """A rendered video in a frame store: twelve frames of 160 pixels, and five of 96."""
    store = ItemStore(tmp_path_factory.mktemp("frames"))
    for key, frames, size in (("many", 12, 160), ("few", 5, 96)):
        store.write(key, *frame_item(ItemPlace(Path(rendered[0].path)), StreamParameters(frames=frames), size))
    return store


@pytest.mark.parametrize("mask", ["soft", "hard"])
def test_an_item_has_evenly_chosen_small_frames_with_the_mask_that_the_model_has(stored, mask):
    found = pictures(stored, [StoredItem(item_id="item", key="many")], mask)("item")
    streams = unpack(stored.read("many"), stored.facts("many"))
    assert found.frames.shape == (MOST_FRAMES, SIDE, SIDE, 3)
    assert found.masks.shape == (MOST_FRAMES, SIDE, SIDE)
    chosen = [streams.times_s[0].tolist().index(time) for time in found.times_s]
    assert chosen == [0, 2, 3, 5, 6, 8, 9, 11]
    small = cv2.resize(streams.frames[0, 3], (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    np.testing.assert_array_equal(found.frames[2], small)
    weights = cv2.resize(motion_mask(streams.magnitude[0, 3], mask), (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    np.testing.assert_allclose(found.masks[2], weights, atol=1e-6)
    assert found.masks.max() > 0.5


def test_small_frames_stay_as_they_are(stored):
    found = pictures(stored, [StoredItem(item_id="item", key="few")], "soft")("item")
    np.testing.assert_array_equal(found.frames, unpack(stored.read("few"), stored.facts("few")).frames[0])


def test_an_item_that_is_not_stored_has_none_and_one_that_is_lost_is_an_error(stored):
    of = pictures(stored, [StoredItem(item_id="lost", key="lost")], "soft")
    assert of("unknown") is None
    with pytest.raises(MissingItem):
        of("lost")


def test_what_moves_is_coloured_over_a_grey_frame():
    frame = np.full((8, 8, 3), (10, 200, 30), np.uint8)
    mask = np.zeros((8, 8), np.float32)
    mask[:4] = 1
    mask[4] = 0.5
    seen = overlaid(frame, mask)
    assert (seen[:4] == MOVING).all()
    assert (np.ptp(seen[5:], axis=-1) == 0).all()
    half = (seen[5, 0].astype(int) + MOVING) / 2
    np.testing.assert_allclose(seen[4, 0], half, atol=1)


def test_a_picture_that_stands_in_the_page_is_the_picture():
    picture = np.zeros((32, 48, 3), np.uint8)
    picture[:, 24:] = (220, 40, 20)
    kind, _, packed = data_uri(picture).partition(",")
    assert kind == "data:image/webp;base64"
    again = cv2.imdecode(np.frombuffer(base64.b64decode(packed), np.uint8), cv2.IMREAD_COLOR_RGB)
    assert again.shape == picture.shape
    assert np.abs(again.astype(int) - picture).mean() < 12
