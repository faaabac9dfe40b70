"""The training itself: the HF Trainer over stored features, every loss term in MLflow."""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import mlflow
from torch.utils.data import Sampler, SequentialSampler
from transformers import PreTrainedTokenizerBase, ProgressCallback, Trainer, TrainerCallback, TrainingArguments
from transformers.trainer_callback import PrinterCallback

from hawk_pipelines.engine.progress import Bar
from hawk_pipelines.model.hawk import HawkForConditionalGeneration
from hawk_pipelines.model.prompting import example, request_of
from hawk_pipelines.schema import Sample
from hawk_pipelines.training.data import Collator, Draws, Tokens, TrainingError, fitting
from hawk_pipelines.training.parameters import FinetuneParameters

TERMS = ("video_language_loss", "video_motion_loss", "motion_language_loss", "cosine", "appearance_spread", "motion_spread")


class HawkTrainer(Trainer):
    """Reports each loss term beside the total, and draws in the order that the dataset gives."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._terms: dict[str, list[float]] = defaultdict(list)

    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):  # type: ignore[no-untyped-def]
        """The weighted total; a loss that is no number stops the training."""
        outputs = model(**inputs)
        for term in TERMS:
            self._terms[term].append(float(outputs[term].detach()))
        if not math.isfinite(float(outputs.loss.detach())):
            values = ", ".join(f"{term} {self._terms[term][-1]:.4g}" for term in TERMS)
            msg = f"The loss is no number at step {self.state.global_step + 1} ({values}); lower `finetune.learning_rate`."
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


class _Report(TrainerCallback):
    """A progress bar, and every logged number to the active MLflow run."""

    def on_train_begin(self, args, state, control, **kwargs):  # type: ignore[no-untyped-def]
        self.bar = Bar("finetune", state.max_steps)

    def on_step_end(self, args, state, control, **kwargs):  # type: ignore[no-untyped-def]
        self.bar.advance()

    def on_log(self, args, state, control, logs=None, **kwargs):  # type: ignore[no-untyped-def]
        mlflow.log_metrics({key: float(value) for key, value in (logs or {}).items()}, step=state.global_step)

    def on_train_end(self, args, state, control, **kwargs):  # type: ignore[no-untyped-def]
        self.bar.close()


def train(
    model: HawkForConditionalGeneration,
    tokenizer: PreTrainedTokenizerBase,
    samples: Sequence[Sample],
    tokens: Mapping[str, Tokens],
    parameters: FinetuneParameters,
    seed: int,
    folder: Path,
) -> float:
    """Train a model in place, on the devices that torch finds.

    Args:
        samples: what to learn; every item has its tokens.
        tokens: stored features by item.
        folder: for the trainer's own files.

    Returns:
        The mean total loss of the training.

    Raises:
        TrainingError: no example fits in the model's context, or the loss is no number.
    """
    laid_out = [
        (
            sample,
            example(
                tokenizer,
                request_of(sample.question),
                sample.answer,
                sample.motion_text,
                model.config.queries,
            ),
        )
        for sample in samples
    ]
    laid_out = fitting(laid_out, model.config)
    count = parameters.steps * parameters.batch_size
    trainer = HawkTrainer(
        model=model,
        args=_arguments(parameters, seed, folder),
        train_dataset=Draws(laid_out, tokens, parameters.description_share, count, seed),
        data_collator=Collator(tokenizer.pad_token_id),
        callbacks=[_Report()],
    )
    trainer.remove_callback(PrinterCallback)
    trainer.remove_callback(ProgressCallback)
    return float(trainer.train().training_loss)


def _arguments(parameters: FinetuneParameters, seed: int, folder: Path) -> TrainingArguments:
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
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        remove_unused_columns=False,
        seed=seed,
        dataloader_pin_memory=False,
    )
