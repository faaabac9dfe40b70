"""A new model and its tokenizer, from settings."""

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from itertools import chain

from transformers import AutoModelForCausalLM, LlamaConfig, PreTrainedTokenizerBase, set_seed

from hawk_pipelines.model.checkpoint import FeatureFacts
from hawk_pipelines.model.configuration import HawkConfig
from hawk_pipelines.model.hawk import HawkForConditionalGeneration
from hawk_pipelines.model.language_model import load_language_model, load_tokenizer
from hawk_pipelines.model.prompting import Video, placeholder_ids, prompt_text
from hawk_pipelines.model.settings import BranchSettings, LossSettings, ModelSettings, TinyDecoderSettings
from hawk_pipelines.model.sources import language_model_sha256
from hawk_pipelines.model.tokenizer import train_tokenizer
from hawk_pipelines.schema import Sample


def build_tokenizer(
    samples: Iterable[Sample], settings: ModelSettings, requests: Sequence[str] = (), later_turns: Sequence[str] = ()
) -> PreTrainedTokenizerBase:
    """The language model's own tokenizer; for the tiny decoder one of the words that the samples and their prompts use.

    Args:
        samples: what is learned.
        settings: which language model.
        requests: wordings in which a description is asked for.
        later_turns: what only the later turns of a conversation have, questions and answers; empty where there are none.

    Raises:
        CheckpointError: the language model has none.
    """
    if settings.language_model.source is not None:
        return load_tokenizer(settings.language_model)
    about = Video(1, settings.branches.motion, tuple(range(10)) if settings.prompt.tell_times else ())
    heard = (prompt_text(sample.question, about) for sample in samples)
    asked: Iterable[str] = (prompt_text(request, about) for request in requests)
    said = (text for sample in samples for text in (sample.answer, sample.motion_text))
    if later_turns:  # there, questions stand by themselves
        asked = chain(asked, later_turns, requests, (sample.question for sample in samples))
    return train_tokenizer(chain(heard, asked, said, [settings.prompt.system_prompt]), settings.language_model.tiny.vocabulary)


def build_model(
    settings: ModelSettings,
    losses: LossSettings,
    features: FeatureFacts,
    token_width: int,
    tokenizer: PreTrainedTokenizerBase,
    seed: int,
    reading: AbstractContextManager | None = None,
) -> HawkForConditionalGeneration:
    """A model that reads the encoder's tokens: new branches with seeded weights, and the language model.

    Args:
        settings: sizes, and which language model.
        losses: weights of the terms.
        features: how the features it reads were made.
        token_width: D, the width of a frame token.
        tokenizer: knows the placeholders.
        seed: of all new weights.
        reading: see `load_language_model`.

    Raises:
        CheckpointError: the language model cannot be loaded.
    """
    speaks = settings.language_model
    set_seed(seed)
    if speaks.source is None:
        ids = (tokenizer.pad_token_id, tokenizer.bos_token_id, tokenizer.eos_token_id)
        language_model = AutoModelForCausalLM.from_config(tiny_decoder(speaks.tiny, len(tokenizer), *ids))
    else:
        language_model = load_language_model(speaks, reading)
        set_seed(seed)  # whatever loading drew
    text_config = language_model.config.to_dict()
    text_config.pop("quantization_config", None)  # a GGUF file's; the weights are held as they were unpacked
    appearance_id, motion_id = placeholder_ids(tokenizer)
    config = HawkConfig(
        frame_encoder=features.frame_encoder.model_dump(),
        frame_encoder_sha256=features.frame_encoder_sha256,
        qformer_config=qformer_sizes(settings.branches, token_width),
        text_config=text_config,
        language_model=speaks.model_dump(),
        language_model_sha256=None if speaks.source is None else language_model_sha256(speaks),
        frames=features.frames,
        frame_size=features.frame_encoder.size,
        flow=features.flow,
        mask=features.mask,
        motion_branch=settings.branches.motion,
        queries=settings.branches.queries,
        compression_width=settings.branches.compression_width,
        prompt=settings.prompt.model_dump(),
        conversation_turns=1,
        video_language_weight=losses.video_language,
        video_motion_weight=losses.video_motion,
        motion_language_weight=losses.motion_language,
        appearance_token_id=appearance_id,
        motion_token_id=motion_id,
        initializer_range=settings.branches.initializer_range,
    )
    return HawkForConditionalGeneration(config, language_model)


def qformer_sizes(branches: BranchSettings, token_width: int) -> dict[str, object]:
    """The video Q-Former of a branch: cross-attention in every layer."""
    return {
        "hidden_size": branches.width,
        "intermediate_size": 4 * branches.width,
        "num_hidden_layers": branches.layers,
        "num_attention_heads": branches.heads,
        "cross_attention_frequency": 1,
        "encoder_hidden_size": token_width,
        "hidden_dropout_prob": branches.dropout,
        "attention_probs_dropout_prob": branches.dropout,
        "initializer_range": branches.initializer_range,
    }


def tiny_decoder(
    sizes: TinyDecoderSettings, vocabulary: int, pad: int | None = None, begin: int | None = None, end: int | None = None
) -> LlamaConfig:
    """The decoder that is trained from nothing.

    Args:
        sizes: its settings.
        vocabulary: tokens that its tokenizer knows.
        pad, begin, end: ids of the tokenizer's own tokens.
    """
    return LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=sizes.width,
        intermediate_size=3 * sizes.width,
        num_hidden_layers=sizes.layers,
        num_attention_heads=sizes.heads,
        num_key_value_heads=sizes.heads,
        max_position_embeddings=sizes.context,
        tie_word_embeddings=True,
        pad_token_id=pad,
        bos_token_id=begin,
        eos_token_id=end,
        initializer_range=sizes.initializer_range,
    )
