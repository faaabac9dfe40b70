"""How a conversation is laid out in tokens: the paper's sentence in the language model's own chat template."""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from jinja2 import TemplateError
from transformers import AddedToken, PreTrainedTokenizerBase

from hawk_pipelines.model import published_prompt
from hawk_pipelines.model.errors import PromptError
from hawk_pipelines.model.losses import IGNORED
from hawk_pipelines.model.settings import PromptSettings

APPEARANCE, MOTION = "<appearance>", "<motion>"
_ANSWER = "\ue000answer\ue001"
"""Stands for each answer while the chat template is applied; nobody writes these characters, and no template splits them."""


class Turn(NamedTuple):
    """A question and its answer."""

    question: str
    answer: str
    is_learned: bool = True
    """In training, whether the answer has labels; an answer that a later turn corrects has none."""


class Video(NamedTuple):
    """What a prompt says of the video it is about."""

    queries: int
    """Q, embeddings per branch."""
    motion: bool = True
    """Whether there is a motion branch."""
    times_s: Sequence[float] = ()
    """When the sampled frames are shown, where that is told."""


class Example(NamedTuple):
    """A conversation and its motion text, as token ids; labels are −100 outside what is to be said."""

    input_ids: list[int]
    labels: list[int]
    motion_text_ids: list[int]
    """Motion placeholders, then the motion text; empty without a motion branch."""
    motion_text_labels: list[int]


def add_placeholders(tokenizer: PreTrainedTokenizerBase) -> None:
    """Teach a tokenizer the two placeholders. The language model's embeddings are not touched: they never see the new ids."""
    tokenizer.add_tokens(
        [AddedToken(token, special=True, normalized=False) for token in (APPEARANCE, MOTION)], special_tokens=True
    )


def placeholder_ids(tokenizer: PreTrainedTokenizerBase) -> tuple[int, int]:
    """Ids of the appearance and the motion placeholder.

    Raises:
        PromptError: the tokenizer does not know them.
    """
    appearance, motion = (_id_of(tokenizer, token) for token in (APPEARANCE, MOTION))
    if appearance is None or motion is None:
        msg = f"The tokenizer knows no {APPEARANCE} and {MOTION}; it is not a HAWK model's."
        raise PromptError(msg)
    return appearance, motion


def request_of(question: str) -> str:
    """What the user wants as the prompt's last words: a question is to be answered, an instruction to be followed."""
    wanted = question.strip()
    if wanted.endswith("?"):
        return f"answer: {wanted}"
    return f"{wanted[:1].lower()}{wanted[1:]}" if wanted[1:2].islower() else wanted  # not "I" or "CCTV"


def prompt_text(question: str, video: Video) -> str:
    """The paper's sentence (HAWK, section 4.3), with Q placeholders where each embedding goes."""
    wanted = request_of(question)
    end = "" if wanted.endswith(("?", ".", "!")) else "."
    motion = f" and motion embedding {MOTION * video.queries}" if video.motion else ""
    return (
        f"Here is the input video embedding: {APPEARANCE * video.queries}{motion} in different frames, "
        f"{times_text(video.times_s)}please help me to {wanted}{end}"
    )


def times_text(times_s: Sequence[float]) -> str:
    """When the frames are shown, as a part of the sentence; empty where it is not told."""
    if not len(times_s):
        return ""
    return f"which are {len(times_s)} frames at {', '.join(f'{time:.1f}' for time in times_s)} seconds, "


def prompt_ids(
    tokenizer: PreTrainedTokenizerBase, question: str, video: Video, prompt: PromptSettings, earlier: Sequence[Turn] = ()
) -> list[int]:
    """A conversation up to where the next answer begins.

    Args:
        tokenizer: knows the placeholders.
        question: what is asked now.
        video: what it is about.
        prompt: how to ask.
        earlier: what was asked and answered before.

    Raises:
        PromptError: a question is empty, or the tokenizer has no chat template that can hold the conversation.
    """
    *before, last = _prompts(tokenizer, [*(turn.question for turn in earlier), question], video, prompt)
    ids = []
    for piece, turn in zip(before, earlier, strict=True):
        ids += piece + answer_ids(tokenizer, turn.answer, prompt)
    return ids + last


def example(
    tokenizer: PreTrainedTokenizerBase, turns: Sequence[Turn], motion_text: str, video: Video, prompt: PromptSettings
) -> Example:
    """Lay out one training example: labels on the answers that are learned and on their end tokens only.

    Raises:
        PromptError: see `prompt_ids`.
    """
    ids: list[int] = []
    labels: list[int] = []
    for piece, turn in zip(_prompts(tokenizer, [t.question for t in turns], video, prompt), turns, strict=True):
        said = answer_ids(tokenizer, turn.answer, prompt)
        ids += piece + said
        labels += [IGNORED] * len(piece) + (said if turn.is_learned else [IGNORED] * len(said))
    return Example(ids, labels, *_motion_ids(tokenizer, motion_text, video, prompt))


def answered(
    tokenizer: PreTrainedTokenizerBase, asked: Sequence[int], answer: str, motion_text: str, video: Video, prompt: PromptSettings
) -> Example:
    """The same for a single turn whose question is laid out already (`prompt_ids`), which takes most of the time.

    Raises:
        PromptError: see `answer_ids`.
    """
    said = answer_ids(tokenizer, answer, prompt)
    labels = [IGNORED] * len(asked) + said
    return Example([*asked, *said], labels, *_motion_ids(tokenizer, motion_text, video, prompt))


def _motion_ids(
    tokenizer: PreTrainedTokenizerBase, motion_text: str, video: Video, prompt: PromptSettings
) -> tuple[list[int], list[int]]:
    """Motion placeholders, then the motion text, and its labels."""
    if not video.motion:
        return [], []
    motion_text = _harmless(tokenizer, motion_text)
    if prompt.layout == "published":
        before, said = published_prompt.motion_text(tokenizer, motion_text, video.queries, placeholder_ids(tokenizer)[1])
    else:
        before = [placeholder_ids(tokenizer)[1]] * video.queries
        said = answer_ids(tokenizer, motion_text, prompt) if motion_text else []
    return before + said, [IGNORED] * len(before) + said


def answer_ids(tokenizer: PreTrainedTokenizerBase, answer: str, prompt: PromptSettings) -> list[int]:
    """An answer and the token that ends it.

    Raises:
        PromptError: the tokenizer has none.
    """
    words = _harmless(tokenizer, answer)
    if prompt.layout == "published":
        words = published_prompt.answer(words)
    return [*tokenizer(words, add_special_tokens=False)["input_ids"], end_token_id(tokenizer, prompt)]


def end_token_id(tokenizer: PreTrainedTokenizerBase, prompt: PromptSettings) -> int:
    """The token that ends an answer: what the chat template writes behind one, otherwise the tokenizer's end token.

    Raises:
        PromptError: there is neither.
    """
    end = _end_token(tokenizer, prompt)
    found = None if end is None else _id_of(tokenizer, end)
    if found is None:
        msg = "The tokenizer has no token that ends an answer, so no answer could end; take another language model."
        raise PromptError(msg)
    return found


def _id_of(tokenizer: PreTrainedTokenizerBase, token: str) -> int | None:
    """The id of a token of the vocabulary, which is large: it is asked, not listed."""
    found = tokenizer.convert_tokens_to_ids(token)
    return found if isinstance(found, int) and tokenizer.convert_ids_to_tokens(found) == token else None


def _end_token(tokenizer: PreTrainedTokenizerBase, prompt: PromptSettings) -> str | None:
    if prompt.layout != "paper":
        return tokenizer.eos_token
    return _end_of_turn(tokenizer, str(tokenizer.chat_template), len(tokenizer))


@lru_cache(maxsize=8)
def _end_of_turn(tokenizer: PreTrainedTokenizerBase, _template: str, _size: int) -> str | None:
    """The same for every answer, and slow to find out; the template and the size say whether the tokenizer was changed."""
    messages = [{"role": "user", "content": "?"}, {"role": "assistant", "content": _ANSWER}]
    try:
        behind = _applied(tokenizer, messages, prompted=False).rpartition(_ANSWER)[2].lstrip()
    except PromptError:  # a template that takes no finished conversation
        behind = ""
    return next((token for token in _steering(tokenizer) if behind.startswith(token)), tokenizer.eos_token)


def _prompts(
    tokenizer: PreTrainedTokenizerBase, questions: Sequence[str], video: Video, prompt: PromptSettings
) -> list[list[int]]:
    """The tokens before each answer."""
    if not questions or not all(question.strip() for question in questions):
        msg = "The question is empty; ask something."
        raise PromptError(msg)
    if any("\ud800" <= character <= "\udfff" for question in questions for character in question):
        msg = "The question holds half a character (a lone surrogate), or bytes that are no text in UTF-8; write it anew."
        raise PromptError(msg)
    questions = [_harmless(tokenizer, question).strip() for question in questions]
    if not all(questions):
        msg = "The question holds nothing but tokens that steer the language model; ask something in words."
        raise PromptError(msg)
    if prompt.layout == "published":
        tokens = placeholder_ids(tokenizer)
        placeholders = [token for token, there in zip(tokens, (True, video.motion), strict=True) if there]
        return published_prompt.prompts(
            tokenizer,
            questions,
            placeholders,
            video.queries,
            published_prompt.times_text(video.times_s),
            _harmless(tokenizer, prompt.system_prompt),
        )
    messages = [{"role": "system", "content": prompt.system_prompt}] if prompt.system_prompt else []
    for number, question in enumerate(questions):
        messages.append({"role": "user", "content": question if number else prompt_text(question, video)})
        messages.append({"role": "assistant", "content": _ANSWER})
    pieces = _applied(tokenizer, messages[:-1]).split(_ANSWER)
    if len(pieces) != len(questions):
        msg = "The tokenizer's chat template cannot hold a conversation of several turns; ask one question at a time."
        raise PromptError(msg)
    end = _end_token(tokenizer, prompt)
    pieces = [pieces[0], *(_after_the_end(end, piece) for piece in pieces[1:])]
    if not pieces[-1].endswith(" "):  # some templates have a space before an answer that is there, and none before a new one
        pieces = [piece.rstrip(" ") for piece in pieces]
    return [tokenizer(piece, add_special_tokens=False)["input_ids"] for piece in pieces]


def _applied(tokenizer: PreTrainedTokenizerBase, messages: list[dict[str, str]], prompted: bool = True) -> str:
    if not tokenizer.chat_template:
        msg = (
            "The tokenizer has no chat template, so the language model was not made to be asked; take an instruction-tuned one, "
            "put a `chat_template.jinja` beside its tokenizer, or set `model.prompt.layout` to published."
        )
        raise PromptError(msg)
    try:
        return str(tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=prompted))
    except TemplateError as error:
        msg = f"The tokenizer's chat template refuses the conversation ({error}); change `model.prompt.system_prompt`."
        raise PromptError(msg) from error


def _after_the_end(end: str | None, piece: str) -> str:
    """What follows an answer, without the end token, which belongs to the answer."""
    rest = piece.lstrip(" ")
    return rest.removeprefix(end) if end and rest.startswith(end) else piece


def _harmless(tokenizer: PreTrainedTokenizerBase, text: str) -> str:
    """A text without anything that steers the language model: it is text, whatever stands in it."""
    for token in (*_steering(tokenizer), APPEARANCE, MOTION, _ANSWER, *published_prompt.MARKS):
        text = text.replace(token, " ")
    return text


def _steering(tokenizer: PreTrainedTokenizerBase) -> list[str]:
    return _added(tokenizer, len(tokenizer))


@lru_cache(maxsize=8)
def _added(tokenizer: PreTrainedTokenizerBase, _size: int) -> list[str]:
    """Every token that was added to the words of a tokenizer, longest first."""
    added = {str(token) for token in (*tokenizer.added_tokens_decoder.values(), *tokenizer.all_special_tokens)}
    return sorted((token for token in added if token.strip()), key=lambda token: (-len(token), token))
