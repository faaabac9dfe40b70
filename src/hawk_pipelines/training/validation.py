"""A held-out part of the training split: which items it is, their losses, and some answers."""

import math
from collections.abc import Sequence

import torch
import torch.distributed as dist

from hawk_pipelines.model.answering import Query, answer, watch
from hawk_pipelines.model.checkpoint import Parts
from hawk_pipelines.model.hawk import HawkForConditionalGeneration
from hawk_pipelines.model.settings import GenerationSettings
from hawk_pipelines.schema import Sample
from hawk_pipelines.training.data import Collator, Drawn, Layout, Learned
from hawk_pipelines.training.features import Features

LOSSES = ("video_language_loss", "video_motion_loss", "motion_language_loss")
ANSWER_TOKENS = 64


class Validation:
    """The same samples, asked in the same words, at every look."""

    def __init__(
        self,
        samples: Sequence[Sample],
        features: Features,
        layout: Layout,
        collator: Collator,
        batch_size: int,
        generated: int,
        processes: tuple[int, int] = (0, 1),
    ) -> None:
        """Args:
        samples: of the held-out items.
        features: what is seen of them.
        layout: how they become tokens.
        collator: makes batches.
        batch_size: samples of a batch of one process.
        generated: for so many of them an answer is generated.
        processes: which this one is, and how many there are.
        """
        self._samples, self._features, self._layout, self._collator = list(samples), features, layout, collator
        self._batch_size, self._generated = batch_size, generated
        self._rank, self._world = processes

    @torch.no_grad()
    def losses(self, model: HawkForConditionalGeneration) -> dict[str, float]:
        """The means of the terms over what is held out, as in training, and their total. All processes call it together."""
        model.eval()
        sums, wholes = torch.zeros(len(LOSSES), dtype=torch.float64), torch.zeros(len(LOSSES), dtype=torch.float64)
        mine = self._samples[self._rank :: self._world] or self._samples[:1]
        rounds = math.ceil(math.ceil(len(self._samples) / self._world) / self._batch_size)  # as many in every process
        for number in range(rounds):
            batch = mine[number * self._batch_size : (number + 1) * self._batch_size]
            counted = bool(batch) and self._rank < len(self._samples)
            inputs = self._collator([self._drawn(sample) for sample in batch or mine[:1]])
            learned_B3 = inputs.pop("learned").double()
            del inputs["item_ids"], inputs["whole"]
            tensors = {name: value.to(model.device) for name, value in inputs.items()}
            found = model(**tensors).sample_losses
            for place, name in enumerate(LOSSES):
                if counted and name in found:
                    sums[place] += (found[name].double().cpu() * learned_B3[:, place]).sum()
                    wholes[place] += learned_B3[:, place].sum()
        if dist.is_initialized():
            device = model.device if model.device.type == "cuda" else torch.device("cpu")
            both = torch.stack([sums, wholes]).to(device)
            dist.all_reduce(both)
            sums, wholes = both.cpu()
        config = model.config
        weights = (config.video_language_weight, config.video_motion_weight, config.motion_language_weight)
        means = {name: float(part / whole) for name, part, whole in zip(LOSSES, sums, wholes, strict=True) if whole}
        total = sum(weight * means[name] for name, weight in zip(LOSSES, weights, strict=True) if name in means)
        return {"loss": total, **means}

    @torch.no_grad()
    def answers(self, model: HawkForConditionalGeneration) -> dict[str, list[str]]:
        """What it answers now beside what it should, as columns of a table. All processes call it together."""
        model.eval()
        asked = self._samples[: self._generated]
        if not asked:
            return {}
        videos = [self._features.read(sample.item_id) for sample in asked]
        queries = [Query(sample.question) for sample in asked]
        parts = Parts(model, self._layout.tokenizer)
        generation = GenerationSettings(max_new_tokens=ANSWER_TOKENS)
        said = answer(parts, watch(model, videos), queries, [video.times_s for video in videos], generation)
        return {
            "item": [sample.item_id for sample in asked],
            "question": [sample.question for sample in asked],
            "reference": [sample.answer for sample in asked],
            "answer": said,
        }

    def _drawn(self, sample: Sample) -> Drawn:
        video = self._features.read(sample.item_id)
        example = self._layout.example(sample, sample.question, video.times_s)
        learned = Learned.of(example)
        return Drawn(sample.item_id, example, video, learned, learned)
