"""The training itself: the HF Trainer over stored features, the same mean over the batch in however many processes."""

import logging
import math
import re
import shutil
import statistics
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import torch
import torch.distributed as dist
from safetensors import SafetensorError
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.data import Sampler, SequentialSampler
from transformers import PreTrainedTokenizerBase, Trainer, TrainingArguments

from hawk_pipelines.machine_faults import free_space
from hawk_pipelines.model.configuration import HawkConfig
from hawk_pipelines.model.hawk import HawkForConditionalGeneration, HawkOutput
from hawk_pipelines.training import checkpoints
from hawk_pipelines.training.data import Draws, learned_tokens
from hawk_pipelines.training.errors import TrainingError
from hawk_pipelines.training.journal import Journal
from hawk_pipelines.training.optimizer import build_muon
from hawk_pipelines.training.parameters import TrainingParameters
from hawk_pipelines.training.speed import Speed
from hawk_pipelines.training.validation import Validation
from hawk_pipelines.training.weights import whole_weights

logger = logging.getLogger(__name__)

_CANNOT_WRITE = re.compile("inline_container|iostream|writ")
"""Torch's words where a file cannot be written."""
TERMS = ("video_language_loss", "video_motion_loss", "motion_language_loss")
ASIDE = ("cosine", "appearance_spread", "motion_spread")
RECENT, FIRST_LOOK = 100, 20
"""An exploding loss is held against the median of so many steps, once there are so many."""


class HawkTrainer(Trainer):
    """Draws in the order that the dataset gives, adds up the shares of a batch, and keeps a journal and whole checkpoints."""

    model: HawkForConditionalGeneration

    def __init__(
        self,
        model: HawkForConditionalGeneration,
        arguments: TrainingArguments,
        parameters: TrainingParameters,
        draws: Draws,
        collator: Any,
        journal: Journal | None,
        speed: Speed,
        validation: Validation | None,
        run_id: str,
        tokenizer: PreTrainedTokenizerBase,
    ) -> None:
        """Args:
        model: what is trained.
        arguments: of the HF Trainer.
        parameters: ours.
        draws, collator: what it is trained on.
        journal: where the first process writes its measurements; None in the others.
        speed: measures how fast it goes.
        validation: what is held out; None where nothing is.
        run_id: of MLflow, kept in every checkpoint.
        tokenizer: saved with every checkpoint.
        """
        super().__init__(model=model, args=arguments, train_dataset=draws, data_collator=collator)
        self.loss_is_scaled_for_ga = True  # by the shares
        self.parameters, self.journal, self.speed, self.validation, self.run_id = parameters, journal, speed, validation, run_id
        self.tokenizer = tokenizer
        self._sums: Tensor | None = None
        self._recent: deque[float] = deque(maxlen=RECENT)
        # What is frozen is not in a checkpoint: the trainer shall not miss it when it goes on from there.
        model._keys_to_ignore_on_save = set(model.state_dict()) - model.own_names()

    def recall(self, checkpoint: Path) -> None:
        """Losses from before a stop, which an exploding one is held against."""
        self._recent.extend(checkpoints.facts_of(checkpoint).get("recent_losses", ()))

    def _get_train_sampler(self, train_dataset: object = None) -> Sampler:
        return SequentialSampler(cast(Draws, self.train_dataset))

    # --- learning ------------------------------------------------------------------------------------------------------

    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):  # type: ignore[no-untyped-def]
        """This process's part of the batch's weighted total; a loss that is no number stops the training."""
        item_ids, learned, whole = (inputs.pop(name) for name in ("item_ids", "learned", "whole"))
        outputs = model(**inputs)
        loss, terms = _shared(outputs, self.model.config, learned.double() / whole.clamp(min=1))
        parts = self.args.world_size * self.args.gradient_accumulation_steps
        aside = [getattr(outputs, name) for name in ASIDE]
        row = [
            *terms,
            *(0.0 if one is None else one / parts for one in aside),
            loss.detach(),
            learned_tokens(inputs),
            len(item_ids),
        ]
        sums = torch.stack([torch.as_tensor(value, dtype=torch.float64, device=loss.device).detach() for value in row])
        self._sums = sums if self._sums is None else self._sums + sums
        if not math.isfinite(float(loss.detach())):
            msg = (
                f"The loss is no number at step {self.state.global_step + 1}: {_culprits(outputs, item_ids)}. {self._last_good()}"
            )
            raise TrainingError(msg)
        loss = loss * self.args.world_size  # gradients are averaged over the processes, but this is a part of a sum
        return (loss, outputs) if return_outputs else loss

    def create_optimizer(self, model: Any = None) -> Optimizer:
        """AdamW as the trainer makes it, or Muon beside it."""
        if self.optimizer is None and self.parameters.has_muon:
            self.optimizer = build_muon(self.model, self.parameters)
        return super().create_optimizer(model)

    def create_scheduler(self, num_training_steps: int, optimizer: Any = None) -> Any:
        """Linear warm-up, then cosine, as in the public code (1e-6 → 1e-5 → 1e-6)."""
        if self.lr_scheduler is None:
            self.lr_scheduler = LambdaLR(cast(Optimizer, optimizer or self.optimizer), _schedule(self.parameters))
            self._created_lr_scheduler = True
        return self.lr_scheduler

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Write a step's terms down; an exploding loss or gradient stops the training before it is saved."""
        if "loss" not in logs:
            return  # the trainer's own summary
        step = self.state.global_step
        sums = self._gathered()
        present = self._present()
        values = {name: float(value) for name, value in zip((*TERMS, *ASIDE), sums, strict=False) if name in present}
        loss, tokens, samples = (float(value) for value in sums[len(TERMS) + len(ASIDE) :])
        norm = float(logs.get("grad_norm", 0.0))
        self._insist_on_sense(step, loss, norm)
        values = {"loss": loss, **values, "grad_norm": norm, "learning_rate": logs["learning_rate"]}
        self.speed.count(tokens, samples)
        if step % self.parameters.log_every == 0 or step in {1, self.state.max_steps}:
            values |= self.speed.figures(step, self.state.max_steps, values)
        if self.journal:
            self.journal.numbers("training", step, values)
        self.control = self.callback_handler.on_log(self.args, self.state, self.control, logs)

    def _present(self) -> set[str]:
        config = self.model.config
        weights = (config.video_language_weight, config.video_motion_weight, config.motion_language_weight)
        needs_motion = (False, True, True)
        there = {
            name
            for name, weight, motion in zip(TERMS, weights, needs_motion, strict=True)
            if weight and (self.model.motion or not motion)
        }
        return there | set(ASIDE if self.model.motion else ())

    def _gathered(self) -> Tensor:
        """The sums over all processes since the last step."""
        assert self._sums is not None  # noqa: S101 (a step was made)
        sums, self._sums = self._sums, None
        if dist.is_initialized():
            dist.all_reduce(sums)
        return sums.cpu()

    def _insist_on_sense(self, step: int, loss: float, norm: float) -> None:
        usual = statistics.median(self._recent) if len(self._recent) >= FIRST_LOOK else None
        if not math.isfinite(norm):
            msg = f"The gradient is no number at step {step}; lower `learning_rate`. {self._last_good()}"
            raise TrainingError(msg)
        if usual is not None and loss > self.parameters.exploding * usual:
            what = (
                f"The loss explodes at step {step}: {loss:.3g}, where the median of the last {len(self._recent)} was {usual:.3g}"
            )
            msg = f"{what}; lower `learning_rate`, or raise `exploding`. {self._last_good()}"
            raise TrainingError(msg)
        self._recent.append(loss)

    def _folder(self) -> Path:
        return Path(cast(str, self.args.output_dir))

    def _last_good(self) -> str:
        saved = checkpoints.steps(self._folder())
        return f"The checkpoint of step {saved[-1]} is as it was." if saved else "No checkpoint was saved yet."

    # --- looking at what is held out -----------------------------------------------------------------------------------

    def evaluate(self, *_: Any, **__: Any) -> dict[str, float]:
        """The losses of the held-out items, and some answers."""
        assert self.validation is not None  # noqa: S101 (the trainer evaluates only then)
        began = time.monotonic()
        with self.compute_loss_context_manager():
            losses = self.validation.losses(self.model)
            answers = self.validation.answers(self.model)
        metrics = {f"validation_{name}": value for name, value in losses.items()}
        if self.journal:
            self.journal.numbers("validation", self.state.global_step, metrics)
            if answers:
                self.journal.table("samples", self.state.global_step, answers)
        self.speed.leave_out(time.monotonic() - began)
        metrics = {f"eval_{name}": value for name, value in losses.items()}  # the trainer's own word
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        patience = self.parameters.validation.patience
        if self.state.best_metric is None or losses["loss"] < self.state.best_metric:
            self.control.should_save = True  # so that the best can be taken
        elif patience and self.is_out_of_patience():
            logger.info("The held-out loss has not become smaller since step %d: the training ends.", self.state.best_global_step)
            self.control.should_training_stop = True
        return metrics

    def is_out_of_patience(self) -> bool:
        """Whether it was looked often enough without a smaller loss."""
        told = self.parameters.validation
        since = self.state.global_step - (self.state.best_global_step or 0)
        return told.patience is not None and since >= told.patience * told.every

    # --- on disk -------------------------------------------------------------------------------------------------------

    def save_model(self, output_dir: str | None = None, _internal_call: bool = False) -> None:
        """What is trained, whole, from all processes."""
        weights = whole_weights(self.model, bool(self.is_deepspeed_enabled))
        if self.args.should_save:
            self.model.save_pretrained(cast(str, output_dir), state_dict=weights)
            self.tokenizer.save_pretrained(cast(str, output_dir))  # so that another training can start from a checkpoint

    def _get_output_dir(self, trial: Any) -> str:
        return str(checkpoints.staging(self._folder()))

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        """Beside its place first; then it is put there whole."""
        began = time.monotonic()
        folder, step = self._folder(), self.state.global_step
        try:
            super()._save_checkpoint(model, trial)
            _wait_for_all()
            if self.args.should_save:
                if self.journal:
                    self.journal.to_disk()  # no step of a checkpoint shall be missing there
                checkpoints.finish(folder, step, self._facts())
                checkpoints.keep(folder, self.parameters.checkpoints.keep, self.state.best_global_step)
        except (OSError, SafetensorError, RuntimeError) as error:
            if isinstance(error, RuntimeError) and not _CANNOT_WRITE.search(str(error)):
                raise
            shutil.rmtree(checkpoints.staging(folder), ignore_errors=True)
            reason = f"{' '.join(str(error).split())[:300]}; {free_space(folder)}"
            msg = (
                f"The checkpoint of step {step} could not be saved in {folder} ({reason}); is the disk full? {self._last_good()}"
            )
            raise TrainingError(msg) from error
        _wait_for_all()
        self.speed.leave_out(time.monotonic() - began)

    def _facts(self) -> dict[str, Any]:
        told = cast(dict[str, Any], self.args.deepspeed or {})
        zero = told.get("zero_optimization", {}).get("stage", 0) if self.is_deepspeed_enabled else None
        facts = {"mlflow_run_id": self.run_id, "processes": self.args.world_size, "zero": zero}
        return facts | {"recent_losses": list(self._recent)}

    def _save_optimizer_and_scheduler(self, output_dir: str) -> None:
        if not self.is_deepspeed_enabled:
            super()._save_optimizer_and_scheduler(output_dir)
            return
        from accelerate.utils import DeepSpeedSchedulerWrapper

        cast(Any, self.model_wrapped).save_checkpoint(output_dir, exclude_frozen_parameters=True)
        if self.args.should_save and not isinstance(self.lr_scheduler, DeepSpeedSchedulerWrapper):
            torch.save(cast(LambdaLR, self.lr_scheduler).state_dict(), Path(output_dir) / "scheduler.pt")

    def _prepare_for_training(self, max_steps: int, train_dataloader: Any, resume_from_checkpoint: str | None) -> Any:
        if not self.is_deepspeed_enabled or resume_from_checkpoint is None:
            return super()._prepare_for_training(max_steps, train_dataloader, resume_from_checkpoint)
        from transformers.integrations.deepspeed import deepspeed_load_checkpoint

        prepared = super()._prepare_for_training(max_steps, train_dataloader, None)
        deepspeed_load_checkpoint(
            self.model_wrapped, resume_from_checkpoint, load_module_strict=False
        )  # what is frozen is not there
        self._load_optimizer_and_scheduler(resume_from_checkpoint)
        return prepared


def _schedule(told: TrainingParameters) -> Callable[[int], float]:
    """The learning rate of each step, as a share of the highest."""
    highest, warm = told.learning_rate, min(told.warmup_steps, told.steps)
    lowest, begin = (min(rate, highest) for rate in (told.min_learning_rate, told.warmup_learning_rate))

    def share(step: int) -> float:
        if step < warm:
            return (begin + (highest - begin) * step / warm) / highest
        passed = min(1.0, (step - warm) / max(1, told.steps - warm))
        return (lowest + (highest - lowest) * (1 + math.cos(math.pi * passed)) / 2) / highest

    return share


def _shared(outputs: HawkOutput, config: HawkConfig, shares_B3: Tensor) -> tuple[Tensor, list[Tensor | float]]:
    """The weighted total of equation 9 and its terms, as this part's contribution to the mean over the whole batch.

    Args:
        outputs: the losses of each sample.
        config: the weights of the terms.
        shares_B3: of what there is to learn in the whole batch (`data.Learned`), float64 [B, 3].
    """
    weights = (config.video_language_weight, config.video_motion_weight, config.motion_language_weight)
    losses = outputs.sample_losses or {}
    total = cast(Tensor, outputs.loss) * 0  # a path for gradients, whatever is switched off
    terms: list[Tensor | float] = []
    for name, weight, shares_B in zip(TERMS, weights, shares_B3.unbind(1), strict=True):
        if name not in losses:
            terms.append(0.0)
            continue
        term = (losses[name] * shares_B.to(losses[name].device)).sum()
        terms.append(term.detach())
        total = total + weight * term
    return total, terms


def _culprits(outputs: HawkOutput, item_ids: Sequence[str]) -> str:
    """Which term of which items is no number, and what to do about it."""
    wrong: dict[str, list[str]] = {
        term: [item for item, loss in zip(item_ids, losses.tolist(), strict=True) if not math.isfinite(loss)]
        for term, losses in (outputs.sample_losses or {}).items()
    }
    named = [f"{term} of {_some(items)}" for term, items in wrong.items() if items]
    if len(item_ids) > 1 and any(len(items) == len(item_ids) for items in wrong.values()):
        return f"{'; '.join(named)}. All items of the batch: the training diverged; lower `learning_rate`"
    return f"{'; '.join(named) or 'the sum of all terms'}. Look at what is stored of them, or lower `learning_rate`"


def _some(items: Sequence[str]) -> str:
    once = list(dict.fromkeys(items))
    return f"{', '.join(once[:5])} and {len(once) - 5} more" if len(once) > 5 else ", ".join(once)


def _wait_for_all() -> None:
    if dist.is_initialized():
        dist.barrier()
