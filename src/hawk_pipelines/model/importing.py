"""From a published file to a folder of ours: HAWK, Video-LLaMA, and the two files of BLIP-2's frame encoder."""

import json
import shutil
from pathlib import Path
from typing import NamedTuple

from safetensors.torch import save_file
from torch import Tensor
from transformers import Blip2QFormerConfig, Blip2VisionConfig, LlamaConfig, PreTrainedConfig

from hawk_pipelines.engine.whole_files import whole_file
from hawk_pipelines.model.account import Account
from hawk_pipelines.model.configuration import HawkConfig, paper_sizes
from hawk_pipelines.model.errors import CheckpointError
from hawk_pipelines.model.frame_encoders.blip2_files import qformer_from_original, vit_from_original
from hawk_pipelines.model.language_model import load_configuration, load_tokenizer
from hawk_pipelines.model.published import import_hawk, import_video_llama, is_hawk, is_video_llama
from hawk_pipelines.model.settings import Blip2FrameEncoderSettings, LanguageModelSettings, PromptSettings
from hawk_pipelines.model.sources import language_model_sha256
from hawk_pipelines.model.torch_files import read_weights

LLAMA = "meta-llama/Llama-2-7b-chat-hf"
HALVES = {"model-vision.safetensors", "model-qformer.safetensors"}
"""The files of the frame encoder's two parts."""


class Report(NamedTuple):
    """What a file was, what became of it, and what one should know."""

    kind: str
    account: Account
    notes: list[str]


def import_checkpoint(
    file: Path, folder: Path, language_model: LanguageModelSettings | None = None, frame_encoder: str | None = None
) -> Report:
    """Read a published file and write a folder that `load` or a frame encoder's `source` takes.

    The two files of the frame encoder go into one folder, one after the other.

    Args:
        file: a `.pth` of HAWK, Video-LLaMA, BLIP-2 (`blip2_pretrained_*`) or EVA (`eva_vit_g`).
        folder: to write. Of a model it must be new.
        language_model: that HAWK or Video-LLaMA stands on; Llama-2-7B-chat by default.
        frame_encoder: a folder or hub id of BLIP-2's frame encoder.

    Raises:
        CheckpointError: the file is unsafe, damaged, incomplete, or none of the four; or the folder holds something else.
    """
    found = read_weights(file)
    if is_hawk(found) or is_video_llama(found):
        return _import_model(found, file, folder, language_model, frame_encoder)
    if "blocks.0.attn.qkv.weight" in found:
        vision, account = vit_from_original(found, Blip2VisionConfig(), str(file))
        _write_part(folder, "model-vision.safetensors", vision)
        return Report("EVA-CLIP ViT-g/14", account, [_other_half(folder, "model-qformer.safetensors", "blip2_pretrained_*.pth")])
    if any(name.startswith("Qformer.") for name in found):
        qformer, account = qformer_from_original(found, Blip2QFormerConfig(), str(file))
        _write_part(folder, "model-qformer.safetensors", qformer)
        return Report("BLIP-2 image Q-Former", account, [_other_half(folder, "model-vision.safetensors", "eva_vit_g.pth")])
    holds = f"{len(found)} tensors, for example {next(iter(found))}" if found else "no tensor"
    msg = f"{file} is no checkpoint of HAWK, Video-LLaMA, BLIP-2 or EVA ViT-g: it holds {holds}."
    raise CheckpointError(msg)


def _import_model(
    found: dict[str, Tensor],
    file: Path,
    folder: Path,
    language_model: LanguageModelSettings | None,
    frame_encoder: str | None,
) -> Report:
    if folder.exists():
        msg = f"{folder} is there already; name a new folder, so that no model is overwritten."
        raise CheckpointError(msg)
    hawk = is_hawk(found)
    speaks = language_model or LanguageModelSettings(source=LLAMA, dtype="bfloat16")
    text_config = load_configuration(speaks) if language_model else _llama()
    config = published_configuration(text_config, speaks, hawk, frame_encoder)
    config.motion_query_tokens = "query_tokens_motion" in found
    config.architectures = ["HawkForConditionalGeneration"]
    imported = (import_hawk if hawk else import_video_llama)(found, config, str(file))
    notes = _notes(hawk)
    unfinished = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(unfinished, ignore_errors=True)
    _make(unfinished)
    if language_model:
        config.language_model_sha256 = language_model_sha256(speaks)
        load_tokenizer(speaks).save_pretrained(unfinished)
    else:
        notes.append(
            f"{LLAMA} was not looked at: it is fetched, unverified, when the model is loaded. --language-model names another."
        )
    config.save_pretrained(unfinished)
    _write(imported.weights, unfinished / "model.safetensors")
    unfinished.replace(folder)
    return Report("HAWK" if hawk else "Video-LLaMA", imported.account, notes)


def published_configuration(
    text_config: PreTrainedConfig, language_model: LanguageModelSettings, motion: bool, frame_encoder: str | None = None
) -> HawkConfig:
    """HAWK's published sizes, and the input that the public code's weights were trained on."""
    encoder = Blip2FrameEncoderSettings(normalisation="none")
    if frame_encoder is not None:
        encoder = encoder.model_copy(update={"source": frame_encoder})
    config = paper_sizes(text_config, motion)
    config.frame_encoder = encoder.model_dump()
    config.language_model = language_model.model_dump()
    config.mask = "hard"
    config.conversation_turns = 1  # its data are single questions
    config.prompt = PromptSettings(layout="published", tell_times=True).model_dump()
    return config


def _notes(hawk: bool) -> list[str]:
    if not hawk:
        return ["It has no motion branch: it becomes HAWK without one, its single projection followed by two identities."]
    return [
        "Its motion branch was trained behind an image Q-Former whose random weights were never saved. Ours is the pretrained "
        "one, shared by both branches: answers will differ from the published ones; the motion branch should be trained again.",
        "The motion stream's own queries (query_tokens_motion), which were trained by mistake, are kept and used, not trained.",
    ]


def _llama() -> LlamaConfig:
    """Llama-2-7B-chat."""
    return LlamaConfig(vocab_size=32000, max_position_embeddings=4096, rms_norm_eps=1e-5, bos_token_id=1, eos_token_id=2)


def _write_part(folder: Path, name: str, tensors: dict[str, Tensor]) -> None:
    """One half of the frame encoder, into a folder that is new or holds nothing but the other half."""
    there = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    if there - {"config.json", *(HALVES - {name})}:
        msg = f"{folder} holds something else; name a new folder, or the one with only the other half of the frame encoder."
        raise CheckpointError(msg)
    _make(folder)
    configuration = folder / "config.json"
    sizes = {"vision_config": Blip2VisionConfig().to_dict(), "qformer_config": Blip2QFormerConfig().to_dict()}
    configuration.write_text(json.dumps({"model_type": "blip-2"} | sizes, indent=2), encoding="utf-8")
    _write(tensors, folder / name)


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        msg = f"{folder} cannot be made ({error.strerror}); name another folder."
        raise CheckpointError(msg) from error


def _write(tensors: dict[str, Tensor], file: Path) -> None:
    with whole_file(file) as unfinished:
        save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, unfinished, {"format": "pt"})


def _other_half(folder: Path, name: str, file: str) -> str:
    if (folder / name).is_file():
        return f"The frame encoder is complete: set `encode.frame_encoder` to kind blip2 and source {folder}."
    return f"This is half of the frame encoder; import {file} into {folder}, too."
