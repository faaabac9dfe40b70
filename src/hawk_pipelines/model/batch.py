"""From single items to padded tensors."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from hawk_pipelines.model.losses import IGNORED
from hawk_pipelines.model.prompting import Example


class FrameTokens(NamedTuple):
    """What the frozen encoder saw in one sampling of an item."""

    appearance: Tensor
    """[T, N, D]."""
    motion: Tensor
    """[T, N, D]."""
    times_s: tuple[float, ...] = ()
    """When each frame is shown."""


def pad_frames(tokens: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Frame tokens of several videos, [T_i, N, D] each, to [B, T, N, D] and its frame mask int64 [B, T]."""
    T = max(len(item) for item in tokens)
    padded = torch.zeros(len(tokens), T, *tokens[0].shape[1:], dtype=tokens[0].dtype)
    mask = torch.zeros(len(tokens), T, dtype=torch.int64)
    for row, item in enumerate(tokens):
        padded[row, : len(item)] = item
        mask[row, : len(item)] = 1
    return padded, mask


def pad_ids(rows: Sequence[list[int]], value: int, left: bool = False) -> tuple[Tensor, Tensor]:
    """Token ids to int64 [B, N] and its attention mask int64 [B, N]."""
    N = max(len(row) for row in rows)
    padded = torch.full((len(rows), N), value)
    mask = torch.zeros(len(rows), N, dtype=torch.int64)
    for number, row in enumerate(rows):
        place = slice(N - len(row), N) if left else slice(0, len(row))
        padded[number, place] = torch.tensor(row, dtype=torch.int64)
        mask[number, place] = 1
    return padded, mask


def collate(examples: Sequence[Example], videos: Sequence[FrameTokens], pad_id: int) -> dict[str, Tensor]:
    """A training batch: the arguments of the model's `forward`.

    Args:
        examples: B laid-out examples.
        videos: their frame tokens.
        pad_id: the padding token.
    """
    input_ids, attention_mask = pad_ids([item.input_ids for item in examples], pad_id)
    labels, _ = pad_ids([item.labels for item in examples], IGNORED)
    appearance_tokens, frame_mask = pad_frames([video.appearance for video in videos])
    batch = {
        "input_ids": input_ids,
        "attention_mask": attention_mask,
        "labels": labels,
        "appearance_tokens": appearance_tokens,
        "frame_mask": frame_mask,
    }
    if examples[0].motion_text_ids:  # there is a motion branch
        ids, mask = pad_ids([item.motion_text_ids for item in examples], pad_id)
        batch |= {
            "motion_tokens": pad_frames([video.motion for video in videos])[0],
            "motion_text_ids": ids,
            "motion_text_mask": mask,
            "motion_text_labels": pad_ids([item.motion_text_labels for item in examples], IGNORED)[0],
        }
    return batch
