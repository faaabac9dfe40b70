"""`hawk annotate`: what a language model would be asked and paid, before anything is sent; and forgetting what it said."""

import contextlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hawk_pipelines.cli.forgetting import forget
from hawk_pipelines.cli.options import one_sentence
from hawk_pipelines.cli.run_settings import settings_option
from hawk_pipelines.errors import HawkError

if TYPE_CHECKING:
    from hawk_pipelines.language.llm_estimate import Estimate


class EstimateError(HawkError):
    """Something that the command needs is not there."""


@click.command()
@click.option("--estimate", "only_estimate", is_flag=True, help="Say what it would cost; nothing is sent and no key is needed.")
@click.option(
    "--forget",
    "forgets",
    is_flag=True,
    help="Drop kept replies by REASON (refused, empty, wrong-form, damaged), so that they are asked for again; "
    "without a REASON say how many there are.",
)
@click.argument("reasons", nargs=-1, metavar="[REASON]...")
@click.option("--env", "-e", envvar="KEDRO_ENV", help="The configuration environment, as for `kedro run`.")
@settings_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def annotate(
    only_estimate: bool, forgets: bool, reasons: tuple[str, ...], env: str | None, params: dict[str, Any], as_json: bool
) -> None:
    """Say how many requests, tokens and dollars the drafts of a language model would take, or forget replies of no use.

    For the provider `openai`, whichever is configured. Replies that are in the store cost nothing. The drafts themselves are
    written by `kedro run --pipelines=annotate`.
    """
    if only_estimate == forgets:
        msg = (
            "Drafts are written by `kedro run --pipelines=annotate`; `hawk annotate --estimate` says what that would cost, and "
            "`hawk annotate --forget REASON …` drops kept replies. Give one of the two."
        )
        raise click.UsageError(msg)
    if reasons and not forgets:
        msg = f"`{reasons[0]}` is too much; `hawk annotate --forget {reasons[0]}` drops kept replies."
        raise click.UsageError(msg)
    from kedro.utils import find_kedro_project

    project = find_kedro_project(Path.cwd())
    with one_sentence():
        if project is None:
            msg = "There is no HAWK project here; go to its root, where pyproject.toml and conf/ are."
            raise EstimateError(msg)
        with contextlib.chdir(project):
            if forgets:
                forget(_settings(env, params)[0].openai.replies, reasons, as_json)
                return
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
    from kedro.io import DataCatalog

    settings, validate, seed, described = _settings(env, params)
    for one in described.values():
        one.pop("validator", None)  # of use when a table is saved
    catalog = DataCatalog.from_config(described)
    for name, pipeline in _TABLES.items():
        if not catalog.exists(name):
            msg = f"There is no table `{name}` yet: run `kedro run --pipelines={pipeline}` first."
            raise EstimateError(msg)
    return {name: catalog.load(name) for name in _TABLES}, settings, seed, validate.decisions


def _settings(env: str | None, params: dict[str, Any]) -> tuple[Any, Any, int, dict[str, Any]]:
    """Settings of `annotate` and `validate`, the seed, and the catalog's entries of what they read, as `kedro run` takes them."""
    from kedro.config import MissingConfigException
    from yaml import YAMLError

    from hawk_pipelines.config_loader import settings_of
    from hawk_pipelines.pipelines.annotate.parameters import AnnotateParameters
    from hawk_pipelines.pipelines.parameter_check import SEED, check_parameters
    from hawk_pipelines.pipelines.validate.parameters import ValidateParameters

    loader = settings_of(env, params)
    try:
        parameters, catalog = loader["parameters"], loader["catalog"]  # each reading of it is a reading of its files
        described = {name: catalog[name] for name in _TABLES}
    except (MissingConfigException, YAMLError, KeyError, ValueError) as error:
        msg = f"The configuration cannot be read ({' '.join(str(error).split())})."
        raise EstimateError(msg) from error
    kinds: dict[str, Any] = {"annotate": AnnotateParameters, "validate": ValidateParameters, "seed": SEED}
    check_parameters({name: parameters[name] for name in kinds if name in parameters}, kinds)
    annotate, validate = (kinds[name].model_validate(parameters[name]) for name in ("annotate", "validate"))
    return annotate, validate, int(parameters["seed"]), described


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
    from rich.table import Table

    from hawk_pipelines.terminal import Terminal

    console, openai = Terminal(), settings.openai
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
