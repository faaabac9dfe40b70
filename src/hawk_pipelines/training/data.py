"""What the trainer draws: at each place of each batch an item and one of its tasks, decided by the seed alone."""

import logging
from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from torch import Tensor, tensor
from torch.utils.data import Dataset
from transformers import PreTrainedTokenizerBase

from hawk_pipelines.model.batch import FrameTokens, collate
from hawk_pipelines.model.losses import IGNORED
from hawk_pipelines.model.prompting import Example, Turn, Video, answered, example, prompt_ids
from hawk_pipelines.model.settings import PromptSettings
from hawk_pipelines.schema import Sample
from hawk_pipelines.training.conversations import draw_turn_counts, draw_turns, wrong_answer_from
from hawk_pipelines.training.errors import TrainingError
from hawk_pipelines.training.features import Features
from hawk_pipelines.training.parameters import ConversationParameters
from hawk_pipelines.training.samples import SampleFile

logger = logging.getLogger(__name__)

WINDOW = 16
"""Batches whose samples are sorted by length together: enough to pad little, few enough to keep the order random."""
ASKED = 1024
"""Questions whose tokens are kept: a pool of them is asked again and again."""
LAID_OUT = 8192
"""Samples whose tokens are kept: about 40 MB."""
COUNTED = 65536
"""Samples of which it is kept how much there is to learn: about 10 MB."""
LOOKED_AT = 8
"""Steps whose conversations are counted, to know the longest that was trained on."""
CONVERSATIONS = 256
"""Conversations whose tokens are kept: each is counted for its whole batch, and then read."""


class Layout:
    """How a sample becomes tokens."""

    def __init__(
        self, tokenizer: PreTrainedTokenizerBase, prompt: PromptSettings, queries: int, motion: bool, context: int | None
    ) -> None:
        """Args:
        tokenizer: knows the placeholders.
        prompt: how it is asked.
        queries: Q, embeddings per branch.
        motion: whether there is a motion branch.
        context: the longest sequence in tokens that the language model takes; None where it does not say.
        """
        self.tokenizer, self.prompt, self.queries, self.motion, self.context = tokenizer, prompt, queries, motion, context
        self._asked: dict[tuple[str, tuple[float, ...]], list[int]] = {}

    def video(self, times_s: Sequence[float]) -> Video:
        """What a prompt says of a video whose frames are shown at these times."""
        return Video(self.queries, self.motion, tuple(times_s) if self.prompt.tell_times else ())

    def conversation(self, turns: Sequence[Turn], motion_text: str, times_s: Sequence[float]) -> Example:
        """Several turns about a video in tokens.

        Raises:
            PromptError: they cannot be laid out.
        """
        return example(self.tokenizer, turns, motion_text, self.video(times_s), self.prompt)

    def fits(self, laid_out: Example) -> bool:
        """Whether the language model takes so long a sequence."""
        return self.context is None or max(len(laid_out.input_ids), len(laid_out.motion_text_ids)) <= self.context

    def example(self, sample: Sample, question: str, times_s: Sequence[float]) -> Example:
        """A sample in tokens.

        Raises:
            PromptError: it cannot be laid out.
        """
        video = self.video(times_s)
        key = question, tuple(video.times_s)
        if key not in self._asked:
            if len(self._asked) >= ASKED:
                self._asked.clear()
            self._asked[key] = prompt_ids(self.tokenizer, question, video, self.prompt)
        return answered(self.tokenizer, self._asked[key], sample.answer, sample.motion_text, video, self.prompt)


class Learned(NamedTuple):
    """What there is to learn of a sample, or of a batch: what the means of the three losses are over."""

    answer: int
    """Of L_VL: tokens of answers."""
    video: int
    """Of L_MV: samples."""
    motion_text: int
    """Of L_ML: tokens of motion texts."""

    @classmethod
    def of(cls, example: Example) -> "Learned":
        """Of a sample."""
        answer, motion_text = (
            sum(label != IGNORED for label in labels) for labels in (example.labels, example.motion_text_labels)
        )
        return cls(answer, 1, motion_text)


class Drawn(NamedTuple):
    """One place of a batch."""

    item_id: str
    example: Example
    video: FrameTokens
    learned: Learned
    """Of this sample."""
    whole: Learned
    """Of the whole batch, of which this process may have a part."""


_REMEMBERED = {"_laid_out", "_counted", "_conversation"}


class Draws(Dataset):
    """Draw number i, for every i below the number of steps times the batch size.

    All items come once in a shuffled order before any comes again; within a window of batches they are sorted by length, and the
    batches shuffled. With the probability `description_share` an item is to be described, otherwise one of its questions is to
    be answered (HAWK, section 4.4). A description is asked for in one of several wordings. One of the item's samplings is drawn.
    In a share of the steps this is the first turn of a conversation about the item (`conversations`).
    """

    def __init__(
        self,
        samples: SampleFile,
        usable: Sequence[int],
        features: Features,
        layout: Layout,
        requests: Sequence[str],
        description_share: float,
        steps: int,
        batch_size: int,
        seed: int,
        group_by_length: bool = True,
        conversations: ConversationParameters | None = None,
    ) -> None:
        """Args:
        samples: what to learn.
        usable: which of them (see `usable_samples`).
        features: what is seen of their items.
        layout: how they become tokens.
        requests: wordings of the request for a description.
        description_share: how often it is asked for.
        steps, batch_size: how many draws there are.
        seed: decides all of them.
        group_by_length: whether to sort within a window.
        conversations: how many steps have several turns; None: none.
        """
        self.samples, self.features, self.layout, self.requests = samples, features, layout, requests
        self.batch_size, self.seed = batch_size, seed
        self.conversations = conversations or ConversationParameters(share=0)
        self._turn_counts = draw_turn_counts(self.conversations, steps, seed)
        first, count = _by_item(samples, usable)
        rng, draws, items = np.random.default_rng(seed), steps * batch_size, len(count.description)
        order = np.concatenate([rng.permutation(items) for _ in range(-(-draws // items))])[:draws]
        wanted = np.where(rng.random(draws) < description_share, 0, 1)
        per_task = np.stack([count.description, count.question])
        wanted = np.where(per_task[wanted, order] == 0, 1 - wanted, wanted)  # an item without questions is described
        starts = np.stack([count.start, count.start + count.description])
        choice = (rng.random(draws) * per_task[wanted, order]).astype(np.int64)
        place = starts[wanted, order] + choice
        self._request = rng.integers(0, len(requests), draws).astype(np.int16)
        self._phase = rng.random(draws).astype(np.float32)
        arrangement = _arranged(first.lengths[place], batch_size, rng) if group_by_length else np.arange(draws)
        self._place = place[arrangement].astype(np.int32)
        self._numbers = first.numbers
        self._item = order[arrangement].astype(np.int32)
        self._ends = np.append(count.start, len(first.numbers)).astype(np.int32)
        self._request, self._phase = self._request[arrangement], self._phase[arrangement]
        self._step, self._of_step = -1, Learned(0, 0, 0)
        self._remember()

    def _remember(self) -> None:
        self._laid_out, self._counted = lru_cache(LAID_OUT)(self._lay_out), lru_cache(COUNTED)(self._count)
        self._conversation = lru_cache(CONVERSATIONS)(self._lay_out_conversation)

    def __len__(self) -> int:
        return len(self._place)

    def __getstate__(self) -> dict[str, Any]:
        """For a reader in another process: what is remembered stays here."""
        return {name: value for name, value in self.__dict__.items() if name not in _REMEMBERED}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._remember()

    def __getitem__(self, number: int) -> Drawn:
        """An example and one sampling of its item."""
        whole = self._whole(number // self.batch_size)
        if self._turn_counts[number // self.batch_size] > 1:
            item_id, phase, laid_out, _ = self._conversation(number)
            return Drawn(item_id, laid_out, self.features.read(item_id, phase), Learned.of(laid_out), whole)
        sample = self._sample(number)
        item_id, samplings, examples = self._laid_out(sample, int(self._request[number]))
        phase = self._sampling(number, samplings)
        return Drawn(item_id, examples[phase % len(examples)], self.features.read(item_id, phase), self._counted(sample), whole)

    def _sampling(self, number: int, samplings: int) -> int:
        return min(int(self._phase[number] * samplings), samplings - 1)

    def longest_conversation(self, steps: int) -> int:
        """Most turns of a sample in the first steps, as the context and the data have room for; 1: single questions only.

        Args:
            steps: how many are looked at; of these, the few with the longest conversations.
        """
        longest = 1
        for step in np.argsort(-self._turn_counts[:steps], kind="stable")[:LOOKED_AT].tolist():
            if self._turn_counts[step] > longest:
                numbers = range(step * self.batch_size, (step + 1) * self.batch_size)
                longest = max(longest, *(self._conversation(number)[3] for number in numbers))
        return longest

    def _lay_out_conversation(self, number: int) -> tuple[str, int, Example, int]:
        """The item, which sampling of it is drawn, as many turns as the step has and the context holds, and their number."""
        sample, item = self.samples[self._sample(number)], self._item[number]
        samples = [self.samples[other] for other in self._numbers[self._ends[item] : self._ends[item + 1]].tolist()]
        question = self.requests[self._request[number]] if sample.task == "description" else sample.question
        times = self.features.times_s(sample.item_id)
        phase = self._sampling(number, len(times))
        for n_turns in range(int(self._turn_counts[number // self.batch_size]), 0, -1):
            rng = np.random.default_rng([self.seed, 2, number])
            turns = draw_turns(
                Turn(question, sample.answer),
                sample,
                samples,
                self.requests,
                n_turns,
                self.conversations,
                self._wrong_answer,
                rng,
            )
            laid_out = self.layout.conversation(turns, sample.motion_text, times[phase])
            if self.layout.fits(laid_out):
                break
        return sample.item_id, phase, laid_out, len(turns)  # a single turn fits: see `usable_samples`

    def _wrong_answer(self, sample: Sample, rng: np.random.Generator) -> str | None:
        return wrong_answer_from(self.samples, sample, rng)

    def _sample(self, number: int) -> int:
        return int(self._numbers[self._place[number]])

    def _whole(self, step: int) -> Learned:
        """What there is to learn in a step, whichever processes read it."""
        if self._step != step:
            numbers = range(step * self.batch_size, (step + 1) * self.batch_size)
            counts = zip(*map(self._learned, numbers), strict=True)
            self._step, self._of_step = step, Learned(*(sum(count) for count in counts))
        return self._of_step

    def _learned(self, number: int) -> Learned:
        if self._turn_counts[number // self.batch_size] > 1:
            return Learned.of(self._conversation(number)[2])
        return self._counted(self._sample(number))

    def _count(self, number: int) -> Learned:
        """What there is to learn of a sample does not depend on how it is asked."""
        return Learned.of(self.layout.example(self.samples[number], "?", ()))

    def _lay_out(self, number: int, request: int) -> tuple[str, int, list[Example]]:
        """The item, how many samplings it has, and the tokens once for each sampling where their times are told."""
        sample = self.samples[number]
        question = self.requests[request] if sample.task == "description" else sample.question
        times = self.features.times_s(sample.item_id)
        told = times if self.layout.prompt.tell_times else times[:1]
        return sample.item_id, len(times), [self.layout.example(sample, question, one) for one in told]


class _Flat(NamedTuple):
    """Usable samples, item by item, descriptions before questions."""

    numbers: np.ndarray
    """Which sample of the file it is."""
    lengths: np.ndarray
    """Characters, which are near enough to tokens to sort by."""


class _Counts(NamedTuple):
    """Where the samples of each item begin, and how many of each task there are."""

    start: np.ndarray
    description: np.ndarray
    question: np.ndarray


def _by_item(samples: SampleFile, usable: Sequence[int]) -> tuple[_Flat, _Counts]:
    wanted = set(usable)
    by_item: dict[str, tuple[list, list]] = defaultdict(lambda: ([], []))
    for number, sample in enumerate(samples):
        if number in wanted:
            length = len(sample.question) + len(sample.answer)
            by_item[sample.item_id][sample.task == "question"].append((number, length))
    flat = [row for tasks in by_item.values() for task in tasks for row in task]
    described, asked = (np.array([len(tasks[task]) for tasks in by_item.values()]) for task in (0, 1))
    start = np.concatenate([[0], np.cumsum(described + asked)[:-1]])
    numbers, lengths = (np.array(column) for column in zip(*flat, strict=True))
    return _Flat(numbers.astype(np.int32), lengths.astype(np.int32)), _Counts(start, described, asked)


def _arranged(lengths: np.ndarray, batch_size: int, rng: np.random.Generator) -> np.ndarray:
    """An order in which the samples of a batch are of like length: sorted within each window, whose batches are then shuffled."""
    order = []
    for start in range(0, len(lengths), WINDOW * batch_size):
        window = start + np.argsort(lengths[start : start + WINDOW * batch_size], kind="stable")
        batches = window.reshape(-1, batch_size)
        order.append(batches[rng.permutation(len(batches))].ravel())
    return np.concatenate(order)


def usable_samples(samples: SampleFile, features: Features, layout: Layout, requests: Iterable[str]) -> list[int]:
    """Numbers of the samples that can be learned from: their items have features, and they fit in the model's context.

    An answer is never cut; what is left out is said.

    Raises:
        TrainingError: none is left.
    """
    usable, featureless, long = [], set(), []
    shortest = Sample(item_id="", task="question", question="?", answer=".", motion_text=".")
    longest_request = max(requests, key=lambda request: _length(layout, shortest, request, ()))
    # A token is at least one byte, so most samples are known to fit without being laid out.
    around = _length(layout, shortest, "?", ())
    for number, sample in enumerate(samples):
        if sample.item_id not in features:
            featureless.add(sample.item_id)
            continue
        question = longest_request if sample.task == "description" else sample.question
        at_most = around + len(f"{question}{sample.answer}{sample.motion_text}".encode())
        if layout.context and (layout.prompt.tell_times or at_most > layout.context):
            taken = max(_length(layout, sample, question, times) for times in features.times_s(sample.item_id))
            if taken > layout.context:
                long.append((taken, number, sample))
                continue
        usable.append(number)
    if featureless:
        logger.warning("%d item(s) without features are left out, for example %s.", len(featureless), min(featureless))
    if long:
        taken, _, sample = max(long)
        what = f"{len(long)} of {len(samples)} samples are longer than the language model's context of {layout.context} tokens"
        logger.warning(
            "%s; the longest, a %s of item %s, takes %d. They are left out; a longer context would take them.",
            what,
            sample.task,
            sample.item_id,
            taken,
        )
    if not usable:
        raise TrainingError(_nothing(len(samples), len(featureless), len(long), layout))
    return usable


def _nothing(count: int, featureless: int, long: int, layout: Layout) -> str:
    if not count:
        return "There is no sample: the train split is empty. Add the rest of the data set, or annotations of its videos."
    if long:
        what = f"{long} of {count} samples are longer than the language model's context of {layout.context} tokens"
        return f"{what}; take a language model with a longer context."
    what = f"None of the {count} samples has features ({featureless} items lack them)"
    return f"{what}; run `kedro run --pipelines=motion,encode` first."


def _length(layout: Layout, sample: Sample, question: str, times_s: Sequence[float]) -> int:
    laid_out = layout.example(sample, question, times_s)
    return max(len(laid_out.input_ids), len(laid_out.motion_text_ids))


class Collator:
    """Draws to the arguments of the model's `forward`, with the ids of their items and what there is to learn."""

    def __init__(self, pad_id: int) -> None:
        self.pad_id = pad_id

    def __call__(self, draws: Sequence[Drawn]) -> dict[str, Any]:
        """Pad and stack."""
        batch: dict[str, Any] = dict(collate([drawn.example for drawn in draws], [drawn.video for drawn in draws], self.pad_id))
        learned, whole = (tensor(counts) for counts in zip(*((drawn.learned, drawn.whole) for drawn in draws), strict=True))
        return batch | {"item_ids": [drawn.item_id for drawn in draws], "learned": learned, "whole": whole}


def learned_tokens(batch: dict[str, Tensor]) -> int:
    """Tokens that go through the language model, without padding."""
    return int(sum(batch[name].sum() for name in ("attention_mask", "motion_text_mask") if name in batch))
