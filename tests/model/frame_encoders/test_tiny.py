import numpy as np
import pytest
import torch
from pydantic import ValidationError

from hawk_pipelines.model.errors import ModelError
from hawk_pipelines.model.frame_encoders.streams import encode_streams
from hawk_pipelines.model.frame_encoders.tiny import TinyFrameEncoder
from hawk_pipelines.model.settings import TinyFrameEncoderSettings

SETTINGS = TinyFrameEncoderSettings(size=32, grid=2, prototypes=6, position_width=4)


def test_the_same_seed_gives_the_same_encoder_and_nothing_is_trained():
    one, two, other = (TinyFrameEncoder(SETTINGS.model_copy(update={"seed": seed})) for seed in (0, 0, 1))
    frames = torch.randint(0, 256, (2, 32, 32, 3), dtype=torch.uint8)
    assert torch.equal(one(frames), two(frames))
    assert not torch.equal(one(frames), other(frames))
    assert not list(one.parameters())
    assert one(frames).shape == (2, one.tokens, one.width) == (2, 4, 16)


def test_a_token_tells_which_colours_are_in_its_patch():
    """A red square in the lower right patch changes that patch's token most; the others change as the frame's mean does."""
    frame = torch.zeros(1, 32, 32, 3, dtype=torch.uint8)
    red = frame.clone()
    red[0, 20:28, 20:28, 0] = 255
    difference = (TinyFrameEncoder(SETTINGS)(red) - TinyFrameEncoder(SETTINGS)(frame)).abs().sum(-1)[0]
    assert difference.argmax() == 3
    assert difference[:3].tolist() == pytest.approx([difference[3].item() / 3] * 3, rel=1e-4)


def test_a_token_is_relative_to_its_frame():
    frames = torch.randint(0, 256, (2, 32, 32, 3), dtype=torch.uint8)
    colours = TinyFrameEncoder(SETTINGS)(frames)[..., : 2 * SETTINGS.prototypes]
    assert torch.allclose(colours.mean(1), torch.zeros(2, 12), atol=1e-5)


def test_the_motion_stream_sees_only_what_moves():
    frames = np.full((1, 1, 32, 32, 3), 200, np.uint8)
    still, moving = np.zeros((1, 1, 32, 32), np.float16), np.full((1, 1, 32, 32), 3, np.float16)
    encoder = TinyFrameEncoder(SETTINGS)
    appearance, motion = encode_streams(encoder, frames, moving, "soft")
    assert torch.equal(appearance, motion)
    _, black = encode_streams(encoder, frames, still, "soft")
    assert torch.equal(black[0], encoder(torch.zeros(1, 32, 32, 3, dtype=torch.uint8)).half())


def test_frames_of_another_size_are_refused():
    with pytest.raises(ModelError, match="32×32 pixels, not of 16×16"):
        encode_streams(TinyFrameEncoder(SETTINGS), np.zeros((1, 1, 16, 16, 3), np.uint8), np.zeros((1, 1, 16, 16)), "soft")


def test_patches_must_be_whole():
    with pytest.raises(ValidationError, match="not a multiple of grid"):
        TinyFrameEncoderSettings(size=32, grid=5)
