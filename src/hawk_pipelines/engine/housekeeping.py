"""What lies in item stores, and removing what nothing refers to any more."""

from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

from hawk_pipelines.engine.store import ItemStore


class Contents(NamedTuple):
    """What one store holds. An item is in use when the last finished run of its step asked for it."""

    items: int
    in_use: int
    loose: int
    """Finished items of a run that has not ended."""
    failed: int
    """Rows of the ledger."""
    size: int
    """Bytes of all files."""


class Removed(NamedTuple):
    """What was taken out of one store."""

    items: int
    failures: int
    size: int
    """Bytes."""


def find_stores(root: Path) -> list[ItemStore]:
    """Every item store at or below a folder."""
    folders = [root, *(path for path in root.rglob("*") if path.is_dir())]
    return [
        ItemStore(folder) for folder in sorted(folders) if (folder / "index.parquet").is_file() or (folder / "loose").is_dir()
    ]


def contents(store: ItemStore) -> Contents:
    """Count what is there."""
    entries = store.index.values()
    return Contents(
        len(entries), sum(e.in_use for e in entries), len(store.loose_keys()), len(store.failures()), _size(store.root)
    )


def unused(store: ItemStore) -> Collection[str]:
    """Keys of packed items and of failures that the last finished run did not ask for."""
    failed = {key for key, row in store.failures().items() if not row.in_use}
    return {key for key, entry in store.index.items() if not entry.in_use} | failed


def collect(store: ItemStore) -> Removed:
    """Forget what is not in use, and give its room back. Loose items of an unfinished run are kept."""
    before, dropped, shards = _size(store.root), unused(store), store.shards()
    failures = len(dropped & store.failures().keys())
    store.pack(shards, drop=dropped)
    return Removed(len(dropped) - failures, failures, before - _size(store.root))


def _size(root: Path) -> int:
    return sum(path.stat().st_size for path in root.rglob("*") if path.is_file())
