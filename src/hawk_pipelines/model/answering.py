"""Asking a loaded model: videos are watched once, and then asked as often as one likes, over several turns."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Event, Lock, Thread
from typing import Any, NamedTuple

import torch
from transformers import TextIteratorStreamer

from hawk_pipelines.model.batch import FrameTokens, pad_frames, pad_ids
from hawk_pipelines.model.checkpoint import Parts
from hawk_pipelines.model.errors import ModelError, PromptError
from hawk_pipelines.model.hawk import HawkForConditionalGeneration, Watched
from hawk_pipelines.model.language_model import padding_id
from hawk_pipelines.model.prompting import Turn, Video, end_token_id, prompt_ids
from hawk_pipelines.model.settings import GenerationSettings, PromptSettings


class Query(NamedTuple):
    """A question about one of the watched videos."""

    question: str
    earlier: Sequence[Turn] = ()
    """What was asked and answered about it before."""


@torch.no_grad()
def watch(model: HawkForConditionalGeneration, videos: Sequence[FrameTokens]) -> Watched:
    """Run the branches over a batch of videos, once.

    Raises:
        ModelError: no video, more frames than frame positions, or tokens of another encoder.
    """
    shapes = {tuple(tokens.shape[1:]) for video in videos for tokens in (video.appearance, video.motion)}
    if len(shapes) != 1 or any(len(video.appearance) != len(video.motion) for video in videos):
        msg = f"Videos of a batch need tokens of one shape and as many frames of motion as of appearance; here: {sorted(shapes)}."
        raise ModelError(msg)
    appearance, frame_mask = pad_frames([video.appearance for video in videos])
    motion = pad_frames([video.motion for video in videos])[0] if model.motion is not None else None
    device = model.device
    seen = model.watch(appearance.to(device), None if motion is None else motion.to(device), frame_mask.to(device))
    return Watched(seen[0].projected_BQD, None if seen[1] is None else seen[1].projected_BQD)


def answer(
    parts: Parts,
    watched: Watched,
    queries: Sequence[Query],
    times_s: Sequence[Sequence[float]],
    generation: GenerationSettings | None = None,
) -> list[str]:
    """Answer one question per video, in one batch.

    Args:
        parts: model and tokenizer.
        watched: B videos.
        queries: a question about each.
        times_s: when the sampled frames of each are shown.
        generation: greedy by default.

    Raises:
        PromptError: a question is empty or too long for the model.
    """
    generation = generation or GenerationSettings()
    inputs = _inputs(parts, watched, queries, times_s, generation)
    with _seeded(generation):
        generated = parts.model.generate(**inputs, **_options(parts, generation))
    return [text.strip() for text in parts.tokenizer.batch_decode(generated, skip_special_tokens=True)]


def stream(
    parts: Parts,
    watched: Watched,
    query: Query,
    times_s: Sequence[float],
    generation: GenerationSettings | None = None,
) -> Iterator[str]:
    """Answer one question about one video, word by word as they are found; who stops listening stops it.

    Arguments as for `answer`. While words are drawn (temperature above 0), torch's own generator is taken, and draws of other
    threads are not reproducible.

    Raises:
        PromptError: the question is empty or too long for the model.
        ModelError: beams are searched, which yields no word before the end.
    """
    generation = generation or GenerationSettings()
    if generation.beams > 1:
        msg = "A search over beams knows no word before its end; stream with one beam."
        raise ModelError(msg)
    inputs = _inputs(parts, watched, [query], [times_s], generation)
    words = TextIteratorStreamer(parts.tokenizer, skip_prompt=False, skip_special_tokens=True)
    faults: list[BaseException] = []
    unheard = Event()

    def stop(*_: object, **__: object) -> bool:
        return unheard.is_set()

    def speak() -> None:
        try:
            with _seeded(generation):
                parts.model.generate(**inputs, **_options(parts, generation), streamer=words, stopping_criteria=[stop])
        except BaseException as fault:  # told to whoever listens, in their own thread
            faults.append(fault)
            words.end()

    speaker = Thread(target=speak, daemon=True)
    speaker.start()
    try:
        yield from (word for word in words if word)
    finally:
        unheard.set()
        speaker.join()
    if faults:
        raise faults[0]


def _inputs(
    parts: Parts,
    watched: Watched,
    queries: Sequence[Query],
    times_s: Sequence[Sequence[float]],
    generation: GenerationSettings,
) -> dict[str, Any]:
    model, tokenizer = parts
    if not len(queries) == len(times_s) == len(watched.appearance_BQD):
        counts = f"{len(watched.appearance_BQD)} videos, {len(queries)} questions and {len(times_s)} lists of times"
        msg = f"Every video of a batch is asked one question, but there are {counts}."
        raise ModelError(msg)
    prompts = [
        prompt_ids(tokenizer, query.question, video_of(model, times, parts.prompt), parts.prompt, query.earlier)
        for query, times in zip(queries, times_s, strict=True)
    ]
    _insist_on_room(model, max(len(prompt) for prompt in prompts), generation.max_new_tokens)
    input_ids, attention_mask = pad_ids(prompts, padding_id(tokenizer), left=True)
    return {"input_ids": input_ids.to(model.device), "attention_mask": attention_mask.to(model.device), "watched": watched}


def has_room(parts: Parts, query: Query, times_s: Sequence[float], generation: GenerationSettings) -> bool:
    """Whether a question, its earlier turns and an answer of the greatest length fit into the model's context.

    Raises:
        PromptError: the question is empty.
    """
    video = video_of(parts.model, times_s, parts.prompt)
    takes = len(prompt_ids(parts.tokenizer, query.question, video, parts.prompt, query.earlier))
    context = context_of(parts.model)
    return context is None or takes <= context - generation.max_new_tokens


def turns_with_room(
    parts: Parts, query: Query, times_s: Sequence[float], generation: GenerationSettings | None = None
) -> Sequence[Turn]:
    """The newest of a question's earlier turns, as many as the model's context has room for beside it.

    Args:
        parts: model and tokenizer.
        query: the question and all that was said before.
        times_s: when the sampled frames are shown.
        generation: how long the answer may become.
    """
    earlier = query.earlier
    while earlier and not has_room(parts, Query(query.question, earlier), times_s, generation or GenerationSettings()):
        earlier = earlier[1:]
    return earlier


def video_of(model: HawkForConditionalGeneration, times_s: Sequence[float], prompt: PromptSettings) -> Video:
    """What a prompt says of a video."""
    return Video(model.config.queries, model.config.motion_branch, tuple(times_s) if prompt.tell_times else ())


def context_of(model: HawkForConditionalGeneration) -> int | None:
    """The longest sequence in tokens that the language model takes; None where it does not say."""
    return getattr(model.language_model.config, "max_position_embeddings", None)


def _insist_on_room(model: HawkForConditionalGeneration, longest: int, new: int) -> None:
    context = context_of(model)
    if context is not None and new >= context:
        msg = f"The model has room for {context} tokens in all, so an answer of {new} leaves none for a question; ask for fewer."
        raise PromptError(msg)
    if context is not None and longest > context - new:
        takes = f"A question takes {longest} tokens with its prompt and earlier turns"
        msg = f"{takes}, but the model has room for {context - new}; ask a shorter one, or begin a new conversation."
        raise PromptError(msg)


def _options(parts: Parts, generation: GenerationSettings) -> dict[str, Any]:
    tokenizer, drawn = parts.tokenizer, generation.temperature > 0
    ends = {end_token_id(tokenizer, parts.prompt), tokenizer.eos_token_id} - {None}
    return {
        "max_new_tokens": generation.max_new_tokens,
        "num_beams": generation.beams,
        "do_sample": drawn,
        "temperature": generation.temperature if drawn else None,
        "top_p": generation.top_p if drawn else None,
        "top_k": None,
        "pad_token_id": padding_id(tokenizer),
        "eos_token_id": sorted(ends),
    }


@contextmanager
def _seeded(generation: GenerationSettings) -> Iterator[None]:
    """The same seed draws the same answer, one answer at a time; afterwards torch's generator is as it was before."""
    if generation.temperature == 0:
        yield
        return
    with _drawing, torch.random.fork_rng():
        torch.manual_seed(generation.seed)
        yield


_drawing = Lock()
