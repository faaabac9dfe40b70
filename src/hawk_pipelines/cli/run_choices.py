"""What `kedro run` is asked to run, checked before anything starts: pipelines, nodes, data, tags, and the runner."""

import difflib
from collections.abc import Collection, Iterable, Mapping
from typing import Any

import click
from kedro.pipeline import Pipeline

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
    nodes, where = chosen.nodes, f" in `{', '.join(named)}`" if named else ""
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
    ):
        _check(what, options.get(option) or (), known, where)
    _check_runner(options.get("runner"))


def _check(what: str, wanted: Iterable[str], known: Collection[str], where: str = "") -> None:
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
            advice = f"there are {len(there)}; `kedro registry describe` lists them."
        msg = f"There is no {what} `{name}`{where}; {advice}"
        raise click.UsageError(msg)


def _check_runner(runner: str | None) -> None:
    """The project's own reuses what is finished; Kedro's others can be asked for, but for the one of several processes."""
    import kedro.runner

    own = "Leave --runner out: the project's own runner passes over what is finished."
    if not runner or "." in runner:
        return
    if runner == "ParallelRunner":
        msg = f"ParallelRunner cannot run these pipelines, since steps share a tracking run and stores of items. {own}"
        raise click.UsageError(msg)
    if not hasattr(kedro.runner, runner):
        msg = f"There is no runner `{runner}`; there are SequentialRunner and ThreadRunner. {own}"
        raise click.UsageError(msg)
