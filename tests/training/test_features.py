import pytest
import torch

from hawk_pipelines.engine.store import ItemStore
from hawk_pipelines.model.settings import TinyFrameEncoderSettings
from hawk_pipelines.schema import StoredItem
from hawk_pipelines.training.errors import TrainingError
from hawk_pipelines.training.features import Features, with_features
from tests.training.made import ENCODER, facts, sentences, stored, tokens


def _features(folder, items=("a", "b")):
    store, features = stored(folder / "store", items)
    return Features(features, store)


def _changed(folder, **changes):
    """Features of two items, of which the second was made in another way."""
    store = ItemStore(folder / "store")
    for number, told in enumerate([{}, changes]):
        store.write(f"{number:032x}", tokens(), facts(**told))
    return Features([StoredItem(item_id=item, key=f"{number:032x}") for number, item in enumerate("ab")], store)


def test_each_sampling_is_read_with_its_times(tmp_path):
    features = _features(tmp_path)
    assert (len(features), "a" in features, "c" in features) == (2, True, False)
    assert features.times_s("b") == [(0.0, 1.0, 2.0, 3.0), (0.5, 1.5, 2.5, 3.5)]
    for sampling in (0, 1):
        read = features.read("b", sampling)
        for name, found in (("appearance", read.appearance), ("motion", read.motion)):
            assert torch.equal(found, torch.from_numpy(tokens(seed=1)[name][sampling]))
        assert read.times_s == features.times_s("b")[sampling]


def test_how_they_were_made_is_told_where_all_are_alike(tmp_path):
    made = _features(tmp_path).made_by(ENCODER, "soft", 4, "farneback")
    assert (made.frame_encoder, made.frame_encoder_sha256, made.mask, made.frames, made.flow) == (
        ENCODER, None, "soft", 4, "farneback",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"mask": "hard"}, r"features of b in .*store are not those of the settings: mask is hard there, soft here"),
        ({"flow": "dis"}, "flow is dis there, farneback here"),
        ({"frame_encoder": {"kind": "tiny", "size": 64}}, "frame_encoder is {'kind': 'tiny', 'size': 64} there, .*'size': 32"),
        ({"frame_encoder_sha256": "0" * 64}, "were made by 2 different frame encoders"),
        ({"times_s": [[0.0, 1.0, 2.0, 3.0, 4.0]]}, "features of b in .*store have 5 frames, but `motion.frames` is 4"),
    ],
)
def test_features_made_in_another_way_are_refused(tmp_path, changes, said):
    with pytest.raises(TrainingError, match=said) as told:
        _changed(tmp_path, **changes).made_by(ENCODER, "soft", 4, "farneback")
    assert "kedro run --pipelines=motion,encode" in str(told.value)


def test_settings_that_were_changed_after_encoding_are_refused(tmp_path):
    other = TinyFrameEncoderSettings(size=64, grid=2, prototypes=6, position_width=4)
    with pytest.raises(TrainingError, match=r"features of a .* frame_encoder is .*'size': 32.* there, .*'size': 64.* here"):
        _features(tmp_path).made_by(other, "soft", 4, "farneback")


def test_items_without_features_are_left_out_and_named(tmp_path, caplog):
    features = _features(tmp_path, "ab")
    assert {sample.item_id for sample in with_features(sentences("abc"), features)} == {"a", "b"}
    assert "1 item(s) without features are left out, for example c." in caplog.text
    with pytest.raises(TrainingError, match="None of the 3 samples has features; run `kedro run --pipelines=motion,encode`"):
        with_features(sentences("c"), features)
    with pytest.raises(TrainingError, match="There is no sample: this split has no annotation"):
        with_features([], features)
