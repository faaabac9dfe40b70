"""One process of a training: the only one, or one of many (`python -m hawk_pipelines.training.run FOLDER`, by a launcher)."""

import argparse
import fcntl
import gc
import json
import logging
import os
import re
import shutil
import socket
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from mlflow import MlflowClient
from transformers import ProgressCallback, TrainerCallback, TrainingArguments
from transformers.trainer_callback import PrinterCallback
from transformers.utils import logging as transformers_logging

from hawk_pipelines.curation.follow_ups import wordings
from hawk_pipelines.engine.alive import alive
from hawk_pipelines.engine.progress import Bar
from hawk_pipelines.engine.store import ItemStore
from hawk_pipelines.engine.whole_files import whole_folder
from hawk_pipelines.errors import HawkError
from hawk_pipelines.language.requests import CAPTION_REQUESTS, DESCRIPTION_REQUESTS
from hawk_pipelines.machine_faults import free_space
from hawk_pipelines.model.answering import context_of
from hawk_pipelines.model.checkpoint import Parts
from hawk_pipelines.model.language_model import padding_id
from hawk_pipelines.schema import Sample
from hawk_pipelines.training import checkpoints
from hawk_pipelines.training.data import Collator, Draws, Layout, usable_samples
from hawk_pipelines.training.deepspeed_file import read_deepspeed
from hawk_pipelines.training.errors import TrainingError
from hawk_pipelines.training.features import Features
from hawk_pipelines.training.job import (
    FAULT,
    HELD_OUT,
    MODEL,
    SAMPLES,
    Circumstances,
    Job,
    read_circumstances,
    read_features,
    read_job,
)
from hawk_pipelines.training.journal import Delivery, Journal
from hawk_pipelines.training.parameters import ConversationParameters, FinetuneParameters
from hawk_pipelines.training.samples import SampleFile
from hawk_pipelines.training.speed import Speed
from hawk_pipelines.training.start import start
from hawk_pipelines.training.tracking import JOURNAL
from hawk_pipelines.training.trainer import HawkTrainer
from hawk_pipelines.training.validation import Validation
from hawk_pipelines.training.weights import whole_weights

_LOST = re.compile("gloo|nccl|ProcessGroup|[Cc]onnection (reset|closed)")
"""Words of an error that says no more than that another process ended; the launcher knows how that one ended."""
logger = logging.getLogger("hawk_pipelines.training.run")  # it is `__main__` where a launcher starts it


def run(folder: Path) -> None:
    """Train as the folder's job says, from its newest whole checkpoint where there is one, and leave the model in the folder.

    Raises:
        TrainingError: it cannot begin or go on.
        CheckpointError: a model it stands on cannot be loaded.
        PromptError: a sample cannot be laid out.
    """
    job, circumstances = read_job(folder), read_circumstances(folder)
    with ExitStack() as opened:
        before = None
        try:
            if _rank() == 0:
                _wait_for_orphans(folder, opened)
                before = checkpoints.newest(folder)
            _train(folder, job, circumstances, before, opened)
        except OSError as error:
            reason = f"{error}; {free_space(folder)}"
            msg = f"{job.stage} cannot write to or read from {folder} ({reason}); is the disk full? What was saved is as it was."
            raise TrainingError(msg) from error


def _train(folder: Path, job: Job, circumstances: Circumstances, before: Path | None, opened: ExitStack) -> None:
    told = job.parameters
    if told.launch.deepspeed:
        _without_compiling()
    arguments = _arguments(folder, job)
    _ = arguments.device  # the processes find each other now
    if told.launch.deepspeed:
        import deepspeed

        deepspeed.init_distributed(dist_backend=dist.get_backend())  # it counts them while a model is read
    if dist.is_initialized():
        before = _from_first(before)
    if before:
        _insist_on_same_processes(before, job)
    samples, features = SampleFile(folder / SAMPLES), Features(read_features(folder), ItemStore(job.store))
    requests = CAPTION_REQUESTS if job.stage == "pretrain" else DESCRIPTION_REQUESTS
    parts = _start(job, samples, requests, features, arguments)
    model = parts.model
    if told.steps <= told.warmup_steps:
        logger.warning("%s ends within its warm-up: %d steps of %d.", job.stage, told.steps, told.warmup_steps)
    layout = Layout(parts.tokenizer, parts.prompt, model.config.queries, model.config.motion_branch, context_of(model))
    described = told.description_share if isinstance(told, FinetuneParameters) else 1.0
    conversations = _conversations(job)
    usable = usable_samples(samples, features, layout, requests)
    draws = Draws(
        samples,
        usable,
        features,
        layout,
        requests,
        described,
        told.steps,
        told.batch_size,
        job.seed,
        told.group_by_length,
        conversations,
    )
    collator = Collator(padding_id(parts.tokenizer))
    batch = arguments.per_device_train_batch_size
    held_out = _held_out(SampleFile(folder / HELD_OUT), features, layout)
    if told.validation.share and not held_out:
        logger.warning("%s: there is nothing to hold out, so nothing is validated and the last weights are taken.", job.stage)
    watched = (
        Validation(held_out, features, layout, collator, batch, told.validation.generated, (_rank(), arguments.world_size))
        if held_out
        else None
    )
    journal = _journal(folder, circumstances, opened) if _rank() == 0 else None
    size = sum(_numel(parameter) for parameter in model.language_model.parameters())
    speed = Speed(job.stage, arguments.device, arguments.world_size, size, told=_rank() == 0)
    trainer = HawkTrainer(model, arguments, told, draws, collator, journal, speed, watched, circumstances.run_id, parts.tokenizer)
    trainer.remove_callback(PrinterCallback)
    trainer.remove_callback(ProgressCallback)
    trainer.add_callback(_Course(job, watched is not None, shown=_rank() == 0))
    if before:
        logger.info("%s: goes on from %s.", job.stage, before)
        trainer.recall(before)
    try:
        trainer.train(resume_from_checkpoint=str(before) if before else None)
    except HawkError as error:
        raise _of_a_reader(error) from error
    _leave(folder, parts, trainer, draws)
    if dist.is_initialized():
        dist.barrier()  # no process ends while another one saves


def _held_out(samples: SampleFile, features: Features, layout: Layout) -> list[Sample]:
    """What can be looked at of what is held out."""
    if not len(samples):
        return []
    try:
        usable = usable_samples(samples, features, layout, [DESCRIPTION_REQUESTS[0]])
    except TrainingError:  # nothing is left of it, which was said
        return []
    return [samples[number] for number in usable]


def _of_a_reader(error: HawkError) -> HawkError:
    """An error of a process that reads ahead comes with its traceback as its words; the last line is the sentence."""
    said = str(error)
    return TrainingError(said.strip().splitlines()[-1].partition(": ")[2]) if "Original Traceback" in said else error


def _start(job: Job, samples: SampleFile, requests: tuple[str, ...], features: Features, arguments: TrainingArguments) -> Parts:
    facts = features.made_by(job.frame_encoder, job.mask, job.frames, job.flow)
    first = next((sample.item_id for sample in samples if sample.item_id in features), None)
    if first is None:
        msg = f"None of the {len(samples)} samples has features; run `kedro run --pipelines=motion,encode` first."
        raise TrainingError(msg)
    width = features.read(first).appearance.shape[-1]
    later_turns = wordings() if _conversations(job) else ()
    speaks, losses = job.model.language_model, job.parameters.losses
    if _zero_stage(job) != 3:
        return start(job.init_from, samples, requests, job.model, losses, facts, width, job.seed, later_turns=later_turns)
    # `transformers` spreads whatever is made while ZeRO-3 is set, and random weights would not be those of the seed. Only a
    # pretrained language model is spread while it is read, so that no process ever holds all of it.
    from transformers.integrations.deepspeed import set_hf_deepspeed_config, unset_hf_deepspeed_config

    @contextmanager
    def reading() -> Iterator[None]:
        set_hf_deepspeed_config(arguments.hf_deepspeed_config)
        yield
        unset_hf_deepspeed_config()

    unset_hf_deepspeed_config()
    spread = reading() if speaks.source is not None and not speaks.gguf_file else None
    parts = start(job.init_from, samples, requests, job.model, losses, facts, width, job.seed, spread, later_turns)
    set_hf_deepspeed_config(arguments.hf_deepspeed_config)
    return parts


def _conversations(job: Job) -> ConversationParameters | None:
    """None where single turns only are trained on."""
    parameters = job.parameters
    return parameters.conversations if isinstance(parameters, FinetuneParameters) and parameters.conversations.share else None


def _zero_stage(job: Job) -> int:
    file = job.parameters.launch.deepspeed
    return int(read_deepspeed(file).get("zero_optimization", {}).get("stage", 0)) if file else 0


def _arguments(folder: Path, job: Job) -> TrainingArguments:
    told = job.parameters
    world = int(os.environ.get("WORLD_SIZE", 1))
    part, left = divmod(told.batch_size, world * told.accumulation)
    if left or not part:
        shared = f"{world} process(es) × {told.accumulation} accumulated parts"
        what = f"`{job.stage}.batch_size` = {told.batch_size} cannot be shared by {shared}"
        msg = f"{what}; change `batch_size`, `accumulation` or `launch.processes`."
        raise TrainingError(msg)
    weights = (told.losses.video_language, told.losses.video_motion, told.losses.motion_language)
    cuda = told.launch.device != "cpu" and torch.cuda.is_available()
    return TrainingArguments(
        output_dir=str(folder),
        max_steps=told.steps,
        per_device_train_batch_size=part,
        gradient_accumulation_steps=told.accumulation,
        learning_rate=told.learning_rate,
        weight_decay=told.weight_decay,
        max_grad_norm=told.max_gradient_norm,
        bf16=told.bf16,
        activation_checkpointing=told.gradient_checkpointing,
        logging_steps=1,
        logging_nan_inf_filter=False,
        save_strategy="steps",
        save_steps=told.checkpoints.every,
        metric_for_best_model="loss",
        greater_is_better=False,
        report_to="none",
        disable_tqdm=True,
        remove_unused_columns=False,
        seed=job.seed,
        use_cpu=not cuda,
        ddp_backend=None if cuda or world == 1 else "gloo",
        ddp_find_unused_parameters=not all(weights),  # what only a switched-off term reads has no gradient
        deepspeed=read_deepspeed(told.launch.deepspeed) if told.launch.deepspeed else None,
        dataloader_num_workers=told.loader_workers,
        dataloader_prefetch_factor=4 if told.loader_workers else None,
        dataloader_pin_memory=cuda,
        log_level="error",
        log_level_replica="error",
    )


def _wait_for_orphans(folder: Path, opened: ExitStack) -> None:
    """Processes of a training that was killed notice it within seconds; until then the folder is theirs."""
    lock = opened.enter_context((folder / ".running").open("w"))
    fcntl.lockf(lock, fcntl.LOCK_EX)


def _journal(folder: Path, circumstances: Circumstances, opened: ExitStack) -> Journal:
    journal = Journal(folder / JOURNAL)
    delivery = Delivery(MlflowClient(circumstances.tracking_uri), circumstances.run_id, journal.path)
    opened.callback(delivery.close)
    opened.callback(journal.close)
    return journal


def _leave(folder: Path, parts: Parts, trainer: HawkTrainer, draws: Draws) -> None:
    """Put the trained model in the folder, whole or not at all. It says which conversations it has seen."""
    best = trainer.state.best_global_step
    take_best = trainer.parameters.validation.take == "best" and best is not None
    taken = best if take_best and best is not None else trainer.state.global_step
    parts.model.config.conversation_turns = draws.longest_conversation(taken)
    if draws.conversations.share and parts.model.config.conversation_turns == 1:
        logger.warning(
            "No conversation was trained on: the steps before `conversations.start`, or short of room, were all there are."
        )
    weights = whole_weights(parts.model, bool(trainer.is_deepspeed_enabled))
    if _rank() == 0:
        with whole_folder(folder / MODEL) as unfinished:
            parts.model.save_pretrained(unfinished, state_dict=weights)
            if take_best:
                place = folder / f"checkpoint-{best}"
                fault = checkpoints.fault_of(place)
                if fault:
                    logger.warning("The best weights are lost (%s: %s); the model has those of the last step.", place, fault)
                else:
                    logger.info("The model is that of step %d, with the smallest held-out loss.", best)
                    shutil.copy(place / "model.safetensors", unfinished / "model.safetensors")
            parts.tokenizer.save_pretrained(unfinished)


class _Course(TrainerCallback):
    """When it is looked at what is held out, and a progress bar."""

    def __init__(self, job: Job, validated: bool, shown: bool) -> None:
        self._stage, self._every, self._validated, self._shown = job.stage, job.parameters.validation.every, validated, shown

    def on_train_begin(self, args, state, control, **kwargs):  # type: ignore[no-untyped-def]
        self._bar = Bar(self._stage, state.max_steps - state.global_step) if self._shown else None

    def on_step_end(self, args, state, control, **kwargs):  # type: ignore[no-untyped-def]
        last = state.global_step >= state.max_steps
        control.should_evaluate = self._validated and (last or state.global_step % self._every == 0)
        if self._bar:
            self._bar.advance()

    def on_train_end(self, args, state, control, **kwargs):  # type: ignore[no-untyped-def]
        if self._bar:
            self._bar.close()


def _without_compiling() -> None:
    """On CPUs DeepSpeed would first compile a reduction of its own, for a minute; gloo has one."""
    if os.environ.get("DS_ACCELERATOR") == "cpu":
        from deepspeed import ops

        ops.__compatible_ops__["deepspeed_shm_comm"] = False


def _insist_on_same_processes(checkpoint: Path, job: Job) -> None:
    facts = checkpoints.facts_of(checkpoint)
    world = int(os.environ.get("WORLD_SIZE", 1))
    zero = _zero_stage(job) if job.parameters.launch.deepspeed else None
    if facts["zero"] != zero or (zero is not None and facts["processes"] != world):
        there = f"{facts['processes']} process(es) {_with(facts['zero'])}"
        msg = f"{checkpoint} was saved by {there}, but now there are {world} {_with(zero)}; set `launch` as it was, or remove it."
        raise TrainingError(msg)


def _with(zero: int | None) -> str:
    return "without DeepSpeed" if zero is None else f"under ZeRO-{zero}"


def _from_first(found: Path | None) -> Path | None:
    """What the first process found, in all of them."""
    told: list[Any] = [str(found) if found else None]
    dist.broadcast_object_list(told, src=0)
    return Path(told[0]) if told[0] else None


def _rank() -> int:
    return int(os.environ.get("RANK", 0))


def _numel(parameter: torch.nn.Parameter) -> int:
    return int(getattr(parameter, "ds_numel", parameter.numel()))


# --- as one of many processes ------------------------------------------------------------------------------------------


def main() -> None:
    """Take part in a training; end with status 1 and a sentence in the folder where it cannot go on."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("folder", type=Path)
    options.add_argument("--local_rank", "--local-rank", help="what the deepspeed launcher adds; the environment says the same")
    given = options.parse_args()
    transformers_logging.set_verbosity_error()
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stdout, force=True)
    logging.getLogger("hawk_pipelines").setLevel(logging.INFO if _rank() == 0 else logging.ERROR)
    threading.Thread(target=_end_with, args=(read_circumstances(given.folder),), daemon=True).start()
    status = 1
    try:
        run(given.folder)
        status = 0
    except HawkError as error:
        _tell(given.folder, str(error))
    except torch.OutOfMemoryError as error:
        what = " ".join(str(error).split())[:200]
        _tell(given.folder, f"The GPU's memory is full ({what}); lower `batch_size`, raise `accumulation`.")
    except BaseException as error:
        traceback.print_exc()
        what = f"{type(error).__name__} ({' '.join(str(error).split())[:300]})"
        if not _LOST.search(what):
            _tell(given.folder, f"A process ended with an unexpected {what}; the log shows where. Please report it.")
    if dist.is_initialized() and not status:
        gc.collect()
        dist.destroy_process_group()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)  # threads of a process group may never end


def _tell(folder: Path, sentence: str) -> None:
    """The first process that fails says why; what the others then say follows from it."""
    try:
        with (folder / FAULT).open("x", encoding="utf-8") as file:
            json.dump({"rank": _rank(), "fault": sentence}, file)
    except FileExistsError:
        pass
    except OSError:  # the disk is full
        print(sentence, file=sys.stderr)  # noqa: T201 (the last way out)


def _end_with(circumstances: Circumstances) -> None:
    """End when the process that waits for the result has ended."""
    while circumstances.host != socket.gethostname() or alive(circumstances.parent_pid):
        time.sleep(1)
    os._exit(1)


if __name__ == "__main__":
    main()
