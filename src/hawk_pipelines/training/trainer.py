"""The training itself: the HF Trainer over stored features, every loss term in MLflow."""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import mlflow
from torch.utils.data import Sampler, SequentialSampler
from transformers import ProgressCallback, Trainer, TrainerCallback, TrainingArguments
from transformers.trainer_callback import PrinterCallback
from transformers.trainer_utils import get_last_checkpoint

from hawk_pipelines.engine.progress import Bar
from hawk_pipelines.model.answering import video_of
from hawk_pipelines.model.batch import FrameTokens
from hawk_pipelines.model.checkpoint import Parts
from hawk_pipelines.model.hawk import HawkOutput
from hawk_pipelines.model.language_model import padding_id
from hawk_pipelines.model.prompting import Turn, example
from hawk_pipelines.schema import Sample
from hawk_pipelines.training.data import Collator, Draws, LaidOut, TrainingError, fitting
from hawk_pipelines.training.parameters import FinetuneParameters

TERMS = ("video_language_loss", "video_motion_loss", "motion_language_loss", "cosine", "appearance_spread", "motion_spread")


class HawkTrainer(Trainer):
    """Reports each loss term beside the total, and draws in the order that the dataset gives."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._terms: dict[str, list[float]] = defaultdict(list)

    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):  # type: ignore[no-untyped-def]
        """The weighted total; a loss that is no number stops the training."""
        item_ids = inputs.pop("item_ids")
        outputs = model(**inputs)
        for term in TERMS:
            if getattr(outputs, term) is not None:
                self._terms[term].append(float(getattr(outputs, term).detach()))
        if not math.isfinite(float(outputs.loss.detach())):
            msg = f"The loss is no number at step {self.state.global_step + 1}: {_culprits(outputs, item_ids)}."
            raise TrainingError(msg)
        return (outputs.loss, outputs) if return_outputs else outputs.loss

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Add the mean of each term since the last report."""
        if "loss" in logs:
            logs |= {term: sum(values) / len(values) for term, values in self._terms.items()}
            self._terms.clear()
        super().log(logs, start_time)

    def _get_train_sampler(self, train_dataset: object = None) -> Sampler:
        return SequentialSampler(cast(Draws, self.train_dataset))


def _culprits(outputs: HawkOutput, item_ids: Sequence[str]) -> str:
    """Which term of which items is no number, and what to do about it."""
    wrong: dict[str, list[str]] = {
        term: [item for item, loss in zip(item_ids, losses.tolist(), strict=True) if not math.isfinite(loss)]
        for term, losses in (outputs.sample_losses or {}).items()
    }
    named = [f"{term} of {_some(items)}" for term, items in wrong.items() if items]
    if len(item_ids) > 1 and any(len(items) == len(item_ids) for items in wrong.values()):
        return f"{'; '.join(named)}. All items of the batch: the training diverged; lower `finetune.learning_rate`"
    return f"{'; '.join(named) or 'the sum of all terms'}. Look at what is stored of them, or lower `finetune.learning_rate`"


def _some(items: Sequence[str]) -> str:
    return f"{', '.join(items[:5])} and {len(items) - 5} more" if len(items) > 5 else ", ".join(items)


class _Report(TrainerCallback):
    """A progress bar, and every logged number to the active MLflow run."""

    def on_train_begin(self, args, state, control, **kwargs):  # type: ignore[no-untyped-def]
        self.bar = Bar("finetune", state.max_steps - state.global_step)

    def on_step_end(self, args, state, control, **kwargs):  # type: ignore[no-untyped-def]
        self.bar.advance()

    def on_log(self, args, state, control, logs=None, **kwargs):  # type: ignore[no-untyped-def]
        mlflow.log_metrics({key: float(value) for key, value in (logs or {}).items()}, step=state.global_step)

    def on_train_end(self, args, state, control, **kwargs):  # type: ignore[no-untyped-def]
        self.bar.close()


def train(
    parts: Parts,
    samples: Sequence[Sample],
    tokens: Mapping[str, Sequence[FrameTokens]],
    parameters: FinetuneParameters,
    seed: int,
    folder: Path,
    save_every: int = 0,
) -> float:
    """Train a model in place, on the devices that torch finds.

    Args:
        parts: the model and its tokenizer.
        samples: what to learn; every item has its tokens.
        tokens: the samplings of every item.
        parameters: how.
        seed: of the order in which samples are drawn.
        folder: for the trainer's own files. Where it holds a state that was saved, training goes on from there.
        save_every: steps after which the state of the training is saved; 0 never saves it.

    Returns:
        The mean total loss of the training.

    Raises:
        TrainingError: no example fits in the model's context, or the loss is no number.
        PromptError: a sample cannot be laid out.
    """
    laid_out = fitting([lay_out(parts, sample, tokens[sample.item_id]) for sample in samples], parts.model)
    count = parameters.steps * parameters.batch_size
    trainer = HawkTrainer(
        model=parts.model,
        args=_arguments(parameters, seed, folder, save_every),
        train_dataset=Draws(laid_out, tokens, parameters.description_share, count, seed),
        data_collator=Collator(padding_id(parts.tokenizer)),
        callbacks=[_Report()],
    )
    # What is frozen is not in a saved state: the trainer shall not miss it when it goes on from there.
    parts.model._keys_to_ignore_on_save = set(parts.model.state_dict()) - parts.model.own_names()
    trainer.remove_callback(PrinterCallback)
    trainer.remove_callback(ProgressCallback)
    return float(
        trainer.train(resume_from_checkpoint=get_last_checkpoint(str(folder)) if folder.is_dir() else None).training_loss
    )


def lay_out(parts: Parts, sample: Sample, samplings: Sequence[FrameTokens]) -> LaidOut:
    """A sample in tokens."""
    told = samplings if parts.prompt.tell_times else samplings[:1]
    turns = [Turn(sample.question, sample.answer)]
    videos = [video_of(parts.model, sampling.times_s, parts.prompt) for sampling in told]
    return LaidOut(sample, [example(parts.tokenizer, turns, sample.motion_text, video, parts.prompt) for video in videos])


def _arguments(parameters: FinetuneParameters, seed: int, folder: Path, save_every: int) -> TrainingArguments:
    return TrainingArguments(
        output_dir=str(folder),
        max_steps=parameters.steps,
        per_device_train_batch_size=parameters.batch_size,
        learning_rate=parameters.learning_rate,
        lr_scheduler_type="cosine_with_min_lr",
        lr_scheduler_kwargs={"min_lr": min(parameters.min_learning_rate, parameters.learning_rate)},
        warmup_steps=min(parameters.warmup_steps, parameters.steps),
        weight_decay=parameters.weight_decay,
        max_grad_norm=parameters.max_gradient_norm,
        logging_steps=parameters.log_every,
        logging_first_step=True,
        save_strategy="steps" if save_every else "no",
        save_steps=save_every or 500,
        save_total_limit=2,
        report_to="none",
        disable_tqdm=True,
        remove_unused_columns=False,
        seed=seed,
        dataloader_pin_memory=False,
    )
