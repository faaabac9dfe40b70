"""Any vision model of `transformers`, tried with small ones of random weights, saved as a user's folder would be."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import (
    CLIPConfig,
    CLIPModel,
    ConvNextConfig,
    ConvNextModel,
    Dinov2Config,
    Dinov2Model,
    Dinov2WithRegistersConfig,
    Dinov2WithRegistersModel,
    LlamaConfig,
    LlamaForCausalLM,
    SiglipVisionConfig,
    SiglipVisionModel,
    SwinConfig,
    SwinModel,
    set_seed,
)

from hawk_pipelines.model.errors import CheckpointError, ModelError
from hawk_pipelines.model.frame_encoders import build
from hawk_pipelines.model.settings import TransformersFrameEncoderSettings

VIT = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "image_size": 56}
MODELS = {
    "clip": lambda: CLIPModel(
        CLIPConfig(
            vision_config=VIT | {"patch_size": 14},
            text_config={"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2},
        )
    ),
    "siglip": lambda: SiglipVisionModel(SiglipVisionConfig(**VIT, patch_size=14)),
    "dinov2": lambda: Dinov2Model(Dinov2Config(**{k: v for k, v in VIT.items() if k != "intermediate_size"}, patch_size=14)),
    "dinov2 with registers": lambda: Dinov2WithRegistersModel(
        Dinov2WithRegistersConfig(**{k: v for k, v in VIT.items() if k != "intermediate_size"}, patch_size=14)
    ),
    "convnext": lambda: ConvNextModel(ConvNextConfig(hidden_sizes=[8, 16, 24, 32], depths=[1, 1, 1, 1])),
    "swin": lambda: SwinModel(
        SwinConfig(image_size=64, patch_size=4, embed_dim=8, depths=[1, 1], num_heads=[1, 2], window_size=4)
    ),
}
SIZES = {"convnext": 128, "swin": 64}


@pytest.fixture
def folder(tmp_path):
    def make(name, **preprocessing):
        set_seed(0)
        MODELS[name]().save_pretrained(tmp_path)
        said = {"image_mean": [0.5, 0.4, 0.3], "image_std": [0.2, 0.3, 0.4]} | preprocessing
        (tmp_path / "preprocessor_config.json").write_text(json.dumps(said))
        return tmp_path

    return make


def _frames(size, count=2):
    return torch.randint(0, 256, (count, size, size, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("name", MODELS)
def test_frames_become_tokens(folder, name):
    size = SIZES.get(name, 56)
    encoder = build(TransformersFrameEncoderSettings(source=str(folder(name)), size=size, tokens=4))
    tokens = encoder(_frames(size))
    assert tokens.shape == (2, 4, encoder.width)
    assert tokens.dtype == torch.float32
    assert len(encoder.sha256) == 64
    assert not any(parameter.requires_grad for parameter in encoder.parameters())
    assert torch.equal(tokens, encoder(_frames(size)))


@pytest.mark.parametrize("name", ["clip", "siglip", "dinov2", "dinov2 with registers"])
def test_tokens_lie_where_their_patches_are(folder, name):
    """All patches are kept, in reading order, without class and register tokens."""
    encoder = build(TransformersFrameEncoderSettings(source=str(folder(name)), size=56, tokens=16))
    with torch.no_grad():
        pixels = (_frames(56).permute(0, 3, 1, 2) / 255 - torch.tensor([0.5, 0.4, 0.3])[:, None, None]) / torch.tensor(
            [0.2, 0.3, 0.4]
        )[:, None, None]
        hidden = encoder.network(pixel_values=pixels).last_hidden_state
    assert torch.allclose(encoder(_frames(56)), hidden[:, -16:], atol=1e-5)


def test_what_a_user_gets_wrong(folder, tmp_path):
    source = str(folder("siglip"))
    with pytest.raises(ModelError, match="does not see frames of 70×70 pixels; it was made for 56"):
        build(TransformersFrameEncoderSettings(source=source, size=70))
    with pytest.raises(ModelError, match="patches of 14 pixels, and 64 is no multiple"):
        build(TransformersFrameEncoderSettings(source=source, size=64))
    (tmp_path / "preprocessor_config.json").unlink()
    with pytest.raises(CheckpointError, match="how its pixels are normalised"):
        build(TransformersFrameEncoderSettings(source=source, size=56))
    with pytest.raises(CheckpointError, match="no file or folder here"):
        build(TransformersFrameEncoderSettings(source="nobody/nothing"))
    with pytest.raises(CheckpointError, match="package no_such_package is not installed"):
        build(TransformersFrameEncoderSettings(source="package:no_such_package"))


def test_a_damaged_folder_is_refused_and_not_filled_up_with_random_weights(folder):
    place = folder("clip")
    file = place / "model.safetensors"
    weights = load_file(file)
    del weights["vision_model.encoder.layers.0.mlp.fc1.weight"]
    save_file(weights, file, {"format": "pt"})
    settings = TransformersFrameEncoderSettings(source=str(place), size=56)
    with pytest.raises(CheckpointError, match="lacks 1 weights"):
        build(settings)
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match="no vision model that"):
        build(settings)
    (place / "preprocessor_config.json").write_text("[]")
    folder("clip", image_mean=0.5)
    with pytest.raises(CheckpointError, match="how its pixels are normalised"):
        build(settings)


def test_more_tokens_than_there_are_features(folder):
    encoder = build(TransformersFrameEncoderSettings(source=str(folder("siglip")), size=56, tokens=25))
    with pytest.raises(ModelError, match="a grid of 4×4 features, which is less than 25 tokens"):
        encoder(_frames(56))


def test_a_language_model_sees_nothing(tmp_path):
    LlamaForCausalLM(
        LlamaConfig(vocab_size=8, hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=1)
    ).save_pretrained(tmp_path)
    (tmp_path / "preprocessor_config.json").write_text(json.dumps({"image_mean": [0.5] * 3, "image_std": [0.5] * 3}))
    with pytest.raises(ModelError, match="take a vision model"):
        build(TransformersFrameEncoderSettings(source=str(tmp_path)))
