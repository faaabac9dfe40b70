"""`hawk store ls` and `hawk store gc`."""

from pathlib import Path

import click

from hawk_pipelines.cli.options import one_sentence, say
from hawk_pipelines.cli.workspace import ENV, data_root, env_option


def _at(context: click.Context, _: click.Parameter, folder: Path | None) -> Path:
    if folder is not None:
        return folder
    with one_sentence():
        found = data_root(context.meta.get(ENV))
    if not found.is_dir():
        msg = f"There is no folder {found}; name the one with the stores, or go to the project's root."
        raise click.UsageError(msg, context)
    return found


_folder = click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path), required=False, callback=_at)


@click.group()
def store() -> None:
    """See and clean up the stores of finished items."""


@store.command()
@env_option
@_folder
def ls(folder: Path) -> None:
    """List the item stores at or below FOLDER (default: the data)."""
    from rich.table import Table

    from hawk_pipelines.engine.housekeeping import contents, find_stores
    from hawk_pipelines.terminal import Terminal

    table = Table(box=None, pad_edge=False)
    for title in ("store", "items", "in use", "unfinished", "failed", "size"):
        table.add_column(title, justify="left" if title == "store" else "right", overflow="fold")
    for one in find_stores(folder):
        there = contents(one)
        counts = (there.items, there.in_use, there.loose, there.failed)
        table.add_row(str(one.root), *map(str, counts), _readable(there.size))
    Terminal().print(table if table.row_count else f"There is no item store at or below {folder}.")


@store.command()
@env_option
@_folder
@click.option("--dry-run", is_flag=True, help="Only say what would be removed.")
def gc(folder: Path, dry_run: bool) -> None:
    """Remove items that the last finished run of their step did not ask for, at or below FOLDER (default: the data)."""
    from hawk_pipelines.engine.housekeeping import collect, find_stores, unused

    for one in find_stores(folder):
        if dry_run:
            say(f"{one.root}: {len(unused(one))} items and failures would be removed.")
        else:
            removed = collect(one)
            say(f"{one.root}: {removed.items} items and {removed.failures} failures removed, {_readable(removed.size)} freed.")


def _readable(size: int) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if abs(size) < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000  # type: ignore[assignment]
    return f"{size:.1f} TB"
