import json
import multiprocessing
import os
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from hawk_pipelines.engine import parts
from hawk_pipelines.engine.store import DamagedStore, ItemStore, MissingItem
from tests.engine.test_store import _key

DTYPES = ("float16", "float32", "float64", "uint8", "int64", "int32", "bool")


def _arrays(number):
    rng = np.random.default_rng(number)
    return {name: rng.integers(0, 200, (3, 2 + number % 3, 5)).astype(name) for name in DTYPES}


@pytest.fixture
def store(tmp_path):
    """Thirty packed items of several shapes and kinds."""
    store = ItemStore(tmp_path / "store")
    for number in range(30):
        store.write(_key(number), _arrays(number), {"number": number})
    store.pack(4)
    return store


def _same(store, number, part):
    read, whole = store.read_part(_key(number), part), store.read(_key(number))
    return read.keys() == whole.keys() and all(
        read[name].dtype == whole[name].dtype and np.array_equal(read[name], whole[name][part]) for name in whole
    )


def _open_shards(root):
    links = [link for link in Path("/proc/self/fd").iterdir() if link.exists()]
    return [one for one in map(Path.readlink, links) if one.is_relative_to(root)]


def test_parts_are_those_of_the_whole_packed_and_loose(store):
    store.write(_key(30), _arrays(30))
    assert all(_same(store, number, part) for number in range(31) for part in range(3))
    assert store.read_part(_key(3), 1)["float16"].flags.writeable  # torch takes no other kind without a warning


def test_arrays_of_one_axis_and_items_of_facts_alone(tmp_path):
    store = ItemStore(tmp_path)
    store.write(_key(0), {"value": np.array([3.0, 4.0])})
    store.write(_key(1), {}, {"a": 1})
    for _ in range(2):
        assert store.read_part(_key(0), 1)["value"].tolist() == 4.0
        assert store.read_part(_key(1), 0) == {}
        store.pack(4)


@pytest.mark.parametrize("packed", [False, True])
def test_a_part_that_is_not_there_is_said(tmp_path, packed):
    store = ItemStore(tmp_path)
    store.write(_key(0), {"value": np.ones((2, 3))})
    if packed:
        store.pack(4)
    for part in (2, -1):
        with pytest.raises(MissingItem, match=rf"shape \[2, 3\], and so no part {part}; run the pipeline"):
            store.read_part(_key(0), part)
    with pytest.raises(MissingItem, match="holds no whole item"):
        store.read_part(_key(1), 0)


def test_few_files_are_open_and_all_are_closed(store, monkeypatch):
    monkeypatch.setattr(parts, "OPEN_FILES", 2)
    reader = ItemStore(store.root)
    for number in range(30):
        reader.read_part(_key(number), 0)
        assert len(_open_shards(store.root)) <= 2
    assert len(_open_shards(store.root)) == 2
    del reader
    assert not _open_shards(store.root)


def test_many_threads_read_from_few_files(store, monkeypatch):
    monkeypatch.setattr(parts, "OPEN_FILES", 1)
    reader = ItemStore(store.root)
    work = [(number, part) for number in range(30) for part in range(3)] * 5
    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(lambda one: _same(reader, *one), work))


def test_it_goes_on_after_a_fork_and_after_pickling(store):
    assert _same(store, 1, 0)
    assert _same(pickle.loads(pickle.dumps(store)), 2, 1)  # noqa: S301 (our own)
    with multiprocessing.get_context("fork").Pool(2) as pool:
        assert all(pool.starmap(_same, [(store, number, 2) for number in range(30)]))
    child = os.fork()
    if not child:
        os._exit(0 if all(_same(store, number, 1) for number in range(30)) else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert _same(store, 1, 1)


def test_a_shard_that_shrinks_or_goes_while_it_is_read_is_named(store):
    entry = store.index[_key(1)]
    shard = store.root / "shards" / entry.shard
    reading = {content: ItemStore(store.root) for content in (shard.read_bytes()[:2000], b"\xff" * 9, b"\2" + b"\0" * 7 + b"[]")}
    assert all(reader.index for reader in reading.values())
    for (content, reader), says in zip(
        reading.items(), ("has 2000 bytes, but", "does not begin as", "makes no sense"), strict=True
    ):
        shard.write_bytes(content)
        with pytest.raises(DamagedStore, match=rf"{shard}.*{says}.*; run the pipeline that makes item {_key(1)}"):
            reader.read_part(_key(1), 2)
    assert _key(1) not in ItemStore(store.root)  # so it is made again
    shard.unlink()
    with pytest.raises(MissingItem, match="holds no whole item"):
        reader.read_part(_key(1), 0)


def test_it_follows_when_another_process_packs(store):
    assert _same(store, 1, 0)
    other = ItemStore(store.root)
    other.write(_key(31), _arrays(31))
    other.pack(16)
    assert all(_same(store, number, 2) for number in (*range(30), 31))


READ = """
import sys
from pathlib import Path
from hawk_pipelines.engine.store import ItemStore

def memory():
    (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmRSS")]
    return int(line.split()[1])

store = ItemStore(sys.argv[1])
keys = list(store.index)
for method in (lambda key: store.read_part(key, 0), store.read):
    method(keys[0])
    before = memory()
    for key in keys:
        method(key)["value"].sum()
    print(memory() - before)
"""


def test_memory_does_not_grow_with_what_is_read(tmp_path):
    store = ItemStore(tmp_path)
    for number in range(64):
        store.write(_key(number), {"value": np.ones((2, 2**19), np.uint8)})
    store.pack(4)
    told = subprocess.run([sys.executable, "-c", READ, str(tmp_path)], capture_output=True, text=True, check=True).stdout
    parts_kb, mapped_kb = json.loads(f"[{','.join(told.split())}]")
    assert parts_kb < 8_000
    assert mapped_kb > 40_000  # otherwise this test tells nothing
