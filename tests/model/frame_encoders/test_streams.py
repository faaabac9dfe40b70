import numpy as np
import pytest
import torch

from hawk_pipelines.model.errors import ModelError
from hawk_pipelines.model.frame_encoders import build_on_all
from hawk_pipelines.model.frame_encoders import streams as streams_module
from hawk_pipelines.model.frame_encoders.streams import encode_both, encode_streams
from hawk_pipelines.model.frame_encoders.tiny import TinyFrameEncoder
from hawk_pipelines.model.settings import TinyFrameEncoderSettings
from hawk_pipelines.video.flow import motion_frames

SETTINGS = TinyFrameEncoderSettings(size=32, grid=2, prototypes=6, position_width=4)


@pytest.fixture
def item():
    """Frames and magnitude of two samplings of five frames."""
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (2, 5, 32, 32, 3), dtype=np.uint8), rng.exponential(1, (2, 5, 32, 32)).astype(np.float32)


def test_frames_masked_before_or_here_give_the_same_tokens(item):
    encoder = TinyFrameEncoder(SETTINGS)
    here = encode_streams(encoder, *item, "hard")
    before = encode_both(encoder, item[0], motion_frames(*item, "hard"))
    assert all(torch.equal(*pair) for pair in zip(here, before, strict=True))
    assert not torch.equal(*here)


def test_tokens_are_as_training_reads_them_from_the_store(item):
    encoder = TinyFrameEncoder(SETTINGS)
    appearance, _ = encode_streams(encoder, *item, "soft")
    assert appearance.dtype == torch.float16
    assert torch.equal(appearance.flatten(0, 1), encoder(torch.from_numpy(item[0]).flatten(0, 1)).half())


def test_an_encoder_that_sees_motion_in_its_own_way_does(item):
    encoder = TinyFrameEncoder(SETTINGS)
    appearance, motion = encode_streams(encoder, *item, "soft")
    encoder.encode_motion = lambda frames: -encoder(frames)
    again = encode_streams(encoder, *item, "soft")
    assert torch.equal(again[0], appearance)
    assert torch.equal(again[1], -motion)


def test_no_more_frames_than_allowed_go_through_together(item, monkeypatch):
    monkeypatch.setattr(streams_module, "FRAMES_AT_ONCE", 4)
    encoder, counts = TinyFrameEncoder(SETTINGS), []
    whole = encode_streams(encoder, *item, "soft")
    encoder.register_forward_pre_hook(lambda _, arguments: counts.append(len(arguments[0])))
    pieces = encode_streams(encoder, *item, "soft")
    assert counts == [4, 4, 2] * 2
    assert all(torch.equal(*pair) for pair in zip(whole, pieces, strict=True))


@pytest.mark.skipif(torch.cuda.is_available(), reason="there are GPUs")
def test_without_gpus_one_encoder_works_on_the_cpu():
    for gpus in (None, 0):
        (encoder,) = build_on_all(SETTINGS, gpus)
        assert encoder.assignment.device.type == "cpu"
    with pytest.raises(ModelError, match=r"`encode.devices` asks for 2 GPUs, but there are 0 here; lower it"):
        build_on_all(SETTINGS, 2)
