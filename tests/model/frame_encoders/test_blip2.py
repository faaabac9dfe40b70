"""BLIP-2's frame encoder from everything it may come in, at a small size or without its weights' memory."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import Blip2Config, Blip2Model, set_seed

from hawk_pipelines.model.errors import CheckpointError, ModelError
from hawk_pipelines.model.frame_encoders import build
from hawk_pipelines.model.frame_encoders.blip2 import read_motion_queries
from hawk_pipelines.model.settings import Blip2FrameEncoderSettings
from tests.model.golden import KEYS
from tests.model.test_importing import _file


@pytest.fixture
def blip2():
    """A small BLIP-2 of `transformers`, language model included."""
    set_seed(0)
    small = {"num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    config = Blip2Config(
        vision_config=small | {"hidden_size": 32, "image_size": 28},
        qformer_config=small | {"hidden_size": 24, "encoder_hidden_size": 32},
        text_config={
            "model_type": "opt",
            "hidden_size": 16,
            "word_embed_proj_dim": 16,
            "ffn_dim": 16,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "vocab_size": 40,
        },
        num_query_tokens=32,
    )
    model = Blip2Model(config).eval()
    torch.nn.init.normal_(model.query_tokens)
    return model


def _frames():
    return torch.randint(0, 256, (3, 28, 28, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("shards", ["one file", "several shards"])
def test_from_a_folder_of_transformers(blip2, tmp_path, shards):
    blip2.save_pretrained(tmp_path, max_shard_size="5GB" if shards == "one file" else "20KB")
    assert (len(list(tmp_path.glob("*.safetensors"))) > 1) is (shards == "several shards")
    encoder = build(Blip2FrameEncoderSettings(source=str(tmp_path), size=28))
    tokens = encoder(_frames())
    assert tokens.shape == (3, 32, 24)
    assert not any(parameter.requires_grad for parameter in encoder.parameters())
    pixels = (_frames().permute(0, 3, 1, 2) / 255 - encoder.mean[:, None, None]) / encoder.std[:, None, None]
    blip2.vision_model.post_layernorm.eps = 1e-5
    with torch.no_grad():
        patches = blip2.vision_model(pixel_values=pixels).last_hidden_state
        queries = blip2.query_tokens.expand(3, -1, -1)
        wanted = blip2.qformer(query_embeds=queries, encoder_hidden_states=patches).last_hidden_state
    assert torch.allclose(tokens, wanted, atol=1e-5)


def test_half_precision_is_for_the_vit_alone(blip2, tmp_path):
    blip2.save_pretrained(tmp_path)
    whole, half = (
        build(Blip2FrameEncoderSettings(source=str(tmp_path), size=28, dtype=dtype)) for dtype in ("float32", "bfloat16")
    )
    assert half.vision_model.encoder.layers[0].mlp.fc1.weight.dtype == torch.bfloat16
    assert half.vision_model.post_layernorm.weight.dtype == half.qformer.layernorm.weight.dtype == torch.float32
    tokens = half(_frames())
    assert tokens.dtype == torch.float32
    assert (tokens - whole(_frames())).abs().mean() < 0.05


def test_from_the_two_original_files(tmp_path):
    """At full size; the tensors are views of one number each."""
    vit = KEYS["eva_vit_g_file"] | {"blocks.39.norm1.weight": [1408], "head.weight": [1000, 1408]}
    _file(tmp_path / "vit.pth", vit)
    flat = torch.load(tmp_path / "vit.pth", weights_only=True)["model"]
    torch.save(flat, tmp_path / "vit.pth")
    _file(tmp_path / "qformer.pth", KEYS["blip2_pretrained_file"] | KEYS["blip2_text_branch"])
    files = {"vit": str(tmp_path / "vit.pth"), "qformer": str(tmp_path / "qformer.pth")}
    encoder = build(Blip2FrameEncoderSettings(source=None, **files))
    assert (encoder.size, encoder.tokens, encoder.width) == (224, 32, 768)
    bias = encoder.vision_model.encoder.layers[3].self_attn.qkv.bias
    assert torch.equal(bias[1408:2816], torch.zeros(1408))
    assert torch.equal(bias[:1408], flat["blocks.3.attn.q_bias"])


def test_the_motion_stream_may_have_queries_of_its_own(blip2, tmp_path):
    blip2.save_pretrained(tmp_path / "blip2")
    (tmp_path / "imported").mkdir()
    queries = torch.randn(1, 32, 24)
    save_file(
        {"motion_query_tokens": queries, "appearance.query_tokens": queries.clone()}, tmp_path / "imported" / "model.safetensors"
    )
    settings = Blip2FrameEncoderSettings(source=str(tmp_path / "blip2"), size=28, motion_queries=str(tmp_path / "imported"))
    encoder = build(settings)
    assert not torch.allclose(encoder(_frames()), encoder.encode_motion(_frames()))
    shared = build(settings.model_copy(update={"motion_queries": None}))
    assert torch.equal(shared(_frames()), shared.encode_motion(_frames()))
    loaded = build(settings.model_copy(update={"motion_queries": None}), motion_queries=queries)  # a model's own, as it is loaded
    assert torch.equal(loaded.encode_motion(_frames()), encoder.encode_motion(_frames()))
    with pytest.raises(CheckpointError, match="holds no motion queries"):
        read_motion_queries(tmp_path / "blip2")


def test_what_a_user_gets_wrong(blip2, tmp_path):
    blip2.save_pretrained(tmp_path)
    with pytest.raises(ModelError, match="frames of 28×28 pixels"):
        build(Blip2FrameEncoderSettings(source=str(tmp_path)))
    weights = load_file(tmp_path / "model.safetensors")
    del weights["qformer.layernorm.bias"]
    save_file(weights, tmp_path / "model.safetensors")
    with pytest.raises(CheckpointError, match=r"tensors are missing, for example qformer\.layernorm\.bias"):
        build(Blip2FrameEncoderSettings(source=str(tmp_path), size=28))
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "llama"}))
    with pytest.raises(CheckpointError, match="holds no BLIP-2 model"):
        build(Blip2FrameEncoderSettings(source=str(tmp_path), size=28))
    with pytest.raises(ValueError, match="both original files"):
        Blip2FrameEncoderSettings(vit="eva_vit_g.pth")
