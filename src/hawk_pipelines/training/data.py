"""What the trainer draws: at each place of each batch an item and one of its tasks, decided by the seed alone."""

import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from hawk_pipelines.engine.store import ItemStore
from hawk_pipelines.errors import HawkError
from hawk_pipelines.model.batch import collate
from hawk_pipelines.model.configuration import HawkConfig
from hawk_pipelines.model.prompting import Example
from hawk_pipelines.schema import Sample, StoredItem

logger = logging.getLogger(__name__)


class TrainingError(HawkError):
    """A training that cannot begin or go on."""


class Tokens(NamedTuple):
    """Frame tokens of one item, half precision [P, T, N, D] each: P samplings of it."""

    appearance: Tensor
    motion: Tensor


def load_tokens(features: Sequence[StoredItem], store: ItemStore) -> dict[str, Tokens]:
    """Read the stored features of every item."""
    arrays = {item.item_id: store.read(item.key) for item in features}
    return {
        item_id: Tokens(torch.from_numpy(stored["appearance"]), torch.from_numpy(stored["motion"]))
        for item_id, stored in arrays.items()
    }


def usable_samples(samples: Sequence[Sample], tokens: Mapping[str, Tokens]) -> list[Sample]:
    """The samples of items that have features; what is left out is said.

    Raises:
        TrainingError: none is left.
    """
    usable = [sample for sample in samples if sample.item_id in tokens]
    missing = {sample.item_id for sample in samples} - set(tokens)
    if missing:
        logger.warning("%d item(s) without features are left out, for example %s.", len(missing), min(missing))
    if not usable:
        msg = f"None of the {len(samples)} samples has features; run `kedro run --pipelines=motion,encode` first."
        raise TrainingError(msg)
    return usable


def fitting(samples: Sequence[tuple[Sample, Example]], config: HawkConfig) -> list[tuple[Sample, Example]]:
    """The examples that fit in the model's context: an answer is never cut, and what is left out is said.

    Raises:
        TrainingError: none fits.
    """
    context = config.text_config.max_position_embeddings
    lengths = [max(len(one.input_ids), config.queries + len(one.motion_text_ids)) for _, one in samples]
    fit = [pair for pair, length in zip(samples, lengths, strict=True) if length <= context]
    if len(fit) < len(samples):
        longest, length = max(zip(samples, lengths, strict=True), key=lambda pair: pair[1])
        where = f"the longest, a {longest[0].task} of item {longest[0].item_id}, takes {length} tokens"
        what = f"{len(samples) - len(fit)} of {len(samples)} samples are longer than `finetune.model.context` = {context}"
        msg = f"{what}; {where}. They are left out; raise the context to use them."
        if not fit:
            raise TrainingError(msg)
        logger.warning(msg)
    return fit


class Draws(Dataset):
    """Draw number i, for every i below the number of steps times the batch size.

    All items come once in a shuffled order before any comes again. With the probability `description_share` an item is
    to be described, otherwise one of its questions is to be answered (HAWK, section 4.4). One of the item's samplings is drawn.
    """

    def __init__(
        self,
        samples: Sequence[tuple[Sample, Example]],
        tokens: Mapping[str, Tokens],
        description_share: float,
        count: int,
        seed: int,
    ) -> None:
        by_item: dict[str, dict[str, list[Example]]] = defaultdict(lambda: {"description": [], "question": []})
        for sample, laid_out in samples:
            by_item[sample.item_id][sample.task].append(laid_out)
        self.items = [(tokens[item_id], tasks) for item_id, tasks in by_item.items()]
        rounds = -(-count // len(self.items))
        rng = np.random.default_rng(seed)
        self.order = np.concatenate([rng.permutation(len(self.items)) for _ in range(rounds)])[:count]
        self.describe = rng.random(count) < description_share
        self.choice = rng.random(count)
        self.phase = rng.random(count)

    def __len__(self) -> int:
        return len(self.order)

    def __getitem__(self, number: int) -> tuple[Example, Tokens]:
        """An example and the tokens [T, N, D] of one sampling of its item."""
        tokens, tasks = self.items[self.order[number]]
        wanted, other = ("description", "question") if self.describe[number] else ("question", "description")
        examples = tasks[wanted] or tasks[other]
        phase = int(self.phase[number] * len(tokens.appearance))
        return examples[int(self.choice[number] * len(examples))], Tokens(tokens.appearance[phase], tokens.motion[phase])


class Collator:
    """Draws to the arguments of the model's `forward`."""

    def __init__(self, pad_id: int) -> None:
        self.pad_id = pad_id

    def __call__(self, draws: Sequence[tuple[Example, Tokens]]) -> dict[str, Tensor]:
        """Pad and stack."""
        return collate(
            [drawn for drawn, _ in draws],
            [tokens.appearance for _, tokens in draws],
            [tokens.motion for _, tokens in draws],
            self.pad_id,
        )
