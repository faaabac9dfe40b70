"""Video models of random weights, built from their configurations and saved as any other is."""

import json
from pathlib import Path

WORDS = [
    "a",
    "man",
    "car",
    "walks",
    "runs",
    "falls",
    "left",
    "right",
    "what",
    "happens",
    "who",
    "is",
    "there",
    "user",
    "assistant",
    ":",
]
SIZE = 28
"""Pixels that the models look at."""
PATCH = 14


SAMPLING = {"do_sample_frames": True, "num_frames": 2}
CHAT = (
    "{% for message in messages %}{{ message['role'] }}: {% for part in message['content'] %}"
    "{{ '<video>' if part['type'] == 'video' else part['text'] }} {% endfor %}{% endfor %}assistant:"
)


def save_video_llava(folder: Path) -> Path:
    """Video-LLaVA as it is published: the settings for pictures and videos in one file of the old kind, no chat template."""
    import torch
    from transformers import CLIPVisionConfig, LlamaConfig, VideoLlavaConfig, VideoLlavaForConditionalGeneration
    from transformers.models.video_llava.image_processing_video_llava import VideoLlavaImageProcessor

    tokenizer, (image, video) = _tokenizer("<image>", "<video>")
    vision = CLIPVisionConfig(
        hidden_size=16, intermediate_size=16, num_hidden_layers=2, num_attention_heads=2, image_size=SIZE, patch_size=PATCH
    )
    text = LlamaConfig(**_sizes(tokenizer))
    torch.manual_seed(0)
    config = VideoLlavaConfig(vision_config=vision, text_config=text, image_token_index=image, video_token_index=video)
    _save(VideoLlavaForConditionalGeneration(config), folder)
    VideoLlavaImageProcessor(size={"shortest_edge": SIZE}, crop_size={"height": SIZE, "width": SIZE}).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def save_llava_onevision(folder: Path) -> Path:
    """LLaVA-OneVision, which is asked in a chat and wants two frames, with all settings in one file of the new kind."""
    import torch
    from transformers import LlavaOnevisionConfig, LlavaOnevisionForConditionalGeneration, Qwen2Config, SiglipVisionConfig

    tokenizer, (image, video) = _tokenizer("<image>", "<video>")
    vision = SiglipVisionConfig(
        hidden_size=16, intermediate_size=16, num_hidden_layers=2, num_attention_heads=2, image_size=SIZE, patch_size=PATCH
    )
    torch.manual_seed(0)
    config = LlavaOnevisionConfig(
        vision_config=vision, text_config=Qwen2Config(**_sizes(tokenizer)), image_token_index=image, video_token_index=video,
        vision_feature_layer=-1, vision_feature_select_strategy="full",
    )  # fmt: skip
    _save(LlavaOnevisionForConditionalGeneration(config), folder)
    tokenizer.save_pretrained(folder)
    size = {"size": {"height": SIZE, "width": SIZE}}
    settings = {
        "processor_class": "LlavaOnevisionProcessor",
        "num_image_tokens": (SIZE // PATCH) ** 2,
        "vision_feature_select_strategy": "full",
        "image_processor": {"image_processor_type": "LlavaOnevisionImageProcessor", **size},
        "video_processor": {"video_processor_type": "LlavaOnevisionVideoProcessor", **size, **SAMPLING},
    }
    (folder / "processor_config.json").write_text(json.dumps(settings))
    (folder / "chat_template.jinja").write_text(CHAT)
    return folder


def _tokenizer(*marks: str):
    """Words, and the marks of pictures and videos: the tokenizer and the ids of the marks."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    special = {"pad_token": "<pad>", "unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>"}
    plain = Tokenizer(models.WordLevel({word: number for number, word in enumerate([*special.values(), *WORDS])}, "<unk>"))
    plain.normalizer = normalizers.Lowercase()
    plain.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=plain, extra_special_tokens=list(marks), **special)
    return tokenizer, tokenizer.convert_tokens_to_ids(list(marks))


def _save(model, folder: Path) -> None:
    """With settings that let it say words alone."""
    words = range(4, 4 + len(WORDS))
    model.generation_config.suppress_tokens = [
        token for token in range(model.config.text_config.vocab_size) if token not in words
    ]
    model.save_pretrained(folder)


def _sizes(tokenizer) -> dict:
    """Of a language model whose weights are so large that every word before it matters."""
    return {
        "vocab_size": len(tokenizer), "hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 2,
        "num_attention_heads": 2, "num_key_value_heads": 2, "bos_token_id": 2, "eos_token_id": 3, "pad_token_id": 0,
        "initializer_range": 0.3,
    }  # fmt: skip
