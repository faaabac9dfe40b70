"""Answers of any video-text model of `transformers`: Video-LLaVA, LLaVA-OneVision, Qwen-VL, InternVL …

The model is taken from a folder or the model hub (its cache first; a download only where that is allowed). Weights are read from
safetensors, and no code that comes with a model is run. It is shown frames of the frame store, the same ones that our own model
sees, and answers greedily.
"""

import inspect
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, field_validator

from hawk_pipelines.engine.progress import progress
from hawk_pipelines.engine.store import ItemStore, MissingItem
from hawk_pipelines.errors import HawkError
from hawk_pipelines.schema import Asked, Prediction, StoredItem
from hawk_pipelines.video.sampling import uniform
from hawk_pipelines.video.stored import unpack

logger = logging.getLogger(__name__)

QUESTION = "{question}"
"""Its place in a prompt."""
PROMPTS = dict.fromkeys(("video_llava", "llava_next_video"), f"USER: <video>\n{QUESTION} ASSISTANT:")
"""How models are asked that may come without a chat template, by their kind: as their authors have it."""
FRAMES = {"video_llava": 8}
"""How many frames models look at that do not say so themselves, by their kind."""
_PIXELS = "pixel_values"
_TICKS = 1000
"""Of a second: processors are told times as numbers of frames."""


class VideoModelError(HawkError):
    """A video model that cannot be loaded, or cannot answer."""


class VideoModelParameters(BaseModel):
    """Which model answers, and how it is asked."""

    model_config = ConfigDict(extra="forbid")

    source: str
    """An id of the model hub, a folder, or `package:NAME/PATH`."""
    revision: str | None = None
    """Branch, tag or commit of a hub id."""
    frames: int | None = Field(default=None, ge=1)
    """Of an item at most, spread evenly; None: as many as the model wants (Video-LLaVA: 8), or all that are stored."""
    prompt: str | None = None
    """What is asked, with `{question}` in it. A model with a chat template is asked it in a chat, except where the model's own
    mark of a video stands in it; None: the question alone, or without a chat template the form that its authors use."""
    max_new_tokens: int = Field(default=64, ge=1, le=1024)
    """An answer is cut off after so many tokens."""
    batch_size: int = Field(default=8, ge=1)
    """Videos at a time."""
    dtype: Literal["float32", "float16", "bfloat16"] | None = None
    """Of the weights; None: float32 on a CPU, on a GPU as they are stored."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """`auto`: a GPU where there is one."""

    @field_validator("prompt")
    @classmethod
    def _asks(cls, prompt: str | None) -> str | None:
        if prompt is not None and prompt.count(QUESTION) != 1:
            msg = f"the place of the question, {QUESTION}, stands in it once"
            raise ValueError(msg)
        return prompt


class Frames(NamedTuple):
    """What a model is shown of an item."""

    pictures: NDArray
    """uint8 [T, H, W, 3], RGB."""
    times_s: NDArray
    """float [T], when they are shown."""


def frames_reader(frames: Sequence[StoredItem], store: ItemStore) -> Callable[[str], Frames | None]:
    """A function that reads the frames of an item: those of its first sampling; None where there are none."""
    keys = {item.item_id: item.key for item in frames}

    def read(item_id: str) -> Frames | None:
        try:
            key = keys[item_id]
            streams = unpack(store.read(key), store.facts(key))
        except (KeyError, MissingItem):
            return None
        return Frames(streams.frames[0], streams.times_s[0])

    return read


def answer_with_video_model(
    name: str, parameters: VideoModelParameters, asked: Sequence[Asked], read_frames: Callable[[str], Frames | None]
) -> list[Prediction]:
    """Ask a video model everything. Each video is encoded once, however often it is asked.

    What is batched together depends on what is asked and not on its order, so that the same is answered in every order.

    Args:
        name: who answers.
        parameters: which model.
        asked: what is to be answered.
        read_frames: what there is to see of an item; None: nothing.

    Returns:
        A prediction for each, in the order of `asked`, without those about items of which there is nothing to see.

    Raises:
        VideoModelError: it is no model that takes videos, the prompt does not fit it, or it needs more memory.
        CheckpointError: the model is not there, or has no safetensors.
    """
    speaker = _load(parameters)
    once = sorted({one.key: one for one in asked}.values(), key=lambda one: one.key)
    items = [(item_id, list(ones)) for item_id, ones in groupby(once, lambda one: one.item_id)]
    answers: dict[tuple, str] = {}
    for start in progress(range(0, len(items), parameters.batch_size), f"{name} answers"):
        batch = [(read_frames(item_id), ones) for item_id, ones in items[start : start + parameters.batch_size]]
        seen = [(_thinned(frames, speaker.frames), ones) for frames, ones in batch if frames is not None]
        for _, alike in groupby(sorted(seen, key=_shape), _shape):  # videos of one length share a tensor
            answers |= _answer(speaker, list(alike))
    return [one.answered(name, answers[one.key]) for one in asked if one.key in answers]


class _Speaker(NamedTuple):
    """A loaded model, and how it is asked."""

    source: str
    model: Any
    processor: Any
    prompt: Callable[[str], str]
    frames: int | None
    max_new_tokens: int


def _load(parameters: VideoModelParameters) -> _Speaker:
    import torch
    from transformers import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING, AutoConfig, AutoModelForImageTextToText

    from hawk_pipelines.evaluation.video_processor import load_processor
    from hawk_pipelines.model.checkpoint import best_device
    from hawk_pipelines.model.sources import insist_on_all, locate, weight_files

    source = parameters.source
    if parameters.device == "cuda" and not torch.cuda.is_available():
        msg = f"{source} is to run on a GPU (`device: cuda`), and there is none here; set it to auto."
        raise VideoModelError(msg)
    device = best_device() if parameters.device == "auto" else torch.device(parameters.device)
    dtype = parameters.dtype or ("auto" if device.type == "cuda" else "float32")
    folder = locate(source, parameters.revision)
    weight_files(folder)  # refuses a folder without safetensors
    any_model: Any = AutoModelForImageTextToText  # its type leaves out what it gives with `output_loading_info`
    with _told(f"{source} is no video-text model that `transformers` can load"):
        config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
        if type(config) not in MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING:
            msg = f"it is a `{config.model_type}`"
            raise ValueError(msg)
        processor = load_processor(folder, config)
        if getattr(processor, "video_processor", None) is None or getattr(processor, "video_token", None) is None:
            msg = f"a `{config.model_type}` takes no videos"
            raise ValueError(msg)
    prompt = _prompt(parameters, processor, config.model_type)
    with _told(f"{source} is no video-text model that `transformers` can load"):
        model, loaded = any_model.from_pretrained(
            folder, dtype=dtype, device_map={"": device}, use_safetensors=True, trust_remote_code=False, output_loading_info=True
        )
    insist_on_all(loaded, source)
    processor.tokenizer.padding_side = "left"
    if processor.tokenizer.pad_token is None:
        processor.tokenizer.pad_token = processor.tokenizer.eos_token
    frames = parameters.frames or getattr(processor.video_processor, "num_frames", None) or FRAMES.get(config.model_type)
    logger.info("%s sees at most %s frames and is asked %r.", source, frames or "all", prompt(QUESTION))
    return _Speaker(source, model.eval(), processor, prompt, frames, parameters.max_new_tokens)


def _prompt(parameters: VideoModelParameters, processor: Any, kind: str) -> Callable[[str], str]:
    """What is put before the model, by question."""
    mark = processor.video_token
    form = parameters.prompt
    if getattr(processor, "chat_template", None) and not (form and mark in form):
        content = [{"type": "video"}, {"type": "text", "text": form or QUESTION}]
        with _told(f"The chat template of {parameters.source} takes no question about a video"):
            chat = [{"role": "user", "content": content}]
            form = processor.apply_chat_template(chat, add_generation_prompt=True, tokenize=False)
    elif form is None:
        form = PROMPTS.get(kind)
    mend = f"set `prompt` to the form its authors use, with {mark} and {QUESTION} in it."
    if form is None:
        msg = f"{parameters.source} has no chat template; {mend}"
        raise VideoModelError(msg)
    if form.count(mark) != 1 or form.count(QUESTION) != 1:
        msg = f"{parameters.source} would be asked {form!r}, without one place for the video and one for the question; {mend}"
        raise VideoModelError(msg)
    # Whatever a question says, it neither ends the turn nor shows another video.
    own = sorted({mark, *processor.tokenizer.all_special_tokens}, key=len, reverse=True)

    def asking(question: str) -> str:
        for token in own:
            question = question.replace(token, " ")
        return form.replace(QUESTION, question)

    return asking


def _answer(speaker: _Speaker, seen: list[tuple[Frames, list[Asked]]]) -> dict[tuple, str]:
    """Answers to all that is asked about videos of one length: in turns, in each of which a video is asked one thing."""
    answers: dict[tuple, str] = {}
    watched, by = None, 0
    for turn in range(max(len(ones) for _, ones in seen)):
        now = [(frames, ones[turn]) for frames, ones in seen if turn < len(ones)]
        length, height, width, _ = now[0][0].pictures.shape
        what = f"{len(now)} video(s) of {length} frames of {width} × {height} pixels"
        with _told(f"{speaker.source} ({type(speaker.model).__name__}) cannot answer about {what}"):
            inputs = _inputs(speaker, [frames for frames, _ in now], [speaker.prompt(one.question) for _, one in now])
            if len(now) != by:  # the same videos as in the turn before, unless some have been asked everything
                watched, by = _watch(speaker.model, inputs), len(now)
            said = _generate(speaker, inputs, watched)
        answers |= {one.key: answer for (_, one), answer in zip(now, said, strict=True)}
    return answers


def _inputs(speaker: _Speaker, videos: list[Frames], prompts: list[str]) -> dict[str, Any]:
    """What the model takes, on its device: a prompt about each video."""
    begin = speaker.processor.tokenizer.bos_token
    inputs = speaker.processor(
        text=prompts,
        videos=[np.ascontiguousarray(frames.pictures) for frames in videos],
        text_kwargs={"padding": True, "add_special_tokens": not (begin and prompts[0].startswith(begin))},
        videos_kwargs={"do_sample_frames": False, "video_metadata": [_metadata(frames) for frames in videos]},
        return_tensors="pt",
    ).to(speaker.model.device)
    return {key: value.to(speaker.model.dtype) if key.startswith(_PIXELS) else value for key, value in inputs.items()}


def _watch(model: Any, inputs: dict[str, Any]) -> Any | None:
    """What the model makes of the videos; None where it encodes them only while it answers."""
    import torch

    encode = getattr(model.base_model, "get_video_features", None)
    if encode is None or "mm_encoder_outputs" not in inspect.signature(model.forward).parameters:
        return None
    with torch.inference_mode():
        return encode(**{key: inputs[key] for key in inspect.signature(encode).parameters if key in inputs}, return_dict=True)


def _generate(speaker: _Speaker, inputs: dict[str, Any], watched: Any | None) -> list[str]:
    """An answer to each prompt, greedily."""
    import torch

    tokenizer = speaker.processor.tokenizer
    if watched is not None:
        inputs = {key: value for key, value in inputs.items() if not key.startswith(_PIXELS)}
        inputs["mm_encoder_outputs"] = {"video": watched}
    with torch.inference_mode():
        made = speaker.model.generate(
            **inputs,
            max_new_tokens=speaker.max_new_tokens,
            do_sample=False,
            num_beams=1,
            pad_token_id=tokenizer.pad_token_id,
        )
    new = made if speaker.model.config.is_encoder_decoder else made[:, inputs["input_ids"].shape[1] :]
    return [text.strip() for text in tokenizer.batch_decode(new, skip_special_tokens=True)]


def _metadata(frames: Frames) -> dict[str, Any]:
    """When the frames are shown: some models are told."""
    times = np.round(np.asarray(frames.times_s) * _TICKS).astype(int).tolist()
    step = (times[-1] - times[0]) / (len(times) - 1) if len(times) > 1 else _TICKS
    lasts = max(1, round(step * len(times)))
    return {"fps": float(_TICKS), "total_num_frames": lasts, "duration": lasts / _TICKS, "frames_indices": times}


@contextmanager
def _told(what: str) -> Iterator[None]:
    """Turn what goes wrong inside `transformers` into a sentence."""
    import torch
    from safetensors import SafetensorError

    errors = (
        OSError, ValueError, KeyError, IndexError, TypeError, AttributeError, RuntimeError, ImportError, NotImplementedError,
        SafetensorError,
    )  # fmt: skip
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise _out_of_memory(what) from error
    except errors as error:
        if "t allocate memory" in str(error):  # so it is said on a CPU
            raise _out_of_memory(what) from error
        hint = " Install torchvision, which its preprocessing needs." if "torchvision" in str(error).lower() else ""
        msg = f"{what} ({' '.join(str(error).split()).rstrip('.')}).{hint}"
        raise VideoModelError(msg) from error


def _out_of_memory(what: str) -> VideoModelError:
    msg = f"{what}: memory ran out. Lower `batch_size` or `frames`, or set `dtype: bfloat16`."
    return VideoModelError(msg)


def _thinned(frames: Frames, most: int | None) -> Frames:
    there = len(frames.pictures)
    if most is None or there <= most:
        return frames
    kept = uniform(0, there, most)
    return Frames(frames.pictures[kept], frames.times_s[kept])


def _shape(seen: tuple[Frames, list[Asked]]) -> tuple[int, ...]:
    return seen[0].pictures.shape
