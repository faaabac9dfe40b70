import json
import logging
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from hawk_pipelines.model.answering import Query, answer, watch
from hawk_pipelines.model.checkpoint import FeatureFacts, check_features, load, load_frame_encoder, save
from hawk_pipelines.model.errors import CheckpointError, ModelError
from hawk_pipelines.model.settings import (
    Blip2FrameEncoderSettings,
    EfficientNetLite0Settings,
    GenerationSettings,
    LanguageModelSettings,
    LoraSettings,
)
from tests.model.conftest import ENCODER, SIZES, make_parts

EIGHT = GenerationSettings(max_new_tokens=8)


def _on(llama, **settings):
    return SIZES.model_copy(update={"language_model": LanguageModelSettings(source=str(llama), **settings)})


def _answers(parts, videos):
    queries = [Query("Describe it."), Query("Who?")]
    return answer(parts, watch(parts.model, videos), queries, [video.times_s for video in videos], EIGHT)


def _same_weights(one, two):
    return all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), two.state_dict().values(), strict=True))


def test_a_saved_model_answers_the_same(samples, videos, tmp_path):
    parts = make_parts(samples, seed=3)
    save(tmp_path, *parts)
    again = load(tmp_path, "cpu")
    assert _answers(again, videos) == _answers(parts, videos)
    assert _same_weights(parts.model, again.model)
    assert _same_weights(parts.model, type(parts.model).from_pretrained(tmp_path))
    assert not list(tmp_path.glob("*.bin"))


@pytest.mark.parametrize("lora", [None, LoraSettings(rank=2)])
def test_what_is_frozen_elsewhere_is_not_saved_but_named_and_hashed(samples, videos, llama, tmp_path, lora):
    parts = make_parts(samples, _on(llama, lora=lora))
    if lora:
        for name, parameter in parts.model.language_model.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(parameter)  # adapters that do something
    save(tmp_path, *parts)
    saved = load_file(tmp_path / "model.safetensors")
    language = [name for name in saved if name.startswith("language_model.")]
    assert all("lora_" in name for name in language)
    assert bool(language) is bool(lora)
    config = json.loads((tmp_path / "config.json").read_text())
    assert config["language_model"]["source"] == str(llama)
    assert len(config["language_model_sha256"]) == 64
    again = load(tmp_path, "cpu")
    assert _answers(again, videos) == _answers(parts, videos)
    assert _same_weights(parts.model, again.model)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("lora", [None, LoraSettings(rank=2, dropout=0)])
def test_a_model_saved_whole_needs_no_source_and_is_the_same(samples, videos, llama, tmp_path, dtype, lora):
    elsewhere = shutil.copytree(llama, tmp_path / "llama")
    parts = make_parts(samples, _on(elsewhere, dtype=dtype, lora=lora))
    for name, parameter in parts.model.language_model.named_parameters():
        if "lora_" in name:
            assert parameter.dtype == torch.float32
            torch.nn.init.normal_(parameter, std=0.3)
    save(tmp_path / "model", *parts, whole=True)
    shutil.rmtree(elsewhere)
    again = load(tmp_path / "model", "cpu")
    assert _same_weights(parts.model, again.model)
    assert [b.dtype for b in again.model.buffers()] == [b.dtype for b in parts.model.buffers()]
    ids = torch.arange(10)[None]
    with torch.no_grad():
        assert torch.equal(again.model.language_model(ids).logits, parts.model.language_model(ids).logits)
    assert _answers(again, videos) == _answers(parts, videos)
    assert all("lora_" in name for name, p in again.model.language_model.named_parameters() if p.requires_grad)


def test_a_frozen_part_that_differs_from_the_one_trained_with(samples, llama, tmp_path):
    elsewhere = shutil.copytree(llama, tmp_path / "llama")
    save(tmp_path / "model", *make_parts(samples, _on(elsewhere)))
    weights = load_file(elsewhere / "model.safetensors")
    weights["model.norm.weight"][0] += 1
    save_file(weights, elsewhere / "model.safetensors", {"format": "pt"})
    with pytest.raises(
        CheckpointError, match=r"not the one that the model was trained with \(sha256 \w{12}… instead of \w{12}…\)"
    ):
        load(tmp_path / "model", "cpu")
    shutil.rmtree(elsewhere)
    with pytest.raises(CheckpointError, match="no file or folder here"):
        load(tmp_path / "model", "cpu")


def test_a_model_without_a_recorded_hash_is_taken_with_a_warning(samples, llama, tmp_path, caplog):
    save(tmp_path, *make_parts(samples, _on(llama)))
    config = json.loads((tmp_path / "config.json").read_text()) | {"language_model_sha256": None}
    (tmp_path / "config.json").write_text(json.dumps(config))
    with caplog.at_level(logging.WARNING):
        load(tmp_path, "cpu")
    assert "taken unverified" in caplog.text


@pytest.mark.parametrize("content", [None, "{}", "not json", "[]", '{"model_type": "llama"}', '{"model_type": "hawk"}'])
def test_a_folder_that_holds_no_model(tmp_path, content):
    if content is not None:
        (tmp_path / "config.json").write_text(content)
    with pytest.raises(CheckpointError):
        load(tmp_path)


@pytest.mark.parametrize("damage", ["missing", "wrong shape", "unknown", "cut short", "gone"])
def test_weights_that_do_not_fit(parts, tmp_path, damage):
    save(tmp_path, *parts)
    file = tmp_path / "model.safetensors"
    weights = load_file(file)
    if damage == "missing":
        del weights["motion.query_tokens"]
    elif damage == "wrong shape":
        weights["motion.query_tokens"] = weights["motion.query_tokens"][:, :2].contiguous()
    else:
        weights["something.else"] = torch.zeros(1)
    save_file(weights, file, {"format": "pt"})
    if damage == "cut short":
        file.write_bytes(file.read_bytes()[:-100])
    if damage == "gone":
        file.unlink()
    says = {
        "missing": "1 of .* tensors are missing, for example motion.query_tokens",
        "wrong shape": r"motion.query_tokens \[1, 2, 16\] instead of \[1, 3, 16\]",
        "unknown": "no place for: something.else",
        "cut short": "cannot|can be loaded",
        "gone": "no safetensors file",
    }
    with pytest.raises(CheckpointError, match=says[damage]):
        load(tmp_path, "cpu")


@pytest.mark.parametrize(
    "change",
    [
        {"queries": -1},
        {"frames": 0},
        {"queries": "many"},
        {"prompt": {"layout": "other"}},
        {"language_model": {"source": 3}},
        {"text_config": {"model_type": "llama"}},
        {"qformer_config": None},
        {"mask": "none"},
    ],
    ids=str,
)
def test_a_damaged_configuration(parts, tmp_path, change):
    save(tmp_path, *parts)
    config = json.loads((tmp_path / "config.json").read_text()) | change
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(CheckpointError):
        load(tmp_path, "cpu")


def test_options_of_transformers_that_have_no_meaning_here(parts, tmp_path):
    save(tmp_path, *parts)
    with pytest.raises(ModelError, match="dtype cannot be given"):
        type(parts.model).from_pretrained(tmp_path, dtype=torch.float16)


def test_features_of_another_kind_are_refused(parts):
    same = FeatureFacts(ENCODER, None, "soft", 4, "farneback")
    check_features(parts.model, same)
    parts.model.config.frame_encoder_sha256 = "1" * 64
    same = same._replace(frame_encoder_sha256="1" * 64)
    for change in ({"mask": "hard"}, {"frames": 8}, {"frame_encoder_sha256": "0" * 64}, {"flow": "dis"}):
        with pytest.raises(CheckpointError, match=next(iter(change))):
            check_features(parts.model, same._replace(**change))


def test_an_imported_models_motion_queries_must_have_made_the_features(samples, tmp_path, caplog):
    """An import does not know the hash of the frame encoder: that is said, and its own queries are compared."""
    parts = make_parts(samples)
    parts.model.config.motion_query_tokens = True
    parts.model.config.frame_encoder = Blip2FrameEncoderSettings().model_dump()
    parts.model.motion_query_tokens = torch.nn.Parameter(torch.randn(1, 32, 16), requires_grad=False)
    for name, queries in (("own", parts.model.motion_query_tokens.data), ("other", torch.randn(1, 32, 16))):
        (tmp_path / name).mkdir()
        save_file({"motion_query_tokens": queries.clone()}, tmp_path / name / "model.safetensors")

    def made_with(queries):
        return FeatureFacts(Blip2FrameEncoderSettings(motion_queries=queries), "0" * 64, "soft", 4, "farneback")

    check_features(parts.model, made_with(str(tmp_path / "own")))
    assert "taken unverified" in caplog.text
    for wrong in (None, str(tmp_path / "other")):
        with pytest.raises(CheckpointError, match="motion queries of its own"):
            check_features(parts.model, made_with(wrong))


def test_a_frame_encoder_that_differs_from_the_one_trained_with(parts):
    parts.model.config.frame_encoder = EfficientNetLite0Settings().model_dump()
    parts.model.config.frame_encoder_sha256 = "0" * 64
    with pytest.raises(CheckpointError, match=r"frame encoder package:\S+ is not the one that the model was trained with"):
        load_frame_encoder(parts.model, "cpu")


def test_the_frame_encoder_comes_back_as_it_was(parts):
    encoder = load_frame_encoder(parts.model, "cpu")
    assert (encoder.size, encoder.tokens, encoder.width) == (32, 4, 16)
    parts.model.config.frame_encoder = {"kind": "unknown"}
    with pytest.raises(CheckpointError, match="no frame encoder that is known"):
        load_frame_encoder(parts.model)
