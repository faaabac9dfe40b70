"""With tiny models of random weights, built from a configuration and saved as any other model is."""

import shutil

import pytest

from hawk_pipelines.engine.run import EngineParameters
from hawk_pipelines.engine.store import ItemStore
from hawk_pipelines.model.errors import CheckpointError
from hawk_pipelines.perception import captioning, transformers
from hawk_pipelines.perception.captioner import CaptionError, Seen
from tests.perception.clips import clip, video, written

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "man", "walks", "falls", "runs", "car", "moves", "left"]


@pytest.fixture(scope="module")
def blip(tmp_path_factory):
    """An image-to-text model without a chat template."""
    import torch
    from transformers import BertTokenizer, BlipConfig, BlipForConditionalGeneration, BlipProcessor
    from transformers.models.blip.image_processing_pil_blip import BlipImageProcessorPil

    folder = tmp_path_factory.mktemp("blip")
    (folder / "vocab.txt").write_text("\n".join(WORDS))
    text = {
        "vocab_size": len(WORDS), "hidden_size": 16, "encoder_hidden_size": 16, "intermediate_size": 16, "projection_dim": 16,
        "num_hidden_layers": 1, "num_attention_heads": 2, "bos_token_id": 2, "eos_token_id": 3, "sep_token_id": 3,
        "pad_token_id": 0,
    }  # fmt: skip
    vision = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "image_size": 32}
    torch.manual_seed(0)
    config = BlipConfig(text_config=text, vision_config=vision | {"patch_size": 16}, projection_dim=16)
    model = BlipForConditionalGeneration(config)
    model.text_decoder.cls.predictions.bias.data[:5] = -100  # words, not the tokens that end a sentence
    model.save_pretrained(folder)
    images = BlipImageProcessorPil(size={"height": 32, "width": 32})
    BlipProcessor(images, BertTokenizer(str(folder / "vocab.txt"))).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def llava(tmp_path_factory):
    """A model that is shown several pictures in one chat."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import (
        CLIPVisionConfig,
        LlamaConfig,
        LlavaConfig,
        LlavaForConditionalGeneration,
        LlavaProcessor,
        PreTrainedTokenizerFast,
    )
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    folder = tmp_path_factory.mktemp("llava")
    words = {word: number for number, word in enumerate([*WORDS, "<image>", "user", ":"])}
    plain = Tokenizer(models.WordLevel(words, "[UNK]"))
    plain.pre_tokenizer = pre_tokenizers.Whitespace()
    marks = {"pad_token": "[PAD]", "unk_token": "[UNK]", "bos_token": "[CLS]", "eos_token": "[SEP]"}
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=plain, additional_special_tokens=["<image>"], **marks)
    vision = CLIPVisionConfig(
        hidden_size=16, intermediate_size=16, num_hidden_layers=2, num_attention_heads=2, image_size=32, patch_size=16
    )
    text = LlamaConfig(
        vocab_size=len(words), hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2,
        bos_token_id=2, eos_token_id=3, pad_token_id=0,
    )  # fmt: skip
    torch.manual_seed(0)
    config = LlavaConfig(vision_config=vision, text_config=text, image_token_index=words["<image>"], image_seq_length=4)
    LlavaForConditionalGeneration(config).save_pretrained(folder)
    template = (
        "{% for m in messages %}user: {% for c in m['content'] %}"
        "{{ '<image>' if c['type'] == 'image' else c['text'] }} {% endfor %}{% endfor %}"
    )
    LlavaProcessor(
        CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}),
        tokenizer, patch_size=16, vision_feature_select_strategy="default", num_additional_image_tokens=1, chat_template=template,
    ).save_pretrained(folder)  # fmt: skip
    return folder


@pytest.fixture
def clips(tmp_path):
    path, content = written(tmp_path, frames=20)
    whole = video(path, video_id=content, frames=20)
    return [Seen(clip(start, start + 10, video_id=content), whole) for start in (0, 10)]


def caption(clips, store, **settings):
    parameters = transformers.Parameters(new_tokens=5, longest=64, **settings)
    stores = ItemStore(store / "signals"), ItemStore(store / "captions")
    return captioning.caption_all(transformers, parameters, clips, {}, *stores, EngineParameters())


def test_an_image_model_captions_each_frame_until_the_next(tmp_path, clips, blip):
    made = caption(clips, tmp_path, source=str(blip), frames=2)
    assert [(said.start_s, said.end_s) for said in made.captions] == [(0.0, 0.5), (0.5, 1.0), (1.0, 1.5), (1.5, 2.0)]
    assert not made.rejections
    assert all(set(said.text.split()) <= set(WORDS) and 0 < said.score <= 1 for said in made.captions)
    assert made == caption(clips, tmp_path / "again", source=str(blip), frames=2)
    assert {said.version for said in made.captions} == {made.captions[0].version}


def test_the_version_tells_other_weights_apart(tmp_path, clips, blip):
    from safetensors.torch import load_file, save_file

    other = shutil.copytree(blip, tmp_path / "other")
    weights = load_file(other / "model.safetensors")
    weights["vision_model.post_layernorm.bias"] += 1e-3
    save_file(weights, other / "model.safetensors", {"format": "pt"})
    versions = [caption(clips[:1], tmp_path / folder.name, source=str(folder)).captions[0].version for folder in (blip, other)]
    assert versions[0] != versions[1]


def test_several_pictures_in_one_chat(tmp_path, clips, llava):
    made = caption(clips, tmp_path, source=str(llava), sees="frames", frames=3)
    assert [(said.start_s, said.end_s) for said in made.captions] == [(0.0, 1.0), (1.0, 2.0)]
    assert not made.rejections
    assert 1 <= len(made.captions[0].text.split()) <= 5  # without what it was asked


def test_what_a_model_cannot_do_is_told(tmp_path, clips, blip, llava):
    made = caption(clips, tmp_path, source=str(blip), sees="video")
    assert not made.captions
    assert "cannot caption with `sees: video`" in made.rejections[0].reason
    with pytest.raises(CaptionError, match=r"caption\.transformers\.source"):
        caption(clips, tmp_path)
    with pytest.raises(CheckpointError, match="no file or folder here"):
        caption(clips, tmp_path, source="nobody/nothing")


def test_pickled_weights_and_code_of_a_model_are_not_used(tmp_path, clips, blip):
    import torch

    folder = shutil.copytree(blip, tmp_path / "pickled")
    (folder / "model.safetensors").unlink()
    torch.save({}, folder / "pytorch_model.bin")
    with pytest.raises(CheckpointError, match="pickled weights are not read"):
        caption(clips, tmp_path, source=str(folder))
    folder = shutil.copytree(blip, tmp_path / "code")
    (folder / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\nclass M: ...\nclass C: ...\n")
    config = (folder / "config.json").read_text()
    config = config.replace('"model_type": "blip"', '"model_type": "evil"')
    auto_map = '{"auto_map": {"AutoConfig": "evil.C", "AutoModelForImageTextToText": "evil.M"},'
    (folder / "config.json").write_text(config.replace("{", auto_map, 1))
    with pytest.raises(CaptionError, match="no image-to-text"):
        caption(clips, tmp_path, source=str(folder))
    assert not (tmp_path / "ran").exists()
