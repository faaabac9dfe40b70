"""The public code's layouts in tokens, for published weights (Llama-2 format, both embeddings in one place)."""

import re
from collections.abc import Sequence

from transformers import PreTrainedTokenizerBase

from hawk_pipelines.model.errors import PromptError

MARKS = ("[INST]", "[/INST]", "<<SYS>>", "<</SYS>>", "<Video>", "</Video>")
"""What gives the layout its shape; a text must not hold it."""
_NO_SYSTEM_TEXT = " "


def prompts(
    tokenizer: PreTrainedTokenizerBase,
    questions: Sequence[str],
    placeholders: Sequence[int],
    queries: int,
    about_times: str = "",
    system_prompt: str = "",
) -> list[list[int]]:
    """Stage 2: the tokens before each answer; the embeddings stand in the first.

    Args:
        tokenizer: of the Llama-2 kind; each text between two special tokens is tokenised by itself.
        questions: one or more.
        placeholders: ids of the placeholders of each branch, in order.
        queries: embeddings per branch.
        about_times: see `times_text`.
        system_prompt: between the `<<SYS>>` marks.
    """
    opening = f"[INST] <<SYS>>\n{system_prompt or _NO_SYSTEM_TEXT}\n<</SYS>>\n\n<Video>"
    embeddings = [placeholder for placeholder in placeholders for _ in range(queries)]
    first = f"</Video> {about_times}{questions[0]} [/INST]"
    begin = _begin(tokenizer)
    ids = [[begin, *_ids(tokenizer, opening), *embeddings, *_ids(tokenizer, first)]]
    return ids + [[begin, *_ids(tokenizer, f"[INST] {question} [/INST]")] for question in questions[1:]]


def answer(text: str) -> str:
    """An answer as it was trained: with a space before the end token, which became a token of its own."""
    return f"{text} "


def times_text(times_s: Sequence[float]) -> str:
    """When the frames are shown, as a sentence; empty where that is not told."""
    if not len(times_s):
        return ""
    return f"The video contains {len(times_s)} frames sampled at {', '.join(f'{time:.1f}' for time in times_s)} seconds. "


def caption(
    tokenizer: PreTrainedTokenizerBase, text: str, placeholders: Sequence[int], queries: int, longest: int = 32
) -> tuple[list[int], list[int]]:
    """Stage 1: the tokens before the caption, and the caption with a newline, cut to `longest` tokens; there is no end token."""
    embeddings = [placeholder for placeholder in placeholders for _ in range(queries)]
    return [_begin(tokenizer), *embeddings], _ids(tokenizer, f"{text}\n")[:longest]


def motion_text(
    tokenizer: PreTrainedTokenizerBase, text: str, queries: int, placeholder: int, longest: int = 32
) -> tuple[list[int], list[int]]:
    """The motion-language sequence: the tokens before the motion text, and the text with a newline, alone if it is empty."""
    return caption(tokenizer, text, [placeholder], queries, longest)


def cleaned_caption(text: str, longest: int = 50) -> str:
    """A caption as stage 1 reads it: lower case, most punctuation as spaces, at most so many words."""
    text = re.sub(r"[.!\"()*#:;~]", " ", text.lower())
    text = re.sub(r"\s{2,}", " ", text).rstrip("\n").strip(" ")
    return " ".join(text.split(" ")[:longest])


def _begin(tokenizer: PreTrainedTokenizerBase) -> int:
    if tokenizer.bos_token_id is None:
        msg = "The published layout begins with a token that this tokenizer lacks; set `model.prompt.layout` to paper."
        raise PromptError(msg)
    return int(tokenizer.bos_token_id)


def _ids(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    return tokenizer(text, add_special_tokens=False)["input_ids"]
