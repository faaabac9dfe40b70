"""The item store: what was made of every item, known by a hash of what went into it.

::

    <root>/loose/<key>.safetensors   a finished item, while a step runs
    <root>/loose/<key>.json          a failure, while a step runs
    <root>/shards/<bucket>-<hash>.safetensors
    <root>/index.parquet             every packed item: key, shard, facts, size, whether the last run asked for it
    <root>/ledger.jsonl              every failure: key, step, item, error, attempts

Everything is written beside its place and then renamed, so what is there is whole. A shard holds the items whose keys begin
with the same bits and is named by its content; the index is switched after the shards. Whatever was interrupted when, the same
items give the same bytes in the end.
"""

import fcntl
import hashlib
import json
import os
import threading
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from hawk_pipelines.engine.alive import alive
from hawk_pipelines.engine.parts import PartReader, UnreadablePart, read_part
from hawk_pipelines.engine.whole_files import whole_file
from hawk_pipelines.errors import HawkError

DEFAULT_SHARDS = 64
BATCH = 4096
"""Rows of the index that are read at once."""


class MissingItem(HawkError):
    """An item that is not in its store."""


class DamagedStore(HawkError):
    """A store whose index, ledger or shard cannot be read."""


class Failed(NamedTuple):
    """A row of the ledger."""

    key: str
    step: str
    item: str
    error: str
    refused: bool
    """Whether the item is to blame; otherwise we are, or the limits."""
    attempts: int
    in_use: bool = True
    """Whether the last finished run asked for the item."""


class Entry(NamedTuple):
    """A row of the index."""

    shard: str
    """File name; empty for an item that has facts only."""
    facts: str
    """JSON."""
    arrays: list[str]
    """Their names."""
    size: int
    """Bytes of the arrays."""
    in_use: bool
    """Whether the last finished run asked for it."""


class ItemStore:
    """A folder of items: arrays, and facts that fit in JSON. Only its path is pickled; threads may share it."""

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root)
        self._index: dict[str, Entry] | None = None
        self._shards: dict[str, safe_open] = {}
        self._parts = PartReader(self.root / "shards")

    def __reduce__(self) -> tuple:
        return ItemStore, (self.root,)

    def __contains__(self, key: str) -> bool:
        """Whether the item is there and whole; what is damaged counts as missing, so that it is made again."""
        return key in self.index or self._whole(self._loose(key))

    @property
    def index(self) -> dict[str, Entry]:
        """Every packed item whose shard is whole, by key. Read once; `pack` reads it anew."""
        index = self._index  # another thread may forget it meanwhile
        if index is None:
            index = self._index = self._read_index()
        return index

    def shards(self) -> int:
        """How many shards the packed items were put into."""
        return next((int(entry.shard.partition("-")[0]) for entry in self.index.values() if entry.shard), DEFAULT_SHARDS)

    def loose_keys(self) -> list[str]:
        """Finished items that are not packed yet, in order."""
        return sorted(path.stem for path in (self.root / "loose").glob("*.safetensors"))

    def write(self, key: str, arrays: Mapping[str, np.ndarray], facts: Mapping[str, object] | None = None) -> None:
        """Keep an item under its key."""
        kept = json.dumps(dict(facts or {}), sort_keys=True)
        _replace(self._loose(key), save({name: np.ascontiguousarray(array) for name, array in arrays.items()}, {"facts": kept}))

    def read(self, key: str) -> dict[str, np.ndarray]:
        """Arrays of an item.

        Raises:
            MissingItem: the item is not there or not whole.
        """
        entry = self._entry(key)
        if entry is None:
            with safe_open(self._loose(key), framework="numpy") as file:
                return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (a safe_open handle is no mapping)
        return {name: self._shard(entry.shard).get_tensor(f"{key}/{name}") for name in entry.arrays}

    def read_part(self, key: str, part: int) -> dict[str, np.ndarray]:
        """One slice of the leading axis of every array of an item.

        Only that is read, and nothing is mapped into memory: however many items are read, memory stays as it is.

        Args:
            key: of the item.
            part: which slice; an item with P samplings has P.

        Raises:
            MissingItem: the item is not there or not whole, or has no such part.
            DamagedStore: its shard was whole when the index was read, and no longer is.
        """
        entry = self._entry(key)
        try:
            if entry is None:
                return read_part(self._loose(key), part)
            if not entry.arrays:
                return {}
            return self._parts.read(entry.shard, {name: f"{key}/{name}" for name in entry.arrays}, part)
        except UnreadablePart as error:
            whole = entry is None or self._whole(self.root / "shards" / entry.shard)
            msg = f"{error}; run the pipeline that makes item {key} of {self.root} again."
            raise (MissingItem if whole else DamagedStore)(msg) from error

    def facts(self, key: str) -> dict[str, Any]:
        """Facts of an item.

        Raises:
            MissingItem: the item is not there or not whole.
        """
        entry = self._entry(key)
        return json.loads(entry.facts if entry else _kept(self._loose(key)))

    def fail(self, failed: Failed) -> None:
        """Write down that an item could not be made."""
        _replace(self.root / "loose" / f"{failed.key}.json", json.dumps(failed._asdict()).encode())

    def failures(self) -> dict[str, Failed]:
        """The ledger by key.

        Raises:
            DamagedStore: a row cannot be read.
        """
        rows = []
        for path in [*self.root.glob("ledger.jsonl"), *sorted((self.root / "loose").glob("*.json"))]:
            try:
                rows += [Failed(**json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]
            except (ValueError, TypeError) as error:
                msg = f"{path} is damaged ({error}); remove it, and what failed is tried again."
                raise DamagedStore(msg) from error
        return {row.key: row for row in rows if row.key not in self}

    def pack(self, shards: int = DEFAULT_SHARDS, in_use: Collection[str] | None = None, *, drop: Collection[str] = ()) -> None:
        """Move loose items into their shards, the index and the ledger.

        Only shards with new or dropped items are written.

        Args:
            shards: how many; a power of two.
            in_use: keys that the run asked for; None leaves that as it is.
            drop: keys to forget.
        """
        self.root.mkdir(parents=True, exist_ok=True)
        with self._locked():
            self._index = None
            packed, loose = dict(self.index), [key for key in self.loose_keys() if self._whole(self._loose(key))]
            kept = {key: entry for key, entry in packed.items() if key not in drop}
            touched = {_bucket(key, shards) for key in [*loose, *(packed.keys() - kept.keys())]}
            touched |= {
                _bucket(key, shards) for key, e in kept.items() if e.shard and not e.shard.startswith(f"{_bucket(key, shards)}-")
            }
            members: dict[str, list[str]] = {bucket: [] for bucket in touched}
            for key in sorted({*kept, *loose} - set(drop)):
                if (bucket := _bucket(key, shards)) in members:
                    members[bucket].append(key)
            for bucket, keys in members.items():
                kept |= self._write_shard(bucket, keys)
            failed = sorted(self.failures().items())
            ledger = {key: row for key, row in failed if key not in kept and key not in drop}
            if in_use is not None:
                kept = {key: entry._replace(in_use=key in in_use) for key, entry in kept.items()}
                ledger = {key: row._replace(in_use=key in in_use) for key, row in ledger.items()}
            self._write_ledger(ledger.values())
            self._write_index(kept)
            self._sweep(kept, ledger)
            self._forget()
            self._index = kept

    def _write_shard(self, bucket: str, keys: list[str]) -> dict[str, Entry]:
        tensors: dict[str, np.ndarray] = {}
        entries: dict[str, Entry] = {}
        for key in keys:
            arrays = self.read(key)
            tensors |= {f"{key}/{name}": array for name, array in arrays.items()}
            size = sum(array.nbytes for array in arrays.values())
            in_use = self.index[key].in_use if key in self.index else True
            entries[key] = Entry("", json.dumps(self.facts(key), sort_keys=True), sorted(arrays), size, in_use)
        if not tensors:
            return entries
        content = save(tensors)
        name = f"{bucket}-{hashlib.sha256(content).hexdigest()[:16]}.safetensors"
        _replace(self.root / "shards" / name, content)
        return {key: entry._replace(shard=name) if entry.arrays else entry for key, entry in entries.items()}

    def _write_index(self, entries: Mapping[str, Entry]) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        rows = sorted(entries.items())
        columns = {"key": [key for key, _ in rows]} | {
            name: [getattr(entry, name) for _, entry in rows] for name in Entry._fields
        }
        types = [pa.string(), pa.string(), pa.string(), pa.list_(pa.string()), pa.int64(), pa.bool_()]
        table = pa.table([pa.array(column, kind) for column, kind in zip(columns.values(), types, strict=True)], list(columns))
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink)
        _replace(self.root / "index.parquet", sink.getvalue().to_pybytes())

    def _write_ledger(self, rows: Collection[Failed]) -> None:
        if rows:
            _replace(self.root / "ledger.jsonl", "".join(json.dumps(row._asdict()) + "\n" for row in rows).encode())
        else:
            (self.root / "ledger.jsonl").unlink(missing_ok=True)

    def _sweep(self, entries: Mapping[str, Entry], ledger: Mapping[str, Failed]) -> None:
        """Remove what is packed, shards that nothing names any more, and what is half-written."""
        named = {entry.shard for entry in entries.values()}
        settled = entries.keys() | ledger.keys()
        for path in (self.root / "shards").glob("*.safetensors"):
            if path.name not in named:
                path.unlink()
        for path in (self.root / "loose").glob("*"):
            if path.suffix != ".part" and path.stem in settled:
                path.unlink()
        self.sweep_unfinished()

    def sweep_unfinished(self) -> None:
        """Remove half-written files of processes that are gone."""
        for path in self.root.rglob("*.*.part"):
            process = path.suffixes[-2].removeprefix(".")
            if process.isdigit() and not alive(int(process)):
                path.unlink(missing_ok=True)

    def _read_index(self) -> dict[str, Entry]:
        path = self.root / "index.parquet"
        if not path.is_file():
            return {}
        import pyarrow as pa
        import pyarrow.parquet as pq

        index: dict[str, Entry] = {}
        whole: dict[str, str | None] = {"": ""}
        alike: dict[tuple[str, ...], list[str]] = {}
        try:
            with pq.ParquetFile(path) as file:
                for row in (row for batch in file.iter_batches(BATCH) for row in batch.to_pylist()):
                    entry, key = Entry(**{name: row[name] for name in Entry._fields}), row["key"]
                    if entry.shard not in whole:
                        whole[entry.shard] = entry.shard if self._whole(self.root / "shards" / entry.shard) else None
                    shard, arrays = whole[entry.shard], alike.setdefault(tuple(entry.arrays), entry.arrays)
                    if shard is not None:  # what rows have in common is one object, since there may be millions
                        index[key] = entry._replace(shard=shard, arrays=arrays)
        except (pa.ArrowException, OSError) as error:
            msg = f"{path} is damaged ({error}); bring it back (`dvc checkout`), or remove {self.root} to make its items again."
            raise DamagedStore(msg) from error
        return index

    @staticmethod
    def _whole(path: Path) -> bool:
        """Whether a safetensors file is there and as long as its header says."""
        try:
            with safe_open(path, framework="numpy"):
                return True
        except (SafetensorError, OSError):
            return False

    def _loose(self, key: str) -> Path:
        return self.root / "loose" / f"{key}.safetensors"

    def _entry(self, key: str) -> Entry | None:
        """Where an item is packed; None while it is loose.

        Raises:
            MissingItem: the item is not there or not whole.
        """
        entry = self.index.get(key)
        if entry is None and self._whole(self._loose(key)):
            return None
        if entry is None or (entry.shard and not (self.root / "shards" / entry.shard).is_file()):
            self._forget()  # another process may have packed it meanwhile
            entry = self.index.get(key)
        if entry is None:
            msg = f"{self.root} holds no whole item {key}; run the pipeline that makes it again."
            raise MissingItem(msg)
        return entry

    def _forget(self) -> None:
        """Read the index, and open the shards, anew when they are wanted again."""
        self._index, self._shards = None, {}
        self._parts.forget()

    def _shard(self, name: str) -> safe_open:
        """An open shard, mapped into memory."""
        shards = self._shards  # another thread may forget them meanwhile
        if name not in shards:
            shards[name] = safe_open(self.root / "shards" / name, framework="numpy")
        return shards[name]

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """One process packs at a time."""
        folder = os.open(self.root, os.O_RDONLY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            yield
        finally:
            os.close(folder)


def _bucket(key: str, shards: int) -> str:
    """The leading bits of a key, as the beginning of a shard's name: `<how many shards>-<which>`."""
    return f"{shards}-{int(key[:8], 16) * shards >> 32:0{len(str(shards - 1))}d}"


def _kept(path: Path) -> str:
    """The facts of a loose item, JSON."""
    with safe_open(path, framework="numpy") as file:
        return file.metadata()["facts"]


def _replace(path: Path, content: bytes) -> None:
    """Write a file beside its place, then put it there."""
    with whole_file(path, f".{threading.get_native_id()}.{os.getpid()}") as unfinished:  # threads make items, too
        unfinished.write_bytes(content)
