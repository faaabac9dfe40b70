"""What the trainer draws: at each place of each batch an item and one of its tasks, decided by the seed alone."""

import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch.utils.data import Dataset

from hawk_pipelines.engine.store import ItemStore
from hawk_pipelines.errors import HawkError
from hawk_pipelines.model.answering import context_of
from hawk_pipelines.model.batch import FrameTokens, collate
from hawk_pipelines.model.hawk import HawkForConditionalGeneration
from hawk_pipelines.model.prompting import Example
from hawk_pipelines.schema import Sample, StoredItem

logger = logging.getLogger(__name__)


class TrainingError(HawkError):
    """A training that cannot begin or go on."""


def load_tokens(features: Sequence[StoredItem], store: ItemStore) -> dict[str, list[FrameTokens]]:
    """Read the stored features of every item: its samplings, half precision."""
    tokens = {}
    for item in features:
        stored, times = store.read(item.key), store.facts(item.key)["times_s"]
        appearance, motion = (torch.from_numpy(stored[name]) for name in ("appearance", "motion"))
        tokens[item.item_id] = [FrameTokens(*one[:2], tuple(one[2])) for one in zip(appearance, motion, times, strict=True)]
    return tokens


def encoder_sha256(features: Sequence[StoredItem], store: ItemStore) -> str | None:
    """Of the weights that made the features.

    Raises:
        TrainingError: they were not all made by the same.
    """
    found = {store.facts(item.key)["frame_encoder_sha256"] for item in features}
    if len(found) > 1:
        msg = f"The features were made by {len(found)} different frame encoders; run `kedro run --pipelines=encode` again."
        raise TrainingError(msg)
    return found.pop() if found else None


def usable_samples(samples: Sequence[Sample], tokens: Mapping[str, object]) -> list[Sample]:
    """The samples of items that have features; what is left out is said.

    Raises:
        TrainingError: there is none, or none is left.
    """
    usable = [sample for sample in samples if sample.item_id in tokens]
    missing = {sample.item_id for sample in samples} - set(tokens)
    if missing:
        logger.warning("%d item(s) without features are left out, for example %s.", len(missing), min(missing))
    if not samples:
        msg = "There is no sample: this split has no annotation. Add the rest of the data set, or annotations of its videos."
        raise TrainingError(msg)
    if not usable:
        msg = f"None of the {len(samples)} samples has features; run `kedro run --pipelines=motion,encode` first."
        raise TrainingError(msg)
    return usable


class LaidOut(NamedTuple):
    """A sample in tokens, once for each sampling of its item (their times may be told), or once for all of them."""

    sample: Sample
    examples: list[Example]


def fitting(samples: Sequence[LaidOut], model: HawkForConditionalGeneration) -> list[LaidOut]:
    """The samples that fit in the model's context: an answer is never cut, and what is left out is said.

    Raises:
        TrainingError: none fits.
    """
    context = context_of(model)
    if context is None:
        return list(samples)
    lengths = [max(len(ids) for one in laid_out.examples for ids in (one.input_ids, one.motion_text_ids)) for laid_out in samples]
    fit = [laid_out for laid_out, length in zip(samples, lengths, strict=True) if length <= context]
    if len(fit) < len(samples):
        (longest, _), length = max(zip(samples, lengths, strict=True), key=lambda pair: pair[1])
        where = f"the longest, a {longest.task} of item {longest.item_id}, takes {length} tokens"
        what = f"{len(samples) - len(fit)} of {len(samples)} samples are longer than the language model's context of {context}"
        msg = f"{what} tokens; {where}. They are left out; take a language model with a longer context to use them."
        if not fit:
            raise TrainingError(msg)
        logger.warning(msg)
    return fit


class Drawn(NamedTuple):
    """One place of a batch."""

    item_id: str
    example: Example
    video: FrameTokens


class Draws(Dataset):
    """Draw number i, for every i below the number of steps times the batch size.

    All items come once in a shuffled order before any comes again. With the probability `description_share` an item is
    to be described, otherwise one of its questions is to be answered (HAWK, section 4.4). One of the item's samplings is drawn.
    """

    def __init__(
        self,
        samples: Sequence[LaidOut],
        tokens: Mapping[str, Sequence[FrameTokens]],
        description_share: float,
        count: int,
        seed: int,
    ) -> None:
        by_item: dict[str, dict[str, list[list[Example]]]] = defaultdict(lambda: {"description": [], "question": []})
        for sample, examples in samples:
            by_item[sample.item_id][sample.task].append(examples)
        self.items = [(item_id, tokens[item_id], tasks) for item_id, tasks in by_item.items()]
        rounds = -(-count // len(self.items))
        rng = np.random.default_rng(seed)
        self.order = np.concatenate([rng.permutation(len(self.items)) for _ in range(rounds)])[:count]
        self.describe = rng.random(count) < description_share
        self.choice = rng.random(count)
        self.phase = rng.random(count)

    def __len__(self) -> int:
        return len(self.order)

    def __getitem__(self, number: int) -> Drawn:
        """An example and one sampling of its item."""
        item_id, samplings, tasks = self.items[self.order[number]]
        wanted, other = ("description", "question") if self.describe[number] else ("question", "description")
        examples = tasks[wanted] or tasks[other]
        layouts = examples[int(self.choice[number] * len(examples))]
        phase = int(self.phase[number] * len(samplings))
        return Drawn(item_id, layouts[phase % len(layouts)], samplings[phase])


class Collator:
    """Draws to the arguments of the model's `forward`, with the ids of their items."""

    def __init__(self, pad_id: int) -> None:
        self.pad_id = pad_id

    def __call__(self, draws: Sequence[Drawn]) -> dict[str, Any]:
        """Pad and stack."""
        batch = collate([drawn.example for drawn in draws], [drawn.video for drawn in draws], self.pad_id)
        return batch | {"item_ids": [drawn.item_id for drawn in draws]}
