"""Every size of a HAWK model in one place; a saved model carries it as `config.json`."""

from typing import Any, ClassVar, Literal

from huggingface_hub.dataclasses import strict
from transformers import AutoConfig, Blip2QFormerConfig, PreTrainedConfig
from transformers.configuration_utils import SubConfigSpec


@strict
class HawkConfig(PreTrainedConfig):
    """Sizes of the two-branch model (HAWK, section 4), what its input looks like, and which frozen parts it stands on.

    Attributes:
        frame_encoder: which frozen encoder turns frames into tokens, with its own settings.
        frame_encoder_sha256: over its weight files; None where the settings decide everything, or where it is not recorded.
        qformer_config: the video Q-Former of each branch; `encoder_hidden_size` is the frame encoder's token width.
        text_config: the causal language model.
        language_model: where the language model comes from and what of it is trained (`LanguageModelSettings`).
        language_model_sha256: over its weight files.
        language_model_saved: whether its weights lie in the model's own folder, whatever its source.
        frames: T, the number of frame positions; so many frames of a video are sampled.
        frame_size: width and height in pixels of the frames.
        flow: how motion was measured.
        mask: how the motion stream is masked.
        motion_branch: whether there is a motion branch.
        motion_query_tokens: whether the motion stream was encoded with queries of its own, as in the public code.
        queries: Q, tokens per branch that enter the language model.
        compression_width: width of head C, which the consistency loss compares.
        prompt: how the model is asked (`PromptSettings`).
        conversation_turns: turns of the longest conversation that it was trained on; 1, or None where nobody recorded it: it was
            trained on single questions, and is asked each one afresh.
        video_language_weight, video_motion_weight, motion_language_weight: t0, t1 and t2 of the total loss.
        appearance_token_id, motion_token_id: the placeholders that the two embeddings replace in a prompt.
    """

    model_type = "hawk"
    sub_configs_defaults: ClassVar[dict] = {
        "qformer_config": Blip2QFormerConfig,
        "text_config": SubConfigSpec(config_class=AutoConfig, model_type="llama"),
    }

    frame_encoder: dict | None = None
    frame_encoder_sha256: str | None = None
    qformer_config: Any = None
    text_config: Any = None
    language_model: dict | None = None
    language_model_sha256: str | None = None
    language_model_saved: bool = False
    frames: int = 32
    frame_size: int = 224
    flow: Literal["farneback", "dis"] = "farneback"
    mask: Literal["soft", "hard"] = "soft"
    motion_branch: bool = True
    motion_query_tokens: bool = False
    queries: int = 32
    compression_width: int = 256
    prompt: dict | None = None
    conversation_turns: int | None = None
    video_language_weight: float = 1.0
    video_motion_weight: float = 0.1
    motion_language_weight: float = 0.1
    appearance_token_id: int = 0
    motion_token_id: int = 0
    initializer_range: float = 0.02


def paper_sizes(text_config: PreTrainedConfig, motion_branch: bool = True) -> HawkConfig:
    """HAWK's published sizes (section 4) around a language model: 32 frames of 32 tokens, 32 queries a branch."""
    return HawkConfig(
        qformer_config={"num_hidden_layers": 2, "cross_attention_frequency": 1, "encoder_hidden_size": 768},
        text_config=text_config.to_dict(),
        frames=32,
        frame_size=224,
        motion_branch=motion_branch,
        queries=32,
        compression_width=256,
    )
