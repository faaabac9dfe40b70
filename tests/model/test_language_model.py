import importlib.util
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import OPTConfig, OPTForCausalLM

from hawk_pipelines.model.answering import Query, answer, watch
from hawk_pipelines.model.batch import collate
from hawk_pipelines.model.checkpoint import load, save
from hawk_pipelines.model.errors import CheckpointError, ModelError
from hawk_pipelines.model.language_model import load_language_model, load_tokenizer
from hawk_pipelines.model.prompting import Turn, Video, example
from hawk_pipelines.model.settings import (
    LanguageModelSettings,
    LoraSettings,
)
from hawk_pipelines.model.sources import language_model_sha256
from tests.model.conftest import SIZES, make_parts


def test_a_folder_is_loaded_frozen_and_known_by_its_hash(llama):
    settings = LanguageModelSettings(source=str(llama))
    model = load_language_model(settings)
    assert not any(parameter.requires_grad for parameter in model.parameters())
    assert not model.training
    assert language_model_sha256(settings) == language_model_sha256(settings)
    assert load_language_model(settings.model_copy(update={"dtype": "bfloat16"})).dtype == torch.bfloat16
    trained = load_language_model(settings.model_copy(update={"frozen": False}))
    assert all(parameter.requires_grad for parameter in trained.parameters())


def test_a_hub_id_is_found_in_the_local_cache(llama, tmp_path, monkeypatch):
    """What `hf download` leaves behind is enough, without a network."""
    import huggingface_hub.constants

    snapshot = tmp_path / "models--someone--small-llama" / "snapshots" / ("0" * 40)
    snapshot.mkdir(parents=True)
    for file in llama.iterdir():
        (snapshot / file.name).write_bytes(file.read_bytes())
    refs = tmp_path / "models--someone--small-llama" / "refs"
    refs.mkdir()
    (refs / "main").write_text("0" * 40)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    settings = LanguageModelSettings(source="someone/small-llama")
    assert load_language_model(settings).config.hidden_size == 64
    assert load_tokenizer(settings).chat_template
    assert language_model_sha256(settings) == language_model_sha256(LanguageModelSettings(source=str(llama)))


def test_what_a_user_gets_wrong(llama, tmp_path):
    def fetch(**settings):
        return load_language_model(LanguageModelSettings(**settings))

    with pytest.raises(CheckpointError, match="no file or folder here"):
        fetch(source="nobody/nothing")
    with pytest.raises(CheckpointError, match=r"holds no file other\.gguf"):
        fetch(source=str(llama), gguf_file="other.gguf")
    with pytest.raises(CheckpointError, match="cannot get adapters in nothing_proj"):
        fetch(source=str(llama), lora=LoraSettings(modules=["nothing_proj"]))
    with pytest.raises(CheckpointError, match="package foo is not installed"):
        fetch(source="package:foo/bar")
    (tmp_path / "config.json").write_text('{"model_type": "llama"}')
    with pytest.raises(CheckpointError, match="no causal language model that can be loaded"):
        fetch(source=str(tmp_path))
    (tmp_path / "pytorch_model.bin").write_bytes(b"pickle")
    with pytest.raises(CheckpointError, match="pickled weights are not read"):
        language_model_sha256(LanguageModelSettings(source=str(tmp_path)))


@pytest.mark.parametrize("damage", ["a weight less", "cut short", "a broken index"])
def test_a_damaged_folder_is_refused_and_not_filled_up_with_random_weights(llama, tmp_path, damage):
    folder = shutil.copytree(llama, tmp_path / "llama")
    file = folder / "model.safetensors"
    if damage == "a weight less":
        weights = load_file(file)
        del weights["model.layers.0.mlp.up_proj.weight"]
        save_file(weights, file, {"format": "pt"})
    elif damage == "cut short":
        file.write_bytes(file.read_bytes()[:-100])
    else:
        (folder / "model.safetensors.index.json").write_text("{}")
    refuses = language_model_sha256 if damage == "a broken index" else load_language_model
    with pytest.raises(CheckpointError):
        refuses(LanguageModelSettings(source=str(folder)))


def test_a_language_model_whose_embeddings_have_a_width_of_their_own(samples, llama, tmp_path):
    sizes = {"hidden_size": 32, "word_embed_proj_dim": 16, "ffn_dim": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    OPTForCausalLM(OPTConfig(vocab_size=300, **sizes)).save_pretrained(tmp_path)
    load_tokenizer(LanguageModelSettings(source=str(llama))).save_pretrained(tmp_path)
    speaks = SIZES.model_copy(update={"language_model": LanguageModelSettings(source=str(tmp_path))})
    with pytest.raises(ModelError, match="embeddings 16 wide beside a hidden size of 32"):
        make_parts(samples, speaks)


@pytest.mark.skipif(importlib.util.find_spec("bitsandbytes") is None, reason="bitsandbytes is not installed (extra `four-bit`)")
def test_four_bits_are_trained_around_saved_and_loaded(samples, videos, llama, tmp_path):
    speaks = LanguageModelSettings(source=str(llama), four_bit=True, lora=LoraSettings(rank=2))
    parts = make_parts(samples, SIZES.model_copy(update={"language_model": speaks}))
    assert {p.dtype for p in parts.model.language_model.parameters()} == {torch.uint8, torch.float32}
    laid_out = [example(parts.tokenizer, [Turn("Who?", "A man.")], "man runs", Video(3), parts.prompt) for _ in videos]
    parts.model(**collate(laid_out, videos, parts.tokenizer.pad_token_id)).loss.backward()
    assert all(p.grad is not None for name, p in parts.model.named_parameters() if "lora_" in name)
    save(tmp_path, *parts)
    answers = [answer(one, watch(one.model, videos), [Query("Who?")] * 2, [()] * 2) for one in (parts, load(tmp_path, "cpu"))]
    assert answers[0] == answers[1]
    with pytest.raises(CheckpointError, match="cannot be saved whole"):
        save(tmp_path, *parts, whole=True)


def test_four_bits_need_a_package(llama, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(CheckpointError, match="needs the package bitsandbytes"):
        load_language_model(LanguageModelSettings(source=str(llama), four_bit=True))


def test_a_question_about_training_needs_a_source():
    for wrong in ({"frozen": True}, {"lora": {}}, {"four_bit": True}, {"gguf_file": "a"}):
        with pytest.raises(ValueError, match="need a source"):
            LanguageModelSettings(**wrong)
    with pytest.raises(ValueError, match="for a frozen language model"):
        LanguageModelSettings(source="a", frozen=False, lora=LoraSettings())
