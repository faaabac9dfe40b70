"""Where a training starts: a new model, or one that was trained or imported before."""

import logging
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from hawk_pipelines.model.checkpoint import FeatureFacts, Parts, check_features, load, read_configuration
from hawk_pipelines.model.configuration import HawkConfig
from hawk_pipelines.model.settings import LanguageModelSettings, LossSettings, ModelSettings
from hawk_pipelines.training.build import build_model, build_tokenizer, qformer_sizes
from hawk_pipelines.training.errors import TrainingError
from hawk_pipelines.training.samples import SampleFile

logger = logging.getLogger(__name__)


def start(
    init_from: Path | None,
    samples: SampleFile,
    requests: tuple[str, ...],
    settings: ModelSettings,
    losses: LossSettings,
    features: FeatureFacts,
    token_width: int,
    seed: int,
    reading: AbstractContextManager | None = None,
    later_turns: Sequence[str] = (),
) -> Parts:
    """The model that a training begins with, and its tokenizer.

    Args:
        init_from: the folder of a saved or imported model; None for new branches.
        samples: what is learned; the tiny decoder's vocabulary is made of their words.
        requests: wordings of the request for a description.
        settings, losses: as the training has them; they count also for a model that was trained before.
        features: how what it reads was made.
        token_width: D, the width of a frame token.
        seed: of all new weights.
        reading: see `load_language_model`.
        later_turns: see `build_tokenizer`.

    Raises:
        TrainingError: the model it starts from has other sizes than the settings say.
        CheckpointError: that model, or the language model, cannot be loaded; or it was trained on other features.
    """
    if init_from is None:
        tokenizer = build_tokenizer(samples, settings, requests, later_turns)
        return Parts(build_model(settings, losses, features, token_width, tokenizer, seed, reading), tokenizer)
    found = read_configuration(init_from)
    different = _different(found, settings, token_width)
    if different:
        sizes = "; ".join(f"{name} is {there} there and {wanted} in the settings" for name, (there, wanted) in different.items())
        what = f"The training cannot start from {init_from}: {sizes}"
        msg = f"{what}. Set `model` as it was, or start from another model (`init_from`)."
        raise TrainingError(msg)
    parts = load(init_from, "cpu", settings.language_model, seed, reading)
    check_features(parts.model, features)
    config = parts.model.config
    config.prompt = settings.prompt.model_dump()
    config.video_language_weight = losses.video_language
    config.video_motion_weight = losses.video_motion
    config.motion_language_weight = losses.motion_language
    parts.model.train()
    return parts


def _different(found: HawkConfig, settings: ModelSettings, token_width: int) -> dict[str, tuple[object, object]]:
    """What of a model's sizes is not as the settings have it: its name, there and here."""
    branches, speaks = settings.branches, settings.language_model
    spoke = LanguageModelSettings.model_validate(found.language_model or {})
    there = found.qformer_config.to_dict()
    sizes = {name: (there[name], size) for name, size in qformer_sizes(branches, token_width).items() if _is_size(name)}
    pairs = sizes | {
        "model.branches.motion": (found.motion_branch, branches.motion),
        "model.branches.queries": (found.queries, branches.queries),
        "model.branches.compression_width": (found.compression_width, branches.compression_width),
        "model.language_model.source": (spoke.source, speaks.source),
        "model.language_model.gguf_file": (spoke.gguf_file, speaks.gguf_file),
    }
    if speaks.source is None:
        pairs["model.language_model.tiny.width"] = (found.text_config.hidden_size, speaks.tiny.width)
        pairs["model.language_model.tiny.layers"] = (found.text_config.num_hidden_layers, speaks.tiny.layers)
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def _is_size(name: str) -> bool:
    return name in {"hidden_size", "num_hidden_layers", "num_attention_heads", "encoder_hidden_size"}
