"""A model on disk: a `save_pretrained` folder that holds everything an answer needs."""

from pathlib import Path
from typing import NamedTuple

import torch
from transformers import AutoTokenizer, PreTrainedTokenizerBase
from transformers.utils import logging as transformers_logging

from hawk_pipelines.errors import HawkError
from hawk_pipelines.model.configuration import HawkConfig
from hawk_pipelines.model.frame_encoder import TinyFrameEncoder
from hawk_pipelines.model.hawk import HawkForConditionalGeneration
from hawk_pipelines.model.settings import TinyFrameEncoderSettings

transformers_logging.disable_progress_bar()  # a tiny file needs none


class CheckpointError(HawkError):
    """A folder that holds no HAWK model."""


class Parts(NamedTuple):
    """A model, ready to be asked."""

    model: HawkForConditionalGeneration
    tokenizer: PreTrainedTokenizerBase
    frame_encoder: TinyFrameEncoder


def check_features(config: HawkConfig, encoder: TinyFrameEncoderSettings, mask: str, frames: int, flow: str) -> None:
    """Refuse features that were made in another way than those a model was trained on.

    Raises:
        CheckpointError: with what differs.
    """
    trained = {"frame_encoder": config.frame_encoder, "mask": config.mask, "frames": config.frames, "flow": config.flow}
    given = {"frame_encoder": encoder.model_dump(), "mask": mask, "frames": frames, "flow": flow}
    different = [f"{name} was {trained[name]}, now {given[name]}" for name in trained if trained[name] != given[name]]
    if different:
        msg = f"The features are not those the model was trained on: {'; '.join(different)}. Train again, or set them back."
        raise CheckpointError(msg)


def save(folder: Path, model: HawkForConditionalGeneration, tokenizer: PreTrainedTokenizerBase) -> None:
    """Write configuration, weights (safetensors) and tokenizer."""
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def load(folder: Path) -> Parts:
    """Read a saved model, in evaluation mode.

    Raises:
        CheckpointError: the folder is missing or holds something else.
    """
    if not (folder / "config.json").is_file():
        msg = f"{folder} holds no saved model (no config.json); train one with `kedro run --pipelines=finetune`."
        raise CheckpointError(msg)
    try:
        model = HawkForConditionalGeneration.from_pretrained(folder, dtype=torch.float32)
        tokenizer = AutoTokenizer.from_pretrained(folder)
        settings = TinyFrameEncoderSettings.model_validate(model.config.frame_encoder)
    except (OSError, ValueError) as error:
        msg = f"{folder} holds no HAWK model that can be loaded ({error}); train one with `kedro run --pipelines=finetune`."
        raise CheckpointError(msg) from error
    return Parts(model.eval(), tokenizer, TinyFrameEncoder(settings))
