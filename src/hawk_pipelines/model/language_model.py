"""The language model that speaks: any causal one of `transformers`, frozen by default, or a tiny one trained from nothing."""

import importlib.util
import logging
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, redirect_stderr
from io import StringIO
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
    BitsAndBytesConfig,
    GenerationConfig,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.utils import logging as transformers_logging

from hawk_pipelines.model.errors import CheckpointError
from hawk_pipelines.model.prompting import add_placeholders
from hawk_pipelines.model.settings import LanguageModelSettings
from hawk_pipelines.model.sources import insist_on_all, language_model_folder

logger = logging.getLogger(__name__)

transformers_logging.disable_progress_bar()  # our own bars are enough


def load_configuration(settings: LanguageModelSettings) -> PreTrainedConfig:
    """The sizes of a pretrained language model, without its weights.

    Raises:
        CheckpointError: the source has none.
    """
    with _loading(settings):
        return AutoConfig.from_pretrained(language_model_folder(settings), **_gguf(settings))


def load_tokenizer(settings: LanguageModelSettings) -> PreTrainedTokenizerBase:
    """The tokenizer of a pretrained language model, which is taught the placeholders of the two embeddings.

    Raises:
        CheckpointError: the source has none.
    """
    with _loading(settings):
        tokenizer = AutoTokenizer.from_pretrained(language_model_folder(settings), **_gguf(settings))
    add_placeholders(tokenizer)
    return tokenizer


def load_language_model(settings: LanguageModelSettings, reading: AbstractContextManager | None = None) -> PreTrainedModel:
    """A pretrained language model, frozen unless the settings say otherwise, with fresh adapters where they ask for some.

    Args:
        settings: which one, and how it is held.
        reading: entered while weights are read, so that they can be spread over processes.

    Raises:
        CheckpointError: it cannot be loaded.
    """
    options: dict[str, Any] = {"dtype": getattr(torch, settings.dtype)} | _gguf(settings)
    if settings.four_bit:
        options["quantization_config"] = _four_bit(settings)
    quiet = redirect_stderr(StringIO()) if settings.gguf_file else nullcontext()  # unpacking GGUF draws a bar of its own
    with _loading(settings), quiet, reading or nullcontext():
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            language_model_folder(settings), use_safetensors=not settings.gguf_file, output_loading_info=True, **options
        )
    model, found = loaded
    insist_on_all(found, str(settings.source))
    return prepare(model, settings)


def prepare(model: PreTrainedModel, settings: LanguageModelSettings) -> PreTrainedModel:
    """Freeze a language model and add adapters, as the settings say.

    Raises:
        CheckpointError: it has no layers of the names that should get adapters.
    """
    model.generation_config = GenerationConfig()  # how an answer is drawn is not the language model's to say
    if settings.is_frozen:
        model.requires_grad_(False).eval()
    if settings.lora is not None:
        from peft import LoraConfig  # two seconds, for those that have adapters

        lora = settings.lora
        wanted = LoraConfig(
            r=lora.rank, lora_alpha=lora.alpha, lora_dropout=lora.dropout, target_modules=lora.modules, task_type="CAUSAL_LM"
        )
        try:
            model.add_adapter(wanted)
        except ValueError as error:
            msg = f"{settings.source} cannot get adapters in {', '.join(lora.modules)} (`model.language_model.lora`): {error}."
            raise CheckpointError(msg) from error
        for name, parameter in model.named_parameters():
            if "lora_" in name:
                parameter.data = parameter.data.float()  # what is trained is trained in float32
    for module in model.modules():
        module._is_hf_initialized = True  # type: ignore[assignment] # so that the model around it leaves these weights alone
    return model


def padding_id(tokenizer: PreTrainedTokenizerBase) -> int:
    """The token that fills up batches; it is masked everywhere, so its meaning does not matter."""
    known = (tokenizer.pad_token_id, tokenizer.eos_token_id, 0)
    return int(next(token for token in known if token is not None))


def _gguf(settings: LanguageModelSettings) -> dict[str, str]:
    return {"gguf_file": settings.gguf_file} if settings.gguf_file else {}


def _four_bit(settings: LanguageModelSettings) -> BitsAndBytesConfig:
    if importlib.util.find_spec("bitsandbytes") is None:
        msg = "`model.language_model.four_bit` needs the package bitsandbytes; install it, or set four_bit to false."
        raise CheckpointError(msg)
    return BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=getattr(torch, settings.dtype))


@contextmanager
def _loading(settings: LanguageModelSettings) -> Iterator[None]:
    """One sentence where it fails."""
    try:
        yield
    except CheckpointError:
        raise
    except (OSError, ValueError, KeyError, TypeError, ImportError, RuntimeError, SafetensorError) as error:
        reason = " ".join(str(error).split())[:300]
        msg = f"{settings.source} holds no causal language model that can be loaded ({reason}); mend `model.language_model`."
        raise CheckpointError(msg) from error
