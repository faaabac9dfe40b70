"""A model on disk: a `save_pretrained` folder with what was trained, and ids and hashes of the frozen parts it stands on."""

import json
import logging
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NamedTuple

import torch
from huggingface_hub.errors import StrictDataclassError
from pydantic import TypeAdapter, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerBase

from hawk_pipelines.model.account import account_for, insist, shapes_of
from hawk_pipelines.model.configuration import HawkConfig
from hawk_pipelines.model.errors import CheckpointError
from hawk_pipelines.model.frame_encoders import FrameEncoder, build
from hawk_pipelines.model.frame_encoders.blip2 import read_motion_queries
from hawk_pipelines.model.hawk import HawkForConditionalGeneration
from hawk_pipelines.model.language_model import load_language_model, load_tokenizer, prepare
from hawk_pipelines.model.prompting import placeholder_ids
from hawk_pipelines.model.published import own_shapes
from hawk_pipelines.model.settings import FrameEncoderSettings, LanguageModelSettings, PromptSettings
from hawk_pipelines.model.sources import language_model_sha256, verify, weight_files
from hawk_pipelines.plain_text import plain
from hawk_pipelines.video.flow import FlowMethod, Mask

logger = logging.getLogger(__name__)

_TRAIN = "train one with `kedro run --pipelines=finetune`"


class Parts(NamedTuple):
    """A model, ready to be asked."""

    model: HawkForConditionalGeneration
    tokenizer: PreTrainedTokenizerBase

    @property
    def prompt(self) -> PromptSettings:
        """How it was trained to be asked."""
        return PromptSettings.model_validate(self.model.config.prompt or {})


def best_device() -> torch.device:
    """A GPU where there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def save(folder: Path, model: HawkForConditionalGeneration, tokenizer: PreTrainedTokenizerBase, whole: bool = False) -> None:
    """Write configuration, weights (safetensors) and tokenizer; with `whole` also those of a frozen language model."""
    model.save_pretrained(folder, whole=whole)
    tokenizer.save_pretrained(folder)


def load(
    folder: Path,
    device: str | torch.device | None = None,
    speaks: LanguageModelSettings | None = None,
    seed: int = 0,
    reading: AbstractContextManager | None = None,
) -> Parts:
    """Read a saved model, in evaluation mode.

    Args:
        folder: what `save` or an import wrote.
        device: where the model shall be; None takes a GPU where there is one.
        speaks: how its language model is held and what of it is trained, where that shall not be as it was saved.
        seed: of adapters that it had not.
        reading: see `load_language_model`.

    Raises:
        CheckpointError: the folder is missing or holds something else, or a frozen part is not the one it was trained with.
    """
    config = read_configuration(folder)
    try:
        weights = _weights(folder)
        settings = speaks or LanguageModelSettings.model_validate(config.language_model or {})
        _insist_on_branches(config, weights, folder)
        if speaks:
            torch.manual_seed(seed)
            config.language_model = speaks.model_dump()
        if config.language_model_saved or settings.source is None:
            dtype = getattr(torch, settings.dtype)
            language_model = prepare(AutoModelForCausalLM.from_config(config.text_config, dtype=dtype), settings)
        else:
            verify("language model", str(settings.source), config.language_model_sha256, language_model_sha256(settings))
            language_model = load_language_model(settings, reading)
        tokenizer = _tokenizer(folder, settings)
        config.appearance_token_id, config.motion_token_id = placeholder_ids(tokenizer)
        model = HawkForConditionalGeneration(config, language_model)
        stored = _stored_names(model)
        if speaks and not any("lora_" in name for name in weights):
            stored = {name for name in stored if "lora_" not in name}  # it gets its first adapters now
        wanted = {name: shape for name, shape in shapes_of(model.state_dict()).items() if name in stored}
        account = account_for(shapes_of(weights), wanted)
        insist(account, f"{folder}/model.safetensors")
        if account.unexpected:
            msg = f"{folder} holds weights that the model has no place for: {', '.join(sorted(account.unexpected)[:3])}."
            raise CheckpointError(msg)
        model.load_state_dict(weights, strict=False)
        model.tie_weights()
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RuntimeError, SafetensorError) as error:
        msg = f"{folder} holds no HAWK model that can be loaded ({plain(str(error))}); {_TRAIN}."
        raise CheckpointError(msg) from error
    return Parts(model.eval().to(device or best_device()), tokenizer)


def read_configuration(folder: Path) -> HawkConfig:
    """The configuration of a saved model.

    Raises:
        CheckpointError: there is none.
    """
    file = folder / "config.json"
    if not file.is_file():
        msg = f"{folder} holds no saved model (no config.json); {_TRAIN}."
        raise CheckpointError(msg)
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        if not isinstance(found, dict) or found.get("model_type") != HawkConfig.model_type:
            kind = found.get("model_type", "no kind") if isinstance(found, dict) else "no kind"
            msg = f"{folder} holds a model of another architecture ({kind}), not HAWK; {_TRAIN}."
            raise CheckpointError(msg)
        config = HawkConfig.from_pretrained(folder)
        LanguageModelSettings.model_validate(config.language_model or {})
        PromptSettings.model_validate(config.prompt or {})
        sizes = {name: getattr(config, name) for name in ("frames", "frame_size", "queries", "compression_width")}
        sizes["conversation_turns"] = 1 if config.conversation_turns is None else config.conversation_turns
        if min(sizes.values()) < 1:
            msg = f"{folder}/config.json has impossible sizes ({sizes}); {_TRAIN}."
            raise CheckpointError(msg)
        return config
    except (OSError, ValueError, TypeError, KeyError, AttributeError, StrictDataclassError) as error:
        msg = f"{folder} holds no HAWK model that can be loaded ({plain(str(error))}); {_TRAIN}."
        raise CheckpointError(msg) from error


def load_frame_encoder(model: HawkForConditionalGeneration, device: str | torch.device | None = None) -> FrameEncoder:
    """The frozen frame encoder that a model was trained on, with the motion queries of an imported model.

    Raises:
        CheckpointError: it cannot be loaded, or is another one than the model was trained with.
    """
    config = model.config
    settings = frame_encoder_settings(config)
    encoder = build(settings, device or best_device(), model.motion_query_tokens if config.motion_query_tokens else None)
    if settings.kind != "tiny":
        verify("frame encoder", str(getattr(settings, "source", None)), config.frame_encoder_sha256, encoder.sha256)
    return encoder


def frame_encoder_settings(config: HawkConfig) -> FrameEncoderSettings:
    """Which frame encoder a model was trained on.

    Raises:
        CheckpointError: its configuration does not say it.
    """
    try:
        return TypeAdapter(FrameEncoderSettings).validate_python(config.frame_encoder)
    except ValidationError as error:
        msg = f"The model's config.json names no frame encoder that is known here ({error.errors()[0]['msg']}); {_TRAIN}."
        raise CheckpointError(msg) from error


class FeatureFacts(NamedTuple):
    """How features were made."""

    frame_encoder: FrameEncoderSettings
    frame_encoder_sha256: str | None
    mask: Mask
    frames: int
    flow: FlowMethod


def check_features(model: HawkForConditionalGeneration, features: FeatureFacts) -> None:
    """Refuse features that were made in another way than those a model was trained on.

    Raises:
        CheckpointError: with what differs.
    """
    config = model.config
    given = features._asdict() | {"frame_encoder": features.frame_encoder.model_dump()}
    trained = {name: getattr(config, name) for name in given}
    if config.motion_query_tokens:  # an imported model's own, whose folder cannot be known to itself
        own = given["frame_encoder"].pop("motion_queries", None)
        trained["frame_encoder"] = {name: value for name, value in trained["frame_encoder"].items() if name != "motion_queries"}
        if own is None or not torch.equal(read_motion_queries(Path(own)).float(), model.motion_query_tokens.float().cpu()):
            msg = "The imported model has motion queries of its own; set `encode.frame_encoder.motion_queries` to its folder."
            raise CheckpointError(msg)
    if config.frame_encoder_sha256 is None and features.frame_encoder_sha256 is not None:
        logger.warning("It is not recorded which frame encoder the model was trained with; the features are taken unverified.")
        del trained["frame_encoder_sha256"]
    different = [f"{name} was {trained[name]}, now {given[name]}" for name in trained if trained[name] != given[name]]
    if different:
        msg = f"The features are not those the model was trained on: {'; '.join(different)}. Train again, or set them back."
        raise CheckpointError(msg)


def _insist_on_branches(config: HawkConfig, weights: dict[str, Tensor], folder: Path) -> None:
    """Compare what is stored with what the configuration promises, before anything of that size is made."""
    wanted = own_shapes(config)
    found = {name: shape for name, shape in shapes_of(weights).items() if name in wanted}
    insist(account_for(found, wanted), f"{folder}/model.safetensors")


def _stored_names(model: HawkForConditionalGeneration) -> set[str]:
    """What the folder must hold; a tied weight is stored once."""
    names = set(model.state_dict()) if model.config.language_model_saved else model.own_names()
    return names - set(model.all_tied_weights_keys)


def _weights(folder: Path) -> dict[str, Tensor]:
    weights: dict[str, Tensor] = {}
    for file in weight_files(folder):
        weights |= load_file(file)
    return weights


def _tokenizer(folder: Path, settings: LanguageModelSettings) -> PreTrainedTokenizerBase:
    """The model's own; an imported model that was made without its language model takes it from there."""
    if (folder / "tokenizer_config.json").is_file() or settings.source is None:
        return AutoTokenizer.from_pretrained(folder)
    return load_tokenizer(settings)
