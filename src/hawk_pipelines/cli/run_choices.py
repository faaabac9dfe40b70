"""What `kedro run` is asked to run, checked before anything starts: pipelines, nodes, data, tags, and the runner."""

import difflib
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click
from kedro.pipeline import Pipeline

from hawk_pipelines.plain_text import plain

OWN_RUNNER = "hawk_pipelines.pipelines.staged_runner.StagedRunner"
LONGEST_LIST = 15
"""Names that a sentence lists; of more, only the nearest is named."""


def named_pipelines(options: Mapping[str, Any]) -> list[str]:
    """The pipelines that `kedro run` is asked for by name."""
    return [*(options.get("pipelines") or ()), *filter(None, [options.get("pipeline")])]


def check_choices(options: Mapping[str, Any], pipelines: Mapping[str, Pipeline]) -> None:
    """Refuse names that are not there.

    Args:
        options: of `kedro run`, by the names of their parameters.
        pipelines: of the project.

    Raises:
        click.UsageError: with the first name that is unknown, and what was probably meant.
    """
    named = named_pipelines(options)
    _check("pipeline", named, pipelines)
    chosen = sum((pipelines[name] for name in named or ["__default__"]), Pipeline([]))
    nodes = chosen.nodes
    names = {node.name for node in nodes}
    datasets = {name for node in nodes for name in (*node.inputs, *node.outputs)}
    for option, what, known in (
        ("node_names", "node", names),
        ("from_nodes", "node", names),
        ("to_nodes", "node", names),
        ("from_inputs", "data set", datasets),
        ("to_outputs", "data set", datasets),
        ("tags", "tag", {tag for node in nodes for tag in node.tags}),
        ("namespaces", "namespace", {node.namespace for node in nodes if node.namespace}),
        ("load_versions", "data set", datasets),
    ):
        _check(what, options.get(option) or (), known, named)
    _check_runner(options.get("runner"), options.get("runner_params") or {})


def _check(what: str, wanted: Iterable[str], known: Collection[str], named: Sequence[str] = ()) -> None:
    for name in wanted:
        if name in known:
            continue
        near = difflib.get_close_matches(name, known, n=1)
        there = sorted(one for one in known if not one.startswith(("params:", "__")))
        if near:
            advice = f"did you mean `{near[0]}`?"
        elif not there:
            advice = f"no {what} has a name here. Leave the option out."
        elif len(there) <= LONGEST_LIST:
            advice = f"there are {', '.join(there)}."
        else:
            command = "kedro catalog describe-datasets" if what == "data set" else "kedro registry describe"
            advice = f"there are {len(there)}; `{command}` lists them."
        where = f" in `{', '.join(named)}`" if named else ""
        msg = f"There is no {what} `{plain(name)}`{where}; {advice}"
        raise click.UsageError(msg)


def load_versions(text: str) -> dict[str, str]:
    """Versions by the names of their data sets, as `--load-versions NAME:VERSION,…` gives them.

    Raises:
        click.UsageError: it is written otherwise.
    """
    versions = [one.strip().partition(":") for one in text.split(",") if one.strip()]
    for name, _, version in versions:
        if not name or not version or version != Path(version).name or version in (".", ".."):
            msg = (
                f"`{plain(name)}:{plain(version)}` names no version of a data set; "
                "it is NAME:VERSION, such as videos:2026-01-31T12.00.00.000Z, with commas between several."
            )
            raise click.UsageError(msg)
    return {name: version for name, _, version in versions}


def _check_runner(runner: str | None, parameters: Mapping[str, Any]) -> None:
    """The project's own reuses what is finished; Kedro's others can be asked for, but for the one of several processes."""
    import kedro.runner
    from kedro.utils import load_obj

    own = "Leave --runner out: the project's own runner passes over what is finished."
    if runner and "." not in runner and not hasattr(kedro.runner, runner):
        msg = f"There is no runner `{plain(runner)}`; there are SequentialRunner and ThreadRunner. {own}"
        raise click.UsageError(msg)
    try:
        kind = load_obj(runner or OWN_RUNNER, "kedro.runner")
    except (ImportError, AttributeError, ValueError) as error:
        msg = f"There is no runner `{plain(str(runner))}` ({plain(str(error))}). {own}"
        raise click.UsageError(msg) from error
    if not isinstance(kind, type) or not issubclass(kind, kedro.runner.AbstractRunner):
        msg = f"`{plain(str(runner))}` is no runner of Kedro's kind. {own}"
        raise click.UsageError(msg)
    if issubclass(kind, kedro.runner.ParallelRunner):
        name = kind.__name__
        msg = f"{name} cannot run these pipelines, since steps share a tracking run and stores of items. {own}"
        raise click.UsageError(msg)
    try:
        kind(**parameters)
    except (TypeError, ValueError) as error:
        msg = f"{kind.__name__} does not take these --runner-params ({plain(str(error))}); leave them out."
        raise click.UsageError(msg) from error
