"""A DeepSpeed file: JSON, of which every key is known. DeepSpeed itself passes over what it does not know."""

import difflib
import json
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from hawk_pipelines.training.errors import TrainingError

KEYS = frozenset(
    [
        "activation_checkpointing", "aio", "amp", "autotuning", "bf16", "bfloat16", "checkpoint", "comms_logger",
        "communication_data_type", "compression_training", "csv_monitor", "curriculum_learning", "data_efficiency",
        "data_types", "disable_allgather", "dump_state", "elasticity", "flops_profiler", "fp16", "fp32_allreduce",
        "gradient_accumulation_steps", "gradient_clipping", "gradient_predivide_factor", "load_universal_checkpoint",
        "memory_breakdown", "nebula", "optimizer", "pipeline", "prescale_gradients", "scheduler",
        "seq_parallel_communication_data_type", "sparse_gradients", "steps_per_print", "tensor_parallel", "tensorboard",
        "timers", "torch_autocast", "train_batch_size", "train_micro_batch_size_per_gpu",
        "use_data_before_expert_parallelism", "wall_clock_breakdown", "wandb", "zero_allow_untested_optimizer",
        "zero_force_ds_cpu_optimizer", "zero_optimization",
    ]
)  # fmt: skip
"""Of the whole file (DeepSpeed 0.19, configuration JSON)."""


def read_deepspeed(path: Path) -> dict[str, Any]:
    """A DeepSpeed file.

    Raises:
        TrainingError: it is missing, is no JSON, or has a key that DeepSpeed does not know.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        msg = f"There is no DeepSpeed file {path}; conf/deepspeed has some, or set `launch.deepspeed` to null."
        raise TrainingError(msg) from error
    except (OSError, ValueError) as error:
        msg = f"{path} cannot be read as a DeepSpeed file ({error}); it is a JSON object."
        raise TrainingError(msg) from error
    if not isinstance(found, dict):
        msg = f"{path} is no DeepSpeed file; it is a JSON object."
        raise TrainingError(msg)
    zero = found.get("zero_optimization", {})
    if not isinstance(zero, dict):
        msg = f"`zero_optimization` in {path} is {zero!r}, but it is an object with `stage`."
        raise TrainingError(msg)
    faults = [_fault(key, "", KEYS) for key in found if key not in KEYS]
    known = _zero_keys()
    faults += [_fault(key, "zero_optimization.", known) for key in zero if key not in known]
    if faults:
        msg = f"{path}: {'; '.join(faults)}."
        raise TrainingError(msg)
    if zero.get("stage", 0) not in (0, 1, 2, 3):
        msg = f"`zero_optimization.stage` in {path} is {zero['stage']!r}, but it is 0, 1, 2 or 3."
        raise TrainingError(msg)
    _insist_on_kinds(zero, path)
    return found


def _insist_on_kinds(zero: dict[str, Any], path: Path) -> None:
    """As DeepSpeed itself reads the section, whose sections have keys of their own; `auto` is filled in later."""
    from deepspeed.runtime.zero.config import DeepSpeedZeroConfig

    try:
        DeepSpeedZeroConfig(**{key: value for key, value in zero.items() if value != "auto"})
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in ("zero_optimization", *first["loc"]))
        msg = f"`{place}` in {path} is not as DeepSpeed wants it: {first['msg'][:1].lower()}{first['msg'][1:]}."
        raise TrainingError(msg) from error


def _zero_keys() -> frozenset[str]:
    from deepspeed.runtime.zero.config import DeepSpeedZeroConfig

    fields = DeepSpeedZeroConfig.model_fields
    return frozenset(fields) | {field.alias for field in fields.values() if field.alias}


def _fault(key: str, above: str, known: frozenset[str]) -> str:
    close = difflib.get_close_matches(key, sorted(known), n=1)
    return f"`{above}{key}` is unknown to DeepSpeed" + (f"; did you mean `{close[0]}`?" if close else "")
