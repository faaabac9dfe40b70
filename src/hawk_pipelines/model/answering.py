"""Asking a loaded model about videos whose frame tokens are at hand."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor
from transformers import PreTrainedTokenizerBase

from hawk_pipelines.model.batch import pad_frames, pad_ids
from hawk_pipelines.model.hawk import HawkForConditionalGeneration
from hawk_pipelines.model.prompting import PromptError, prompt_ids


def answer(
    model: HawkForConditionalGeneration,
    tokenizer: PreTrainedTokenizerBase,
    appearance: Sequence[Tensor],
    motion: Sequence[Tensor],
    requests: Sequence[str],
    max_new_tokens: int = 64,
) -> list[str]:
    """Answer one request per video, greedily, in one batch.

    Args:
        appearance, motion: frame tokens of each video, [T_i, N, D].
        requests: the last words of each prompt.
        max_new_tokens: an answer is cut off after so many tokens.

    Raises:
        PromptError: a request is empty or too long for the model.
    """
    prompts = [prompt_ids(tokenizer, request, model.config.queries) for request in requests]
    room = model.config.text_config.max_position_embeddings - max_new_tokens
    longest = max(len(prompt) for prompt in prompts)
    if longest > room:
        msg = f"A question takes {longest} tokens with its prompt, but the model has room for {room}; ask a shorter one."
        raise PromptError(msg)
    input_ids, attention_mask = pad_ids(prompts, tokenizer.pad_token_id, left=True)
    appearance_tokens, frame_mask = pad_frames(appearance)
    motion_tokens, _ = pad_frames(motion)
    inputs: dict[str, Any] = {
        "input_ids": input_ids,
        "attention_mask": attention_mask,
        "appearance_tokens": appearance_tokens,
        "motion_tokens": motion_tokens,
        "frame_mask": frame_mask,
    }
    generated = model.generate(
        **{name: tensor.to(model.device) for name, tensor in inputs.items()},
        max_new_tokens=max_new_tokens,
        do_sample=False,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    return [text.strip() for text in tokenizer.batch_decode(generated, skip_special_tokens=True)]
