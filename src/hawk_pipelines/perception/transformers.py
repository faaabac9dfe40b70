"""Captions by any image-to-text or video-text model of `transformers`: BLIP, BLIP-2, GIT, LLaVA, Qwen-VL, Video-LLaVA …

The model is taken from a folder or the model hub (its cache first; a download only where that is allowed). Weights are read
from safetensors and nothing that comes with the model is run as code.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from hawk_pipelines.perception.captioner import Captioner, CaptionError, LooksAt, Said, Seen
from hawk_pipelines.perception.frames import read_frames

TOOL = "transformers"
LOOKS_AT: LooksAt = "pictures"
VERSION = 1
REQUEST = "Describe in one sentence what happens."
"""What a model is asked that has to be asked something."""


class Parameters(BaseModel):
    """Which model, and how it looks at a clip."""

    model_config = ConfigDict(extra="forbid")

    source: str | None = None
    """A folder, `package:NAME/PATH`, or an id of the model hub."""
    revision: str | None = None
    """Branch, tag or commit of a hub id."""
    sees: Literal["frame", "frames", "video"] = "frame"
    """`frame`: each frame by itself, a caption each; `frames`: all frames as pictures in one prompt, one caption; `video`: the
    same through the model's own video processor, which needs torchvision."""
    frames: int = Field(default=4, ge=1, le=128)
    """Of a clip, spread evenly."""
    longest: int = Field(default=384, ge=32, le=2048)
    """Pixels of the longer side of the frames that the model's own preprocessing is given."""
    prompt: str | None = Field(default=None, min_length=1)
    """What is asked. A model with a chat template is asked `REQUEST` without it, another one nothing; where there is no template
    the prompt must hold the model's own marks (`<image>`, `<video>`)."""
    new_tokens: int = Field(default=60, ge=1, le=1000)
    """Length of a caption at most."""
    dtype: Literal["float32", "float16", "bfloat16"] = "float32"


@contextmanager
def open_captioner(parameters: Parameters) -> Iterator[Captioner]:
    """Load the model.

    Raises:
        CaptionError: no source is named, or it is no such model.
        CheckpointError: the model is not there, or has no safetensors.
    """
    from hawk_pipelines.model.sources import EVERYTHING, locate, sha256, weight_files

    if parameters.source is None:
        msg = "Set `caption.transformers.source` to a folder or to the hub id of an image-to-text or video-text model."
        raise CaptionError(msg)
    folder = locate(parameters.source, parameters.revision)
    weight_files(folder)  # refuses a folder without safetensors
    files = sorted({file for pattern in EVERYTHING for file in folder.glob(pattern)})
    model, processor = _load(folder, parameters)
    yield Captioner(f"{VERSION} {sha256(files)[:12]}", lambda seen: _describe(seen, parameters, model, processor))


def _load(folder: Path, parameters: Parameters) -> tuple[Any, Any]:
    """Model and preprocessing, in evaluation mode."""
    import torch
    from safetensors import SafetensorError
    from transformers import AutoModelForImageTextToText, AutoProcessor

    from hawk_pipelines.model.checkpoint import best_device
    from hawk_pipelines.model.sources import insist_on_all

    any_model: Any = AutoModelForImageTextToText  # its type leaves out what it gives with `output_loading_info`
    errors = (OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError, ImportError, SafetensorError)
    try:
        processor = AutoProcessor.from_pretrained(folder, backend="pil")
        model, loaded = any_model.from_pretrained(
            folder, dtype=getattr(torch, parameters.dtype), use_safetensors=True, output_loading_info=True
        )
    except errors as error:
        hint = " Install torchvision, which its preprocessing needs." if "torchvision" in str(error).lower() else ""
        msg = f"{parameters.source} is no image-to-text or video-text model that `transformers` can load ({error}).{hint}"
        raise CaptionError(msg) from error
    insist_on_all(loaded, str(parameters.source))
    return model.to(best_device()).eval(), processor


def _describe(seen: Seen, parameters: Parameters, model: Any, processor: Any) -> list[Said]:
    """One caption of every frame, until the next; or one of the clip."""
    frames = read_frames(seen, parameters.frames, parameters.longest)
    if parameters.sees == "frame":
        ends_s = [*frames.times_s[1:], seen.clip.end_s]
        starts_s = [seen.clip.start_s, *frames.times_s[1:]]
        said = [_generate([picture], parameters, model, processor) for picture in frames.pictures]
        return [Said(start_s, end_s, *what) for start_s, end_s, what in zip(starts_s, ends_s, said, strict=True)]
    return [Said(seen.clip.start_s, seen.clip.end_s, *_generate(frames.pictures, parameters, model, processor))]


def _generate(pictures: list[np.ndarray], parameters: Parameters, model: Any, processor: Any) -> tuple[str, float]:
    """A caption of pictures (uint8 [H, W, 3] each), and the mean probability of its tokens."""
    import torch

    shown: dict[str, Any] = {"videos": [np.stack(pictures)]} if parameters.sees == "video" else {"images": pictures}
    text = _prompt(len(pictures), parameters, processor)
    try:
        inputs = processor(**shown, **({"text": text} if text else {}), return_tensors="pt").to(model.device)
        if "pixel_values" in inputs:
            inputs["pixel_values"] = inputs["pixel_values"].to(model.dtype)
        with torch.inference_mode():
            made = model.generate(
                **inputs,
                max_new_tokens=parameters.new_tokens,
                do_sample=False,
                num_beams=1,
                output_scores=True,
                return_dict_in_generate=True,
            )
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RuntimeError, ImportError) as error:
        msg = (
            f"{parameters.source} ({type(model).__name__}) cannot caption with `sees: {parameters.sees}` and the prompt {text!r} "
            f"({error}); see docs/captioners.md for what fits which model."
        )
        raise CaptionError(msg) from error
    new = made.sequences[0, -len(made.scores) :]
    sure = [torch.softmax(scores[0].float(), -1)[token] for scores, token in zip(made.scores, new, strict=True)]
    caption = processor.batch_decode(new[None], skip_special_tokens=True)[0]
    return caption, float(torch.stack(sure).mean())


def _prompt(pictures: int, parameters: Parameters, processor: Any) -> str | None:
    if not getattr(processor, "chat_template", None):
        return parameters.prompt
    shown = [{"type": "video"}] if parameters.sees == "video" else [{"type": "image"}] * pictures
    message = {"role": "user", "content": [*shown, {"type": "text", "text": parameters.prompt or REQUEST}]}
    return processor.apply_chat_template([message], add_generation_prompt=True, tokenize=False)
