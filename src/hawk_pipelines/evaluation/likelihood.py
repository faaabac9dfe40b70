"""How likely a model is to begin its answer in given words, and what that says of whether something unusual happens."""

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from hawk_pipelines.engine.progress import progress
from hawk_pipelines.model.answering import video_of, watch
from hawk_pipelines.model.batch import FrameTokens, pad_ids
from hawk_pipelines.model.checkpoint import Parts
from hawk_pipelines.model.errors import PromptError
from hawk_pipelines.model.hawk import Watched
from hawk_pipelines.model.language_model import padding_id
from hawk_pipelines.model.prompting import answer_ids, prompt_ids

T = TypeVar("T")


class Doubt(NamedTuple):
    """A question whether something unusual happens, and how answers to it begin."""

    question: str
    unusual: Sequence[str]
    """First words of answers that say that something unusual happens."""
    usual: Sequence[str]
    """First words of those that say that nothing does."""


def unusual_of_all(
    parts: Parts, items: Sequence[T], read: Callable[[T], FrameTokens], doubt: Doubt, batch_size: int
) -> tuple[NDArray, NDArray]:
    """The probability that something unusual happens in each item.

    Args:
        parts: model and tokenizer.
        items: whatever is looked at.
        read: what the frozen encoder saw of an item.
        doubt: what is asked.
        batch_size: items that are watched and asked about at a time.

    Returns:
        See `unusual`.

    Raises:
        PromptError: see `log_likelihoods`.
        ModelError: what was seen is of another encoder than the model's.
    """
    found = []
    for start in progress(range(0, len(items), batch_size), "windows"):
        seen = [read(item) for item in items[start : start + batch_size]]
        times_s = [one.times_s for one in seen]
        beginnings = [*doubt.unusual, *doubt.usual]
        found.append(log_likelihoods(parts, watch(parts.model, seen), doubt.question, times_s, beginnings))
    together = np.concatenate(found) if found else np.zeros((0, len(doubt.unusual) + len(doubt.usual)))
    return unusual(together, len(doubt.unusual))


@torch.no_grad()
def log_likelihoods(
    parts: Parts, watched: Watched, question: str, times_s: Sequence[Sequence[float]], beginnings: Sequence[str]
) -> NDArray:
    """The log-probability that the answer to a question begins so, whatever follows.

    Args:
        parts: model and tokenizer.
        watched: B videos.
        question: asked about each.
        times_s: when the sampled frames of each are shown.
        beginnings: K first words of answers. They exclude each other: none begins with another.

    Returns:
        float64 [B, K].

    Raises:
        PromptError: the question or a beginning is empty, or a beginning begins with another.
    """
    model, tokenizer = parts
    words = [_words(parts, beginning) for beginning in beginnings]
    _insist_on_exclusion(beginnings, words)
    videos = [video_of(model, times, parts.prompt) for times in times_s]
    by_video = {video: prompt_ids(tokenizer, question, video, parts.prompt) for video in set(videos)}  # mostly they are all alike
    prompts = [by_video[video] for video in videos]
    first = min(map(len, prompts)) - 1
    before_B = torch.tensor([len(prompt) - 1 - first for prompt in prompts])
    found_BK = np.zeros((len(prompts), len(words)))
    for said, told in _passes(words).items():
        ids, mask = pad_ids([[*prompt, *said] for prompt in prompts], padding_id(tokenizer))
        embeddings = model.embed(ids.to(model.device), watched.appearance_BQD, watched.motion_BQD)
        logits = model.language_model(
            inputs_embeds=embeddings, attention_mask=mask.to(model.device), use_cache=False, logits_to_keep=ids.shape[1] - first
        ).logits
        for k in told:
            places_BN = before_B[:, None] + torch.arange(len(words[k]))
            rows_BND = logits[torch.arange(len(prompts))[:, None], places_BN].double().log_softmax(-1)
            found_BK[:, k] = rows_BND[:, range(len(words[k])), words[k]].sum(1).cpu().numpy()
    return found_BK


def unusual(log_likelihoods_BK: NDArray, count: int) -> tuple[NDArray, NDArray]:
    """The probability that something unusual happens, by what the answer begins with.

    Args:
        log_likelihoods_BK: [B, K]; the first `count` beginnings say that something unusual happens, the others that nothing does.
        count: how many of either.

    Returns:
        [B] in [0, 1], normalised over the K beginnings; and [B], what they have together of the model's probability: where that
        is next to nothing, the model would say something else altogether.
    """
    so_B = np.logaddexp.reduce(log_likelihoods_BK[:, :count], axis=1)
    otherwise_B = np.logaddexp.reduce(log_likelihoods_BK[:, count:], axis=1)
    together_B = np.logaddexp(so_B, otherwise_B)
    return np.exp(so_B - together_B), np.exp(together_B)


def _words(parts: Parts, beginning: str) -> tuple[int, ...]:
    """The tokens of an answer's first words, as the prompt's layout has them."""
    words = tuple(parts.tokenizer(beginning, add_special_tokens=False)["input_ids"]) if beginning.strip() else ()
    if not words or list(words) != answer_ids(parts.tokenizer, beginning, parts.prompt)[: len(words)]:
        msg = f"An answer cannot begin with {beginning!r}; give its first words as they stand in an answer."
        raise PromptError(msg)
    return words


def _passes(words: Sequence[tuple[int, ...]]) -> dict[tuple[int, ...], list[int]]:
    """What to put behind the prompt, and which beginnings are read off there: all but a beginning's last token is put in."""
    passes: dict[tuple[int, ...], list[int]] = {}
    for k in sorted(range(len(words)), key=lambda k: -len(words[k])):
        said = words[k][:-1]
        place = next((longer for longer in passes if longer[: len(said)] == said), said)
        passes.setdefault(place, []).append(k)
    return passes


def _insist_on_exclusion(beginnings: Sequence[str], words: Sequence[tuple[int, ...]]) -> None:
    for one, shorter in enumerate(words):
        for other, longer in enumerate(words):
            if one != other and longer[: len(shorter)] == shorter:
                msg = f"Answers that begin with {beginnings[other]!r} also begin with {beginnings[one]!r}; leave one of them out."
                raise PromptError(msg)
