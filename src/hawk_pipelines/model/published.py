"""The published checkpoints, HAWK's and Video-LLaMA's, in our names and back.

What they leave out is frozen elsewhere: the image encoder and the language model. Which of their keys are ours is a table of
rules; everything else in a file is accounted for.
"""

import re
from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from hawk_pipelines.model.account import Account, account_for, insist, shapes_of
from hawk_pipelines.model.configuration import HawkConfig
from hawk_pipelines.model.hawk import HawkForConditionalGeneration

_NAMES = (
    (r"^{branch}\.query_tokens$", "video_query_tokens{S}"),
    (r"^{branch}\.frame_positions\.", "video_frame_position_embedding{S}."),
    (r"^{branch}\.video_qformer\.layernorm\.", "video_Qformer{S}.bert.embeddings.LayerNorm."),
    (
        r"^{branch}\.video_qformer\.encoder\.layer\.(\d+)\.(cross)?attention\.attention\.",
        r"video_Qformer{S}.bert.encoder.layer.\1.\2attention.self.",
    ),
    (r"^{branch}\.video_qformer\.encoder\.", "video_Qformer{S}.bert.encoder."),
    (r"^{branch}\.trunk\.0\.", "llama_proj{S}_0."),
    (r"^{branch}\.trunk\.1\.", "llama_proj{S}_last.encoder_0."),
    (r"^{branch}\.compression\.", "llama_proj{S}_last.encoder_1."),
    (r"^{branch}\.projection\.", "llama_proj{S}_last.decoder_2."),
)
_IGNORABLE = (
    (r".*position_ids$", "a constant"),
    (r"llama_model\..*rotary_emb\.inv_freq$", "a constant"),
    (r"(visual_encoder|ln_vision|Qformer)(_motion)?\.|query_tokens$", "left aside: the frozen encoder comes from its own files"),
    (r"(llama_model|language_model)\.(?!.*lora_)", "left aside: the frozen language model comes from its own files"),
)
_VIDEO_LLAMA_IGNORABLE = (
    *_IGNORABLE,
    (r"(audio_|multimodal_encoder\.)", "the audio branch, which HAWK does not have"),
)
SINGLE_PROJECTION = "llama_proj."
"""What tells Video-LLaMA's checkpoint from HAWK's: one projection instead of a trunk with two heads."""


class Imported(NamedTuple):
    """A published checkpoint's weights in our names, and what became of each of its tensors."""

    weights: dict[str, Tensor]
    account: Account


def is_hawk(found: Mapping[str, object]) -> bool:
    """Whether a checkpoint is HAWK's: it alone has a second branch."""
    return any(name.startswith("video_query_tokens_motion") for name in found)


def is_video_llama(found: Mapping[str, object]) -> bool:
    """Whether a checkpoint is Video-LLaMA's: a video Q-Former, one branch, one projection."""
    return not is_hawk(found) and any(name.startswith((SINGLE_PROJECTION, "video_Qformer.")) for name in found)


def published_name(name: str) -> str:
    """What the public code calls one of our weights."""
    if name == "motion_query_tokens":
        return "query_tokens_motion"
    for branch, suffix in (("appearance", ""), ("motion", "_motion")):
        for pattern, replacement in _NAMES:
            new, changed = re.subn(pattern.replace("{branch}", branch), replacement.replace("{S}", suffix), name)
            if changed:
                return new
    return name


def import_hawk(found: Mapping[str, Tensor], config: HawkConfig, file: str) -> Imported:
    """The weights of a published HAWK checkpoint.

    Args:
        found: what lies under `model` in the file.
        config: sizes, with `motion_branch` and `motion_query_tokens`.
        file: for messages.

    Raises:
        CheckpointError: something is missing or has another shape.
    """
    ours = {published_name(name): (name, shape) for name, shape in own_shapes(config).items()}
    account = account_for(shapes_of(found), {name: shape for name, (_, shape) in ours.items()}, _IGNORABLE)
    insist(account, file)
    return Imported({own: found[name] for name, (own, _) in ours.items()}, account)


def import_video_llama(found: Mapping[str, Tensor], config: HawkConfig, file: str) -> Imported:
    """The weights of a Video-LLaMA checkpoint, as HAWK without a motion branch.

    Its single projection is the trunk's first layer; the second and head P are the identity.

    Args:
        found: what lies under `model` in the file.
        config: sizes, without `motion_branch`.
        file: for messages.

    Raises:
        CheckpointError: something is missing or has another shape.
    """
    shapes = own_shapes(config)
    identities = {name for name in shapes if name.startswith(("appearance.trunk.1.", "appearance.projection."))}
    ours = {published_name(name).replace("llama_proj_0.", SINGLE_PROJECTION): name for name in shapes if name not in identities}
    wanted = {name: shapes[own] for name, own in ours.items()}
    account = account_for(shapes_of(found), wanted, _VIDEO_LLAMA_IGNORABLE)
    insist(account, file)
    weights = {own: found[name] for name, own in ours.items()}
    dtype = weights["appearance.trunk.0.weight"].dtype
    for name in identities:
        weights[name] = (
            torch.eye(*shapes[name], dtype=dtype) if len(shapes[name]) == 2 else torch.zeros(shapes[name], dtype=dtype)
        )
    return Imported(weights, account)


def export_hawk(model: HawkForConditionalGeneration) -> dict[str, Tensor]:
    """A model's branches under the public code's names, as they lie under `model` in its checkpoints."""
    state = model.state_dict()
    return {published_name(name): state[name] for name in state if not name.startswith("language_model.")}


def own_shapes(config: HawkConfig) -> dict[str, tuple[int, ...]]:
    """Names and shapes of all weights but the language model's; nothing is allocated."""
    with torch.device("meta"):
        model = HawkForConditionalGeneration(config)
    return {name: shape for name, shape in shapes_of(model.state_dict()).items() if not name.startswith("language_model.")}
