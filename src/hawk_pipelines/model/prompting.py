"""What the model is asked, and how an example is laid out in tokens."""

from typing import NamedTuple

from transformers import PreTrainedTokenizerBase

from hawk_pipelines.errors import HawkError
from hawk_pipelines.model.losses import IGNORED

APPEARANCE, MOTION = "<appearance>", "<motion>"


class PromptError(HawkError):
    """A question that cannot be asked."""


def prompt_text(request: str, queries: int) -> str:
    """The paper's sentence (HAWK, section 4.3), with Q placeholders where each embedding goes."""
    end = "" if request.endswith(("?", ".", "!")) else "."
    return (
        f"Here is the input video embedding: {APPEARANCE * queries} and motion embedding {MOTION * queries} "
        f"in different frames, please help me to {request}{end}"
    )


def request_of(question: str) -> str:
    """What the user wants as the prompt's last words: a question is to be answered, an instruction to be followed."""
    wanted = question.strip()
    return f"answer: {wanted}" if wanted.endswith("?") else f"{wanted[:1].lower()}{wanted[1:]}"


def prompt_ids(tokenizer: PreTrainedTokenizerBase, request: str, queries: int) -> list[int]:
    """The prompt as the user's turn of the tokenizer's chat template, up to where the answer begins.

    Raises:
        PromptError: the request is empty.
    """
    for token in tokenizer.all_special_tokens:
        request = request.replace(token, " ")  # a question is text, whatever stands in it
    if not request.strip():
        msg = "The question is empty; ask something."
        raise PromptError(msg)
    messages = [{"role": "user", "content": prompt_text(request.strip(), queries)}]
    text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    return tokenizer(text, add_special_tokens=False)["input_ids"]


def answer_ids(tokenizer: PreTrainedTokenizerBase, answer: str) -> list[int]:
    """The answer and the end token."""
    return [*tokenizer(answer, add_special_tokens=False)["input_ids"], tokenizer.eos_token_id]


class Example(NamedTuple):
    """A prompt with its answer, and the motion text, as token ids; labels are −100 outside what is to be said."""

    input_ids: list[int]
    labels: list[int]
    motion_text_ids: list[int]
    """Empty where the answer has no motion text."""


def example(tokenizer: PreTrainedTokenizerBase, request: str, answer: str, motion_text: str, queries: int) -> Example:
    """Lay out one training example: labels on the answer and its end token only."""
    prompt, said = prompt_ids(tokenizer, request, queries), answer_ids(tokenizer, answer)
    return Example(prompt + said, [IGNORED] * len(prompt) + said, answer_ids(tokenizer, motion_text) if motion_text else [])
