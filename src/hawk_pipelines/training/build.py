"""A new tiny model and its tokenizer."""

from collections.abc import Sequence

from transformers import PreTrainedTokenizerBase, set_seed

from hawk_pipelines.model.configuration import HawkConfig
from hawk_pipelines.model.hawk import HawkForConditionalGeneration
from hawk_pipelines.model.prompting import APPEARANCE, MOTION, prompt_text, request_of
from hawk_pipelines.model.settings import TinyFrameEncoderSettings
from hawk_pipelines.model.tokenizer import train_tokenizer
from hawk_pipelines.schema import Sample
from hawk_pipelines.training.parameters import FinetuneParameters
from hawk_pipelines.video.flow import Mask
from hawk_pipelines.video.streams import StreamParameters


def build_tokenizer(samples: Sequence[Sample], parameters: FinetuneParameters) -> PreTrainedTokenizerBase:
    """A tokenizer of the words that the samples and their prompts use."""
    prompts = [prompt_text(request_of(sample.question), 1) for sample in samples]
    said = [text for sample in samples for text in (sample.answer, sample.motion_text)]
    return train_tokenizer(prompts + said, parameters.model.vocabulary)


def build_model(
    parameters: FinetuneParameters,
    encoder: TinyFrameEncoderSettings,
    streams: StreamParameters,
    mask: Mask,
    tokenizer: PreTrainedTokenizerBase,
    seed: int,
) -> HawkForConditionalGeneration:
    """A model with seeded random weights that reads the encoder's tokens and speaks the tokenizer's language."""
    sizes = parameters.model
    qformer = {
        "hidden_size": sizes.qformer_width,
        "intermediate_size": 4 * sizes.qformer_width,
        "num_hidden_layers": sizes.qformer_layers,
        "num_attention_heads": sizes.heads,
        "cross_attention_frequency": 1,
        "encoder_hidden_size": encoder.width,
        "hidden_dropout_prob": 0.0,
        "attention_probs_dropout_prob": 0.0,
        "initializer_range": sizes.initializer_range,
    }
    text = {
        "model_type": "llama",
        "vocab_size": len(tokenizer),
        "hidden_size": sizes.decoder_width,
        "intermediate_size": 3 * sizes.decoder_width,
        "num_hidden_layers": sizes.decoder_layers,
        "num_attention_heads": sizes.heads,
        "num_key_value_heads": sizes.heads,
        "max_position_embeddings": sizes.context,
        "tie_word_embeddings": True,
        "pad_token_id": tokenizer.pad_token_id,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "initializer_range": sizes.initializer_range,
    }
    set_seed(seed)
    return HawkForConditionalGeneration(
        HawkConfig(
            frame_encoder=encoder.model_dump(),
            qformer_config=qformer,
            text_config=text,
            frames=streams.frames,
            frame_size=encoder.size,
            flow=streams.flow,
            mask=mask,
            queries=sizes.queries,
            compression_width=sizes.compression_width,
            video_motion_weight=parameters.video_motion_weight,
            motion_language_weight=parameters.motion_language_weight,
            appearance_token_id=tokenizer.get_vocab()[APPEARANCE],
            motion_token_id=tokenizer.get_vocab()[MOTION],
            initializer_range=sizes.initializer_range,
        )
    )
