"""The model gives the reference's numbers for the reference's weights."""

import json

import pytest
import torch
from transformers import AutoTokenizer, Blip2QFormerConfig, Blip2VisionConfig, LlamaConfig

from hawk_pipelines.model import published_prompt
from hawk_pipelines.model.branch import Branch
from hawk_pipelines.model.frame_encoders.blip2 import Blip2FrameEncoder
from hawk_pipelines.model.frame_encoders.blip2_files import qformer_from_original, vit_from_original
from hawk_pipelines.model.importing import published_configuration
from hawk_pipelines.model.losses import cosine, video_motion_losses
from hawk_pipelines.model.prompting import Turn, Video, add_placeholders, example, placeholder_ids
from hawk_pipelines.model.published import import_hawk, published_name
from hawk_pipelines.model.settings import LanguageModelSettings, PromptSettings
from tests.model.golden import FOLDER, KEYS, MANIFEST, arrays, assert_close, inputs, weights

A = [name for name in MANIFEST["entries"] if name.startswith("a_")]
C = [name for name in MANIFEST["entries"] if name.startswith("c_")]
LAYOUT = json.loads((FOLDER / "g_layout.json").read_text())
TEXT = LlamaConfig(hidden_size=4096, num_hidden_layers=0, vocab_size=8, intermediate_size=8, num_attention_heads=32)


@pytest.fixture(scope="module")
def config():
    return published_configuration(TEXT, LanguageModelSettings(source="none"), motion=True)


def _branch(config, found, name):
    """A branch with the weights of a published checkpoint."""
    found = {key: tensor for key, tensor in found.items() if key in KEYS["published_checkpoint"]}
    state = import_hawk(found, config, name).weights
    prefix = "motion." if MANIFEST["entries"][name]["branch"] else "appearance."
    with torch.device("meta"):
        branch = Branch(config)
    branch.load_state_dict({key.removeprefix(prefix): part for key, part in state.items() if key.startswith(prefix)}, assign=True)
    return branch.eval()


def _outputs(branch, tokens_BTND):
    P, C = branch(tokens_BTND)
    return {"video_hidden": branch.watch(tokens_BTND), "P": P, "C": C}


@pytest.mark.parametrize("name", A)
def test_a_from_frame_tokens_to_both_heads(config, name):
    config.motion_query_tokens = True
    entry = MANIFEST["entries"][name]
    rule = entry["weights"]
    found = weights(KEYS["published_checkpoint"], rule["weight_scale"], rule["frame_position_multiplier"])
    assert_close(name, _outputs(_branch(config, found, name), inputs(entry)))


@pytest.mark.parametrize("case", [name for name in MANIFEST["entries"]["b_lmv"]["cases"] if name.startswith("B")])
def test_b_the_consistency_loss_and_its_gradients(case):
    stored, facts = arrays("b_lmv"), MANIFEST["entries"]["b_lmv"]["cases"][case]
    if f"{case}__C" in stored:
        pair = [torch.from_numpy(stored[f"{case}__{key}"]) for key in ("C", "C_motion")]
    else:
        one = torch.from_numpy(stored["B2_random_unequal_norms__C"])
        pair = [one, one if case == "B2_identical" else -one]
    appearance, motion = (tensor.clone().requires_grad_() for tensor in pair)
    losses = video_motion_losses(appearance, motion)
    assert losses.tolist() == pytest.approx(facts["per_sample_L_MV"], abs=1e-6)
    assert losses.mean().item() == pytest.approx(facts["per_sample_mean_L_MV"], abs=1e-6)
    total = facts["L_VL"] + 0.1 * facts["L_ML"] + 0.1 * losses.mean()
    if len(losses) > 1:  # the public code flattens the whole batch to one vector
        flat = 1 - cosine(appearance.flatten()[None], motion.flatten()[None])[0]
        assert flat.item() == pytest.approx(facts["L_MV"], abs=1e-6)
        total = facts["L_VL"] + 0.1 * facts["L_ML"] + 0.1 * flat
    assert total.item() == pytest.approx(facts["total"], abs=1e-6)
    if f"{case}__grad_total_C" in stored:
        total.backward()
        for tensor, key in ((appearance, "C"), (motion, "C_motion")):
            assert (tensor.grad - torch.from_numpy(stored[f"{case}__grad_total_{key}"])).abs().max() <= 1e-7


@pytest.mark.parametrize("name", C)
def test_c_from_pixels_to_both_heads(config, name):
    entry = MANIFEST["entries"][name]
    S = entry["branch"]
    found = weights(json.loads((FOLDER / "c_image_keys.json").read_text()), entry["weights"]["weight_scale"])
    vision = Blip2VisionConfig(
        hidden_size=176, intermediate_size=768, num_hidden_layers=2, num_attention_heads=2, image_size=56, patch_size=14
    )
    qformer = Blip2QFormerConfig(num_hidden_layers=4, encoder_hidden_size=176)
    prefix = f"visual_encoder{S}."
    vit = {key.removeprefix(prefix): tensor for key, tensor in found.items() if key.startswith(prefix)}
    rest = {  # both branches under the names of the one file
        key.replace(S, "", 1): tensor
        for key, tensor in found.items()
        if key.startswith((f"Qformer{S}.", f"ln_vision{S}.")) or key == f"query_tokens{S}"
    }
    encoder = Blip2FrameEncoder(vision, qformer, normalised=False)
    encoder.load_state_dict(vit_from_original(vit, vision, name).tensors | qformer_from_original(rest, qformer, name).tensors)
    pixels = inputs(entry, torch.rand).transpose(1, 2).flatten(0, 1)  # [T, 3, H, W]
    got = {}
    hooks = {
        "patch_embed": encoder.vision_model.embeddings.patch_embedding,
        "vit_block0": encoder.vision_model.encoder.layers[0],
        "vit_out": encoder.vision_model.encoder.layers[-1],
    }
    for stage, module in hooks.items():
        module.register_forward_hook(lambda _, __, output, stage=stage: got.__setitem__(stage, output))
    got["ln_vision_out"] = encoder.vision_model(pixel_values=pixels).last_hidden_state
    got["patch_embed"] = got["patch_embed"].flatten(2).transpose(1, 2)
    got["qformer_out"] = encoder.look(got["ln_vision_out"], encoder.query_tokens)
    config.motion_query_tokens = True
    assert_close(name, got | _outputs(_branch(config, found, name), got["qformer_out"][None]))


def test_c_pixels_are_scaled_as_the_settings_say():
    vision = Blip2VisionConfig(hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2, image_size=28)
    qformer = Blip2QFormerConfig(hidden_size=16, num_hidden_layers=1, num_attention_heads=2, encoder_hidden_size=16)
    frames = torch.randint(0, 256, (1, 28, 28, 3), dtype=torch.uint8)
    seen = {}
    for how in ("own", "none"):
        encoder = Blip2FrameEncoder(vision, qformer, normalised=how == "own")
        encoder.vision_model.embeddings.patch_embedding.register_forward_pre_hook(
            lambda _, args, how=how: seen.__setitem__(how, args[0])
        )
        assert encoder(frames).shape == (1, 32, 16)
    assert torch.allclose(seen["none"], frames.permute(0, 3, 1, 2) / 255, atol=1e-6)
    red = (frames[0, ..., 0] / 255 - 0.48145466) / 0.26862954
    assert torch.allclose(seen["own"][0, 0], red, atol=1e-5)


def test_d_the_published_table_imports_with_nothing_missing_and_exports_again(config):
    config.motion_query_tokens = True
    with torch.device("meta"):
        found = {name: torch.empty(shape) for name, shape in (KEYS["published_checkpoint"] | KEYS["buffers_also_saved"]).items()}
    imported = import_hawk(found, config, "table")
    account = imported.account
    assert sorted(account.used) == sorted(KEYS["published_checkpoint"])
    assert len(account.used) == 129
    assert sorted(account.ignorable) == sorted(KEYS["buffers_also_saved"])
    assert not account.missing
    assert not account.unexpected
    assert not account.wrong_shape
    assert {published_name(name): list(part.shape) for name, part in imported.weights.items()} == KEYS["published_checkpoint"]


def test_d_the_frame_encoders_files_are_used_to_the_last_tensor():
    with torch.device("meta"):
        vit = {name: torch.empty(shape) for name, shape in KEYS["eva_vit_g_file"].items()}
        extra = {f"blocks.39.{name}": torch.empty(1) for name in ("norm1.weight", "attn.proj.bias")}
        qformer = {
            name: torch.empty(shape) for name, shape in (KEYS["blip2_pretrained_file"] | KEYS["blip2_text_branch"]).items()
        }
        read = (
            vit_from_original(vit | extra, Blip2VisionConfig(), "table"),
            qformer_from_original(qformer, Blip2QFormerConfig(), "table"),
        )
        encoder = Blip2FrameEncoder()
    for one, table in zip(read, ("eva_vit_g_file", "blip2_pretrained_file"), strict=True):
        assert set(one.account.used) | set(one.account.ignorable) >= set(KEYS[table])
        assert not one.account.missing
        assert not one.account.unexpected
    assert sorted(read[0].account.ignorable) == sorted(extra)
    assert set(read[0].tensors) | set(read[1].tensors) == set(encoder.state_dict())
    assert {k: v.shape for k, v in (read[0].tensors | read[1].tensors).items()} == {
        k: v.shape for k, v in encoder.state_dict().items()
    }


# --- g: layouts --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tokenizer():
    tokenizer = AutoTokenizer.from_pretrained(FOLDER / "g_tokenizer")
    add_placeholders(tokenizer)
    return tokenizer


def _as_stored(tokenizer, ids):
    """Placeholders by their place in their branch: 10000 and up for appearance, 20000 and up for motion."""
    appearance, motion = placeholder_ids(tokenizer)
    counts = {appearance: 10000, motion: 20000}
    stored = []
    for token in ids:
        stored.append(counts.get(token, token))
        if token in counts:
            counts[token] += 1
    return stored


def _rows(case):
    import numpy as np

    with np.load(FOLDER / "g_layout.npz") as stored:
        ids, labels, mask = (stored[f"{case}__{key}"] for key in ("ids", "labels", "attention_mask"))
    for row in range(len(ids)):
        length = int(mask[row].sum())
        assert not mask[row, length:].any()
        yield ids[row, :length].tolist(), labels[row, :length].tolist()


@pytest.mark.parametrize("case", [name for name, facts in LAYOUT["cases"].items() if facts["stage"] == 2])
def test_g_stage_2_layout_and_labels(tokenizer, monkeypatch, case):
    _same_stage_2(tokenizer, monkeypatch, case, LAYOUT["cases"][case])


def test_g_texts_that_are_too_long(tokenizer, monkeypatch, golden):
    """The reference cuts them; ours begin like them and are never cut in silence."""
    cases = json.loads((golden / "g_layout.json").read_text())["cases"]
    _same_stage_2(tokenizer, monkeypatch, "s2_truncated_at_512", cases["s2_truncated_at_512"], cut=512)
    for loss in ("L_VL", "L_ML"):
        _same_stage_1(tokenizer, f"s1_B1_truncated_at_32__{loss}", cases[f"s1_B1_truncated_at_32__{loss}"])


def _same_stage_2(tokenizer, monkeypatch, case, facts, cut=None):
    monkeypatch.setattr(published_prompt, "times_text", lambda _: facts["msg"])  # it tells eight times and says thirty-two
    prompt = PromptSettings(layout="published", tell_times=True)
    for (ids, labels), pairs in zip(_rows(case), facts["qa"], strict=True):
        turns = [Turn(pair["q"], pair["a"]) for pair in pairs]
        ours = example(tokenizer, turns, "", Video(32, times_s=(0.0,)), prompt)
        assert _as_stored(tokenizer, ours.input_ids)[:cut] == ids
        assert ours.labels[:cut] == labels


@pytest.mark.parametrize("case", [name for name, facts in LAYOUT["cases"].items() if facts["stage"] == 1])
def test_g_stage_1_layout_and_labels(tokenizer, case):
    _same_stage_1(tokenizer, case, LAYOUT["cases"][case])


def _same_stage_1(tokenizer, case, facts):
    appearance, motion = placeholder_ids(tokenizer)
    for (ids, labels), text in zip(_rows(case), facts["text"], strict=True):
        placeholders = [appearance, motion] if facts["loss"] == "L_VL" else [motion]
        before, said = published_prompt.caption(tokenizer, text.removesuffix("\n"), placeholders, 32)
        assert _as_stored(tokenizer, before + said) == ids
        assert [-100] * len(before) + said == labels


def test_g_the_motion_text_of_an_example_is_laid_out_as_in_stage_1(tokenizer):
    rows = list(_rows("s1_B2_empty_motion_text__L_ML"))
    prompt = PromptSettings(layout="published")
    for (ids, labels), text in zip(rows, ("", "teenagers fighting"), strict=True):
        ours = example(tokenizer, [Turn("What?", "That.")], text, Video(32), prompt)
        assert _as_stored(tokenizer, ours.motion_text_ids) == ids
        assert ours.motion_text_labels == labels


def test_g_the_sentence_about_times(golden):
    """As the reference wrote it for a real clip."""
    told = json.loads((golden / "manifest.json").read_text())["entries"]["e_motion_Fighting033_x264_570_841"][
        "message_appearance"
    ]
    times = [float(word) for word in told.split("at ")[1].removesuffix(" seconds. ").split(", ")]
    assert published_prompt.times_text(times) == told
