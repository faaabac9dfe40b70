"""`hawk annotate --estimate`: what a language model would be asked and paid, before anything is sent."""

import contextlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hawk_pipelines.cli.options import one_sentence
from hawk_pipelines.errors import HawkError

if TYPE_CHECKING:
    from hawk_pipelines.language.llm_estimate import Estimate


class EstimateError(HawkError):
    """Something that an estimate needs is not there."""


def _as_kedro_splits(context: click.Context, parameter: click.Parameter, value: str) -> dict[str, Any]:
    from kedro.framework.cli.utils import _split_params

    return _split_params(context, parameter, value)


@click.command()
@click.option("--estimate", "only_estimate", is_flag=True, help="Say what it would cost; nothing is sent and no key is needed.")
@click.option("--env", "-e", default=None, help="The configuration environment, as for `kedro run`.")
@click.option("--params", default="", metavar="NAME=VALUE,…", callback=_as_kedro_splits, help="Settings, as for `kedro run`.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def annotate(only_estimate: bool, env: str | None, params: dict[str, Any], as_json: bool) -> None:
    """Say how many requests, tokens and dollars the drafts of a language model would take.

    For the provider `openai`, whichever is configured. Replies that are in the store cost nothing. The drafts themselves are
    written by `kedro run --pipelines=annotate`.
    """
    if not only_estimate:
        msg = "Drafts are written by `kedro run --pipelines=annotate`; `hawk annotate --estimate` says what that would cost."
        raise click.UsageError(msg)
    from kedro.utils import find_kedro_project

    project = find_kedro_project(Path.cwd())
    with one_sentence():
        if project is None:
            msg = "There is no HAWK project here; go to its root, where pyproject.toml and conf/ are."
            raise EstimateError(msg)
        with contextlib.chdir(project):
            expected, settings = _estimated(env, params)
    if as_json:
        click.echo(json.dumps(_json(expected, settings), indent=2))
    else:
        _show(expected, settings)


def _estimated(env: str | None, params: dict[str, Any]) -> "tuple[Estimate, Any]":
    from hawk_pipelines.curation import decisions
    from hawk_pipelines.curation.question_pool import as_reviewed
    from hawk_pipelines.language import writing
    from hawk_pipelines.language.llm import Client
    from hawk_pipelines.language.llm_estimate import estimate
    from hawk_pipelines.language.questions import read_pool
    from hawk_pipelines.pipelines.annotate.nodes import undescribed

    tables, settings, seed, decided = _inputs(env, params)
    pool = as_reviewed(read_pool(settings.questions), decisions.read(decided))
    todo = undescribed(*(tables[name] for name in _TABLES))
    items, _ = writing.items_of(todo, pool, seed, settings.questions_per_item)
    scripts = writing.scripts(items, writing.read_prompts(settings.prompts), settings.longest_captions)
    with Client(settings.openai, None, "annotate.openai") as client:
        return estimate(client, scripts), settings


_TABLES = {"videos": "ingest,split,caption", "clip_captions": "split,caption", "published_drafts": "ingest,split,caption"}
"""What the estimate reads, and the pipelines that make it."""


def _inputs(env: str | None, params: dict[str, Any]) -> tuple[dict[str, Any], Any, int, Path]:
    """The tables and settings that `annotate` would be given."""
    from kedro.config import MissingConfigException
    from kedro.io import DataCatalog
    from yaml import YAMLError

    from hawk_pipelines.config_loader import settings_of
    from hawk_pipelines.pipelines.annotate.parameters import AnnotateParameters
    from hawk_pipelines.pipelines.parameter_check import check_parameters
    from hawk_pipelines.pipelines.validate.parameters import ValidateParameters

    loader = settings_of(env, params)
    try:
        parameters, described = loader["parameters"], {name: loader["catalog"][name] for name in _TABLES}
    except (MissingConfigException, YAMLError, KeyError, ValueError) as error:
        msg = f"The configuration cannot be read ({' '.join(str(error).split())})."
        raise EstimateError(msg) from error
    kinds = {"annotate": AnnotateParameters, "validate": ValidateParameters, "seed": int}
    check_parameters({name: parameters[name] for name in kinds if name in parameters}, kinds)
    settings = AnnotateParameters.model_validate(parameters["annotate"])
    validate = ValidateParameters.model_validate(parameters["validate"])
    for one in described.values():
        one.pop("validator", None)  # of use when a table is saved
    catalog = DataCatalog.from_config(described)
    for name, pipeline in _TABLES.items():
        if not catalog.exists(name):
            msg = f"There is no table `{name}` yet: run `kedro run --pipelines={pipeline}` first."
            raise EstimateError(msg)
    return {name: catalog.load(name) for name in _TABLES}, settings, int(parameters["seed"]), validate.decisions


def _json(expected: "Estimate", settings: Any) -> dict[str, Any]:
    return {
        "model": settings.openai.model,
        "items": expected.scripts,
        "requests": expected.requests,
        "stored": expected.stored,
        "input_tokens": expected.tokens.input,
        "output_tokens": expected.tokens.output,
        "usd": round(expected.usd, 4),
        "most_usd": round(expected.most_usd, 4),
    }


def _show(expected: "Estimate", settings: Any) -> None:
    from rich.console import Console
    from rich.table import Table

    console, openai = Console(highlight=False), settings.openai
    table = Table(title=f"Drafts by {openai.model}, about", title_justify="left", box=None, pad_edge=False, show_header=False)
    table.add_column(justify="left")
    table.add_column(justify="right")
    table.add_row("items to describe", f"{expected.scripts:,}")
    table.add_row("requests", f"{expected.requests:,}")
    table.add_row("  of which the reply is in the store", f"{expected.stored:,}")
    table.add_row("tokens read", f"{expected.tokens.input:,}")
    table.add_row("tokens written", f"{expected.tokens.output:,}")
    table.add_row("US dollars" + (", as batches" if openai.batch else ""), f"{expected.usd:.2f}")
    table.add_row("  at most, every reply as long as it may be", f"{expected.most_usd:.2f}")
    console.print(table)
    if expected.usd > openai.ask_above_usd and not openai.leave_to_spend:
        give = f"that is above `annotate.openai.ask_above_usd` = {openai.ask_above_usd:g}, so a run asks for leave"
        console.print(f"{give}: --params annotate.openai.leave_to_spend=true", soft_wrap=True)
    if settings.provider != "openai":
        console.print(f"The provider is `{settings.provider}`: set `annotate.provider: openai` to write them so.", soft_wrap=True)
