"""The original files of BLIP-2's frame encoder, `eva_vit_g.pth` and `blip2_pretrained_*.pth`, in our names and back."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor
from transformers import Blip2QFormerConfig, Blip2QFormerModel, Blip2VisionConfig, Blip2VisionModel

from hawk_pipelines.model.account import Account, account_for, insist, shapes_of
from hawk_pipelines.model.torch_files import read_weights

_VIT_NAMES = (
    (r"^vision_model\.embeddings\.class_embedding$", "cls_token"),
    (r"^vision_model\.embeddings\.position_embedding$", "pos_embed"),
    (r"^vision_model\.embeddings\.patch_embedding\.", "patch_embed.proj."),
    (r"^vision_model\.encoder\.layers\.(\d+)\.layer_norm(\d)\.", r"blocks.\1.norm\2."),
    (r"^vision_model\.encoder\.layers\.(\d+)\.self_attn\.projection\.", r"blocks.\1.attn.proj."),
    (r"^vision_model\.encoder\.layers\.(\d+)\.self_attn\.qkv\.", r"blocks.\1.attn.qkv."),
    (r"^vision_model\.encoder\.layers\.(\d+)\.mlp\.", r"blocks.\1.mlp."),
)
_QFORMER_NAMES = (
    (r"^query_tokens$", "query_tokens"),
    (r"^vision_model\.post_layernorm\.", "ln_vision."),
    (r"^qformer\.layernorm\.", "Qformer.bert.embeddings.LayerNorm."),
    (r"^qformer\.encoder\.layer\.(\d+)\.(cross)?attention\.attention\.", r"Qformer.bert.encoder.layer.\1.\2attention.self."),
    (r"^qformer\.encoder\.", "Qformer.bert.encoder."),
)
_VIT_IGNORABLE = (
    (r"blocks\.39\.", "the 40th block, which BLIP-2 leaves out"),
    (r"(norm|fc_norm|head)\.", "the ViT's own end, which BLIP-2 leaves out"),
)
_QFORMER_IGNORABLE = (
    (r"Qformer\..*position_ids$", "a constant"),
    (r"Qformer\.bert\.embeddings\.(word|position)_embeddings\.", "the Q-Former's text half"),
    (r"Qformer\.bert\.encoder\.layer\.\d+\.(intermediate|output)\.", "the Q-Former's text half"),
    (r"Qformer\.cls\.", "the Q-Former's text half"),
    (r"(t5|opt|llm|vicuna)_proj\.", "the way to BLIP-2's own language model"),
    (r"(vision_proj|text_proj|itm_head)\.|temp$", "BLIP-2's own training tasks"),
    (r"visual_encoder\.", "a ViT, which comes from its own file"),
)


class ReadFile(NamedTuple):
    """An original file: its tensors in our names, and what became of each."""

    tensors: dict[str, Tensor]
    account: Account


def from_vit_file(file: Path, config: Blip2VisionConfig) -> ReadFile:
    """`eva_vit_g.pth`: a flat dictionary.

    Raises:
        CheckpointError: it is damaged, unsafe, or of another model.
    """
    return vit_from_original(read_weights(file), config, str(file))


def from_qformer_file(file: Path, config: Blip2QFormerConfig) -> ReadFile:
    """`blip2_pretrained_*.pth`: a dictionary under `model`, with the LayerNorm behind the ViT.

    Raises:
        CheckpointError: it is damaged, unsafe, or of another model.
    """
    return qformer_from_original(read_weights(file), config, str(file))


def vit_from_original(found: Mapping[str, Tensor], config: Blip2VisionConfig, file: str) -> ReadFile:
    """The ViT's tensors in our names. Its key has no bias, so q and v biases become one with zeros between."""
    with torch.device("meta"):
        parts = {f"vision_model.{name}": part for name, part in Blip2VisionModel(config).state_dict().items()}
    ours = {name: part for name, part in parts.items() if ".post_layernorm." not in name}
    original = {_renamed(name, _VIT_NAMES): name for name in ours}
    wanted: dict[str, tuple[int, ...]] = {}
    for name, own in original.items():
        if name.endswith("attn.qkv.bias"):
            wanted |= {name.replace("qkv.bias", bias): (config.hidden_size,) for bias in ("q_bias", "v_bias")}
        else:
            wanted[name] = tuple(ours[own].shape)
    account = _checked(found, wanted, _VIT_IGNORABLE, file)
    return ReadFile({own: _vit_tensor(found, name) for name, own in original.items()}, account)


def _vit_tensor(found: Mapping[str, Tensor], name: str) -> Tensor:
    if not name.endswith("attn.qkv.bias"):
        return found[name]
    q, v = (found[name.replace("qkv.bias", bias)] for bias in ("q_bias", "v_bias"))
    return torch.cat([q, torch.zeros_like(q), v])


def qformer_from_original(found: Mapping[str, Tensor], config: Blip2QFormerConfig, file: str) -> ReadFile:
    """The image Q-Former's tensors in our names, with its queries and the LayerNorm before it."""
    config.use_qformer_text_input = False
    with torch.device("meta"):
        parts = {f"qformer.{name}": shape for name, shape in shapes_of(Blip2QFormerModel(config).state_dict()).items()}
    parts["query_tokens"] = (1, 32, config.hidden_size)
    parts |= {f"vision_model.post_layernorm.{name}": (config.encoder_hidden_size,) for name in ("weight", "bias")}
    original = {_renamed(name, _QFORMER_NAMES): name for name in parts}
    account = _checked(found, {name: parts[own] for name, own in original.items()}, _QFORMER_IGNORABLE, file)
    return ReadFile({own: found[name] for name, own in original.items()}, account)


def _checked(
    found: Mapping[str, Tensor], wanted: Mapping[str, tuple[int, ...]], ignorable: tuple[tuple[str, str], ...], file: str
) -> Account:
    account = account_for(shapes_of(found), wanted, ignorable)
    insist(account, file)
    return account


def _renamed(name: str, names: tuple[tuple[str, str], ...]) -> str:
    for pattern, replacement in names:
        new, changed = re.subn(pattern, replacement, name)
        if changed:
            return new
    return name
