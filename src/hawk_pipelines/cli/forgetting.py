"""`hawk annotate --forget`: kept replies that are no answers are dropped, so that the next run asks for them again."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from hawk_pipelines.language.reply_outcome import Outcome


def forget(path: Path, reasons: Sequence[str], as_json: bool) -> None:
    """Drop the replies of a store that are of no use by these reasons; without any, say how many there are.

    Args:
        path: of the store.
        reasons: as they were typed.
        as_json: whether one JSON object is printed.

    Raises:
        click.UsageError: a reason is unknown; nothing is dropped.
        ReplyStoreError: the store cannot be read or written.
    """
    from hawk_pipelines.language.reply_outcome import WITHOUT_ANSWER
    from hawk_pipelines.language.reply_store import ReplyStore

    if not path.exists():
        msg = f"There are no kept replies: {path} is not there. Nothing was dropped."
        raise click.ClickException(msg)
    names = {name: name for name in WITHOUT_ANSWER} | {name.replace("-", ""): name for name in WITHOUT_ANSWER}
    store = ReplyStore(path)
    try:
        typed = {reason: names.get("".join(reason.lower().replace("_", "-").split())) for reason in reasons}
        unknown = [reason for reason, name in typed.items() if name is None]
        if unknown or not reasons:
            kept = {name: store.outcomes()[name] for name in WITHOUT_ANSWER}
            _list(path, kept, unknown, as_json)
            return
        dropped = store.forget([name for name in WITHOUT_ANSWER if name in typed.values()])
    finally:
        store.close()
    if as_json:
        click.echo(json.dumps({"dropped": dropped}, indent=2))
        return
    counts = ", ".join(f"{count:,} {name}" for name, count in dropped.items())
    click.echo(f"{dropped.total():,} kept replies were dropped from {path} ({counts}).")
    if dropped.total():
        click.echo("The next run asks for them again: kedro run --pipelines=annotate")


def _list(path: Path, kept: "dict[Outcome, int]", unknown: Sequence[str], as_json: bool) -> None:
    """The reasons by which replies can be dropped, and how many there are of each; an error where one was not known."""
    from hawk_pipelines.language.reply_outcome import WITHOUT_ANSWER

    if unknown:
        there = ", ".join(f"{name} ({count:,})" for name, count in kept.items())
        msg = f"`{unknown[0]}` is no reason to drop a reply; there are {there}. Nothing was dropped."
        raise click.UsageError(msg)
    if as_json:
        click.echo(json.dumps({"kept": kept}, indent=2))
        return
    click.echo(f"Replies in {path} that are no answers, by REASON:")
    for name, count in kept.items():
        click.echo(f"  {name:<10} {count:>6,}  {WITHOUT_ANSWER[name]}")
    click.echo("To have some asked for again: hawk annotate --forget REASON …")
