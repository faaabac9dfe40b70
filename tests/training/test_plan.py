import json
from functools import partial

import pytest
import torch
from huggingface_hub import try_to_load_from_cache
from torch.autograd.graph import saved_tensors_hooks
from transformers import AutoModelForCausalLM, LlamaConfig, ViTConfig

from hawk_pipelines.model.errors import CheckpointError
from hawk_pipelines.model.frame_encoders import bytes_per_item
from hawk_pipelines.model.frame_encoders.tiny import TinyFrameEncoder
from hawk_pipelines.model.settings import (
    Blip2FrameEncoderSettings,
    BranchSettings,
    LanguageModelSettings,
    LoraSettings,
    LossSettings,
    ModelSettings,
    TransformersFrameEncoderSettings,
)
from hawk_pipelines.training import plan as module
from hawk_pipelines.training.build import build_model, build_tokenizer
from hawk_pipelines.training.errors import TrainingError
from hawk_pipelines.training.parameters import FinetuneParameters, LaunchParameters
from hawk_pipelines.training.plan import (
    FOUR_BIT,
    EncoderSizes,
    Part,
    PlanError,
    decoder_activations,
    frame_encoder,
    hours,
    language_model,
    memory_of,
    parts_of,
    plan,
    whole_model,
)
from hawk_pipelines.video.streams import StreamParameters
from tests.training.made import ENCODER, FACTS, MODEL, WIDTH

LLAMA = "meta-llama/Llama-2-7b-chat-hf"
SMALL = {"vocab_size": 100, "hidden_size": 128, "intermediate_size": 344, "num_hidden_layers": 3, "num_attention_heads": 4}
FRAMES = StreamParameters(frames=4)


def _planned(gpus=1, tokens=64, model=MODEL, encoder=ENCODER, motion=FRAMES, views=1, **told):
    return plan("finetune", model, encoder, motion, views, FinetuneParameters(**{"batch_size": 8} | told), gpus, tokens)


def _folder(path, **changes):
    LlamaConfig(**SMALL | changes).save_pretrained(path)
    return str(path)


# --- the parts -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def paper():
    """As conf/paper has it."""
    branches = BranchSettings(queries=32, width=768, layers=2, heads=12, dropout=0.1, compression_width=256)
    model = ModelSettings(branches=branches, language_model=LanguageModelSettings(source=LLAMA, dtype="bfloat16"))
    encoder = Blip2FrameEncoderSettings(dtype="float16")
    return _planned(4, 256, model, encoder, StreamParameters(frames=32), batch_size=4, bf16=True)


def test_the_published_sizes_come_out(paper):
    found = {part.name: part for part in paper.parts}
    branch = [("frame positions", 24_576), ("queries", 24_576), ("video Q-Former", 18_905_088), ("trunk", 3_149_824 + 16_781_312)]
    for name, count in branch:
        assert found[f"  {name}"].parameters == count
    heads = sum(part.parameters for name, part in found.items() if name.startswith("  head"))
    assert heads + 16_781_312 == 34_611_456  # the projection behind the first layer of the trunk
    for name in ("appearance branch", "motion branch"):
        assert found[name].parameters == found[name].trained == 56_715_520
    assert (found["language model"].parameters, found["language model"].trained) == (6_738_415_616, 0)
    assert found["language model"].held == 2 * 6_738_415_616
    assert (found["frame encoder"].parameters, found["frame encoder"].trained) == (1_091_114_496, 0)
    assert 2.18e9 < found["frame encoder"].held < 2.4e9  # the ViT in half precision, what is behind it in float32


def test_a_plan_has_the_weights_that_training_makes():
    """Names, shapes, and what is trained."""
    tokenizer = build_tokenizer([], MODEL)
    made = build_model(MODEL, LossSettings(), FACTS, WIDTH, tokenizer, seed=0)
    planned = whole_model(MODEL, FACTS.frames, WIDTH, language_model(MODEL.language_model)[0])
    ours = {name: (tuple(weight.shape), weight.requires_grad) for name, weight in made.named_parameters()}
    theirs = {name: (tuple(weight.shape), weight.requires_grad) for name, weight in planned.named_parameters()}
    words = "language_model.model.embed_tokens.weight"  # how many the tokenizer finds is not known before
    assert theirs.pop(words) == ((400, 32), True)
    assert ours.pop(words) == ((len(tokenizer), 32), True)
    assert ours == theirs
    assert {weight.device.type for weight in planned.parameters()} == {"meta"}


def test_without_a_motion_branch_there_is_one(monkeypatch):
    alone = MODEL.model_copy(update={"branches": MODEL.branches.model_copy(update={"motion": False})})
    names = [part.name for part in _planned(model=alone).parts if not part.name.startswith(" ")]
    assert names == ["frame encoder", "appearance branch", "language model"]
    assert _planned(model=alone).tokens == 64  # there is no motion text to read
    assert _planned().tokens == 64 + 2 + 16
    assert _planned(losses=LossSettings(motion_language=0)).tokens == 64


def test_sizes_are_read_where_there_are_no_weights(tmp_path):
    """Frozen, with adapters of rank 2 for queries and values of each of the three layers."""
    speaks = LanguageModelSettings(source=_folder(tmp_path), lora=LoraSettings(rank=2))
    model, notes = language_model(speaks)
    assert notes == []
    assert sum(weight.numel() for weight in model.parameters() if weight.requires_grad) == 3 * 2 * 2 * (128 + 128)
    encoder = EncoderSizes(0, 0, 32, 4, WIDTH)
    held = {four: parts_of(whole_model(MODEL, 4, WIDTH, model), encoder, four)[-1].held for four in (False, True)}
    linear = 3 * (4 * 128 * 128 + 3 * 128 * 344)
    adapters = sum(weight.numel() for weight in model.parameters() if weight.requires_grad)
    assert held[False] - held[True] == pytest.approx((4 - FOUR_BIT) * linear)
    assert held[False] == 4 * (linear + adapters + 2 * 100 * 128 + 7 * 128)


def test_sizes_are_read_from_the_cache_of_the_model_hub(tmp_path, monkeypatch):
    repository = tmp_path / "models--who--what"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs/main").write_text("f" * 40)
    _folder(repository / "snapshots" / ("f" * 40), num_hidden_layers=5)
    monkeypatch.setattr(module, "try_to_load_from_cache", partial(try_to_load_from_cache, cache_dir=tmp_path))
    model, notes = language_model(LanguageModelSettings(source="who/what"))
    assert (len(model.model.layers), notes) == (5, [])
    with pytest.raises(PlanError, match=r"^The language model who/else is not on this machine, and its size is not known"):
        language_model(LanguageModelSettings(source="who/else"))
    with pytest.raises(PlanError, match=r"^The language model no/such/place is not"):
        language_model(LanguageModelSettings(source="no/such/place"))


def test_published_sizes_stand_in_for_what_is_not_at_hand(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "try_to_load_from_cache", partial(try_to_load_from_cache, cache_dir=tmp_path))
    _, notes = language_model(LanguageModelSettings(source=LLAMA))
    assert notes == [f"Language model: {LLAMA} is not on this machine; its published sizes are taken."]


def test_a_folder_with_something_else_is_refused(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "nothing"}))
    with pytest.raises(CheckpointError, match="holds no causal language model"):
        language_model(LanguageModelSettings(source=str(tmp_path)))


def test_any_vision_model_is_looked_at_without_weights(tmp_path):
    config = ViTConfig(
        hidden_size=48, num_hidden_layers=1, num_attention_heads=4, intermediate_size=64, image_size=32, patch_size=8
    )
    config.save_pretrained(tmp_path)
    sizes, _ = frame_encoder(TransformersFrameEncoderSettings(source=str(tmp_path), size=32, tokens=4))
    assert (sizes.size, sizes.tokens, sizes.width) == (32, 4, 48)
    assert sizes.held == 4 * sizes.parameters > 4 * 48 * (3 * 8 * 8 + 4 * 48)
    with pytest.raises(PlanError, match=r"is no vision model for frames of 40 pixels"):
        frame_encoder(TransformersFrameEncoderSettings(source=str(tmp_path), size=40, tokens=4))
    with pytest.raises(PlanError, match=r"^The frame encoder who/what is not on this machine"):
        frame_encoder(TransformersFrameEncoderSettings(source="who/what"))


# --- memory --------------------------------------------------------------------------------------------------------------


def test_memory_of_each_stage_is_the_table():
    parts = [
        Part("frame encoder", 1000, 0, 2000),
        Part("branch", 100, 100, 400),
        Part("  inside it", 60, 60, 240),
        Part("language model", 500, 10, 490 * 2 + 10 * 4),
    ]
    found = memory_of(parts, 4, bf16=True, activations=(7, 5, 3), bucket=20, live=1000)
    T, F = 110, 490
    assert found[0] == (2 * F, 4 * T, 4 * T, 8 * T, 4 * T + 2 * T, 7, 5, 3)
    assert found[1] == (2 * F, 2 * T, 2 * T, 12 * T / 4, 2 * 2 * 20 + 4 * T / 4, 7, 5, 3)
    assert found[2] == found[1]._replace(gradients=2 * T / 4)
    assert found[3] == (2 * F / 4, 2 * T / 4, 2 * T / 4, 3 * T, 2 * 20 + 2 * 600 * 3 / 4 + T, 7, 5, 3)
    assert found[0].total(checkpointing=False) - found[0].total(checkpointing=True) == 2
    alone = memory_of(parts, 1, bf16=False, activations=(7, 5, 3), bucket=20, live=1000)
    assert alone[0] == (2 * F, 4 * T, 4 * T, 8 * T, 0, 7, 5, 3)
    assert alone[3] == (2 * F, 4 * T, 4 * T, 12 * T, 4 * 20 + 4 * T, 7, 5, 3)


def test_the_published_recipe_fits_where_it_was_trained(paper):
    """On A6000 with 48 GB, one sample each. More stages of ZeRO take less of what they spread."""
    totals = [paper.memory[stage].total(checkpointing=False) for stage in (0, 1, 2, 3)]
    assert all(14e9 < total < 24e9 for total in totals[:3])
    assert totals[1] > totals[2] > totals[3]
    assert paper.memory[3].frozen == 2 * 6_738_415_616 / 4


@pytest.mark.parametrize("bf16", [False, True])
@pytest.mark.parametrize("trained", [False, True])
@pytest.mark.parametrize("heads", [4, 2])
def test_activations_are_what_autograd_keeps(bf16, trained, heads):
    config = LlamaConfig(**SMALL, num_key_value_heads=heads)
    model = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16 if bf16 else torch.float32).requires_grad_(trained)
    plain, checkpointed, _ = decoder_activations(config, 256, 2 if bf16 else 4, trained)
    assert plain == pytest.approx(_kept(model, bf16), rel=0.04)
    deeper = LlamaConfig(**SMALL | {"num_hidden_layers": 4}, num_key_value_heads=heads)
    one_layer = decoder_activations(deeper, 256, 2 if bf16 else 4, trained)[0] - plain  # it is computed anew later
    model.activation_checkpointing_enable()
    model.train()
    assert checkpointed - one_layer == pytest.approx(_kept(model, bf16), rel=0.04)


def _kept(model, bf16):
    """Bytes that the decoder keeps for the way back, weights left out."""
    weights = {weight.untyped_storage().data_ptr() for weight in model.parameters()}
    kept = {}

    def keep(tensor):
        kept[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    embedded = torch.randn(2, 128, 128, dtype=model.dtype, requires_grad=True)
    with saved_tensors_hooks(keep, lambda tensor: tensor), torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        model.model(inputs_embeds=embedded, use_cache=False)
    return sum(tensor.untyped_storage().nbytes() for place, tensor in kept.items() if place not in weights)


def test_a_deepspeed_file_says_how_large_its_buffers_are(tmp_path):
    def buffers(**zero):
        file = tmp_path / "zero.json"
        file.write_text(json.dumps({"zero_optimization": {"stage": 2} | zero}))
        return _planned(launch=LaunchParameters(deepspeed=file)).memory[2].buffers

    trained = sum(part.trained for part in _planned().parts if not part.name.startswith(" "))
    assert buffers() == 2 * 4 * 500_000_000 + 4 * trained
    assert buffers(reduce_bucket_size=1000) == 2 * 4 * 1000 + 4 * trained
    assert buffers(reduce_bucket_size="auto") == 2 * 4 * 32 * 32 + 4 * trained  # what `transformers` makes of it
    with pytest.raises(TrainingError, match="is unknown to DeepSpeed; did you mean"):
        buffers(reduce_bucket_siz=1000)


def test_a_gpu_computes_its_share_of_the_batch():
    alone, shared = _planned(), _planned(2, accumulation=2)
    assert (alone.samples, shared.samples) == (8, 2)
    assert alone.memory[0].activations == 4 * shared.memory[0].activations
    assert alone.memory[0].logits == 8 * (64 + 2 + 16) * 400 * (12 + 2 * 4)
    with pytest.raises(PlanError, match=r"^`finetune.batch_size` = 8 cannot be shared by 3 GPU\(s\) × 1 accumulated parts"):
        _planned(3)
    with pytest.raises(PlanError, match=r"^A sample has 4 tokens of the branches and its words; give more than 4"):
        _planned(tokens=4)


# --- disk and hours ------------------------------------------------------------------------------------------------------


def test_stores_grow_with_samplings_and_views(paper):
    assert (paper.disk.features, paper.disk.frames) == (2 * 32 * 32 * 768 * 2, 32 * 224 * 224 * (3 + 2))
    more = _planned(motion=StreamParameters(frames=4, phases=3), views=2).disk
    assert more.features == bytes_per_item(TinyFrameEncoder(ENCODER), 4, 3 * 2)
    assert more.frames == 3 * 4 * 32 * 32 * (3 + 2)


def test_hours_are_steps_by_the_batch_over_what_all_gpus_train():
    assert hours(FinetuneParameters(steps=3600, batch_size=8), 2, samples_per_s=4.0) == pytest.approx(1.0)
