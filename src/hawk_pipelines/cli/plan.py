"""`hawk plan`: what a training needs, before a GPU is rented."""

import contextlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from hawk_pipelines.cli.options import one_sentence
from hawk_pipelines.errors import HawkError

if TYPE_CHECKING:
    from hawk_pipelines.training.parameters import TrainingParameters
    from hawk_pipelines.training.plan import Plan

Stage = Literal["pretrain", "finetune"]


class SettingsError(HawkError):
    """Settings that cannot be read."""


@click.command()
@click.option("--env", "-e", default=None, help="The configuration environment, as for `kedro run`.")
@click.option("--stage", type=click.Choice(["pretrain", "finetune"]), default="finetune", show_default=True)
@click.option(
    "--gpus", type=click.IntRange(min=1), help="That share a batch; without it as many as `launch.processes` says, or one."
)
@click.option(
    "--samples-per-s", type=click.FloatRange(min=0, min_open=True), help="What one GPU trains, as measured; for the hours."
)
@click.option("--items", type=click.IntRange(min=1), help="Of the data set; for the size of the stores.")
@click.option(
    "--tokens", type=click.IntRange(min=1), default=256, show_default=True, help="Of prompt and answer; for the memory."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def plan(
    env: str | None, stage: Stage, gpus: int | None, samples_per_s: float | None, items: int | None, tokens: int, as_json: bool
) -> None:
    """Say what a training needs: parameters, memory of each GPU, disk and hours.

    It reads settings only: no GPU, no weights and no network are needed. Memory and disk are estimates; docs/training.md has the
    formulas.
    """
    from kedro.utils import find_kedro_project

    project = find_kedro_project(Path.cwd())
    with one_sentence():
        if project is None:
            msg = "There is no HAWK project here; go to its root, where pyproject.toml and conf/ are."
            raise SettingsError(msg)
        with contextlib.chdir(project):
            needed, parameters = _planned(env, stage, gpus, tokens)
            told = _json(needed, parameters, env, stage, samples_per_s, items, tokens)
    click.echo(json.dumps(told, indent=2)) if as_json else _show(told)


def _planned(env: str | None, stage: Stage, gpus: int | None, tokens: int) -> "tuple[Plan, TrainingParameters]":
    os.environ.setdefault("DS_ACCELERATOR", "cpu")  # so that DeepSpeed, which reads its file, does not look for another one
    from transformers.utils import logging

    from hawk_pipelines.model.settings import ModelSettings
    from hawk_pipelines.pipelines.encode.parameters import EncodeParameters
    from hawk_pipelines.pipelines.parameter_check import check_parameters
    from hawk_pipelines.training.parameters import FinetuneParameters, PretrainParameters
    from hawk_pipelines.training.plan import plan as planned
    from hawk_pipelines.video.streams import StreamParameters

    logging.set_verbosity_error()
    settings = _settings(env)
    kind = PretrainParameters if stage == "pretrain" else FinetuneParameters
    kinds: dict[str, type] = {"model": ModelSettings, "encode": EncodeParameters, "motion": StreamParameters, stage: kind}
    check_parameters({name: settings[name] for name in kinds if name in settings}, kinds)
    parameters = kind.model_validate(settings[stage])
    encode, motion = EncodeParameters.model_validate(settings["encode"]), StreamParameters.model_validate(settings["motion"])
    model = ModelSettings.model_validate(settings["model"])
    count = gpus or _processes(stage, parameters)
    return planned(stage, model, encode.frame_encoder, motion, encode.views, parameters, count, tokens), parameters


def _settings(env: str | None) -> dict[str, Any]:
    from kedro.config import MissingConfigException
    from yaml import YAMLError

    from hawk_pipelines.config_loader import settings_of

    try:
        return dict(settings_of(env)["parameters"])
    except (MissingConfigException, YAMLError, AttributeError, KeyError, TypeError, ValueError) as error:
        msg = f"The configuration cannot be read ({' '.join(str(error).split())})."
        raise SettingsError(msg) from error


def _processes(stage: Stage, parameters: "TrainingParameters") -> int:
    """How many the settings themselves name."""
    from hawk_pipelines.training.launch import read_hostfile

    told = parameters.launch
    return sum(read_hostfile(told.hostfile).values()) if told.hostfile else told.processes or 1


def _json(
    needed: "Plan",
    parameters: "TrainingParameters",
    env: str | None,
    stage: Stage,
    samples_per_s: float | None,
    items: int | None,
    tokens: int,
) -> dict[str, Any]:
    from hawk_pipelines.training.plan import hours, zero_stage

    disk = needed.disk
    memory = {
        str(zero): {name: round(value) for name, value in found._asdict().items()}
        | {"total": round(found.total(checkpointing=False)), "total_checkpointed": round(found.total(checkpointing=True))}
        for zero, found in needed.memory.items()
    }
    return {
        "environment": env or "base",
        "stage": stage,
        "gpus": needed.gpus,
        "batch": parameters.batch_size,
        "samples_at_a_time": needed.samples,
        "text_tokens": tokens,
        "tokens_per_sample": needed.tokens,
        "parts": [part._asdict() for part in needed.parts],
        "memory": memory,
        "zero_stage": zero_stage(parameters),
        "gradient_checkpointing": parameters.gradient_checkpointing,
        "frames_per_item": disk.frames,
        "features_per_item": disk.features,
        "items": items,
        "checkpoint": disk.checkpoint,
        "checkpoints": disk.checkpoints,
        "steps": parameters.steps,
        "samples": parameters.steps * parameters.batch_size,
        "samples_per_s": samples_per_s,
        "hours": None if samples_per_s is None else hours(parameters, needed.gpus, samples_per_s),
        "notes": needed.notes,
    }


# --- showing -------------------------------------------------------------------------------------------------------------

_ROWS = {
    "frozen": "frozen weights",
    "trained": "trained weights",
    "gradients": "gradients",
    "optimizer": "optimizer",
    "buffers": "buffers and copies",
    "activations": "activations",
    "checkpointed": "  with checkpointing",
    "logits": "logits",
    "total": "together",
    "total_checkpointed": "  with checkpointing",
}


def _show(told: dict[str, Any]) -> None:
    from rich.console import Console

    console = Console(highlight=False)
    console.print(f"[bold]Parameters[/bold] of {told['stage']} in conf/{told['environment']}", soft_wrap=True)
    console.print(_parts_table(told))
    at_a_time = f"{told['samples_at_a_time']} sample(s) of {told['tokens_per_sample']} tokens at a time"
    console.print(f"\n[bold]Memory[/bold] of each of {told['gpus']} GPU(s), about; {at_a_time}", soft_wrap=True)
    console.print(_memory_table(told))
    checkpointing = "with" if told["gradient_checkpointing"] else "without"
    what = f"{checkpointing} gradient checkpointing; CUDA itself takes some 2 GB more"
    console.print(f"* as the settings have it, {what}.", soft_wrap=True)
    console.print("\n[bold]Disk[/bold]", soft_wrap=True)
    console.print(_disk_table(told))
    console.print(_hours_line(told), soft_wrap=True)
    for note in told["notes"]:
        console.print(note, soft_wrap=True)


def _parts_table(told: dict[str, Any]) -> Any:
    table = _table("", "parameters", "trained", "as loaded")
    whole = [part for part in told["parts"] if not part["name"].startswith(" ")]
    for part in told["parts"]:
        table.add_row(part["name"], f"{part['parameters']:,}", _or_dash(part["trained"]), _size(part["held"]))
    sums = [sum(part[name] for part in whole) for name in ("parameters", "trained", "held")]
    table.add_row("together", f"{sums[0]:,}", f"{sums[1]:,}", _size(sums[2]), style="bold")
    return table


def _memory_table(told: dict[str, Any]) -> Any:
    now = told["zero_stage"]
    names = [f"{'ZeRO-' + zero if zero != '0' else 'no ZeRO'}{' *' if int(zero) == now else ''}" for zero in told["memory"]]
    table = _table("", *names)
    for key, name in _ROWS.items():
        table.add_row(name, *(_size(one[key]) for one in told["memory"].values()), style="bold" if key == "total" else None)
    return table


def _disk_table(told: dict[str, Any]) -> Any:
    items = told["items"]
    table = _table("", "an item", f"{items:,} items" if items else "all items (give --items)")
    for name, called in (("frames_per_item", "frames and motion, at most"), ("features_per_item", "features")):
        table.add_row(called, _size(told[name]), _size(told[name] * items) if items else "–")
    table.add_row(
        f"checkpoints, {told['checkpoints']} × {_size(told['checkpoint'])}", "", _size(told["checkpoint"] * told["checkpoints"])
    )
    return table


def _hours_line(told: dict[str, Any]) -> str:
    samples = f"{told['steps']:,} steps × {told['batch']} samples"
    if told["hours"] is None:
        unknown = "the throughput, which nothing here knows: give --samples-per-s, as measured on one GPU"
        return f"[bold]Hours[/bold]: {samples} ÷ {unknown}."
    speed = f"{told['samples_per_s']:g} samples/s (--samples-per-s) × {told['gpus']} GPU(s)"
    return f"[bold]Hours[/bold]: {told['hours']:,.1f} = {samples} ÷ {speed}, if the GPUs do not wait for each other."


def _table(*columns: str) -> Any:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for number, column in enumerate(columns):
        table.add_column(column, justify="right" if number else "left", no_wrap=not number)
    return table


def _or_dash(count: int) -> str:
    return f"{count:,}" if count else "–"


def _size(size: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} B" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.2f} TB"
