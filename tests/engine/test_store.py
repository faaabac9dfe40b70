import hashlib
import json
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from hawk_pipelines.engine.housekeeping import collect, contents, find_stores, unused
from hawk_pipelines.engine.store import DamagedStore, Failed, ItemStore
from hawk_pipelines.errors import HawkError
from tests.engine.test_run import files


def _key(number):
    return hashlib.sha256(str(number).encode()).hexdigest()[:32]


def _fill(root, numbers, shards=4, order=1):
    store = ItemStore(root)
    for number in list(numbers)[::order]:
        store.write(
            _key(number), {"value": np.full((3, 2), number, np.float16), "mask": np.ones(2, np.uint8)}, {"number": number}
        )
    store.pack(shards, {_key(number) for number in numbers})
    return store


def _check(store, numbers):
    for number in numbers:
        arrays = store.read(_key(number))
        assert arrays["value"].tolist() == [[number, number]] * 3
        assert arrays["mask"].dtype == np.uint8
        assert store.facts(_key(number)) == {"number": number}


def test_items_are_read_before_and_after_packing(tmp_path):
    store = ItemStore(tmp_path)
    store.write(_key(1), {"value": np.ones(2)}, {"a": [1, "ü"]})
    assert store.read(_key(1))["value"].tolist() == [1, 1]
    assert store.facts(_key(1)) == {"a": [1, "ü"]}
    store.pack(4)
    assert store.read(_key(1))["value"].tolist() == [1, 1]
    assert ItemStore(tmp_path).facts(_key(1)) == {"a": [1, "ü"]}
    assert not list((tmp_path / "loose").iterdir())


def test_threads_may_write_the_same_item_at_once(tmp_path):
    """As they do where two items have the same content."""
    store, arrays = ItemStore(tmp_path), {"value": np.ones(2**16)}
    with ThreadPoolExecutor(8) as pool:
        for written in [pool.submit(store.write, _key(1), arrays) for _ in range(200)]:
            written.result()
    assert store.read(_key(1))["value"].sum() == 2**16
    assert [path.name for path in (tmp_path / "loose").iterdir()] == [f"{_key(1)}.safetensors"]


def test_facts_alone_need_no_shard(tmp_path):
    store = ItemStore(tmp_path)
    store.write(_key(1), {}, {"a": 1})
    store.pack(4)
    assert ItemStore(tmp_path).read(_key(1)) == {}
    assert ItemStore(tmp_path).facts(_key(1)) == {"a": 1}
    assert not (tmp_path / "shards").exists()


def test_the_same_items_give_the_same_bytes_by_whatever_history(tmp_path):
    _fill(tmp_path / "once", range(40))
    _fill(tmp_path / "backwards", range(40), order=-1)
    for part in (range(7), range(7, 30), range(30, 40)):
        _fill(tmp_path / "grown", part)
    ItemStore(tmp_path / "grown").pack(4, {_key(number) for number in range(40)})
    assert files(tmp_path / "once") == files(tmp_path / "backwards") == files(tmp_path / "grown")
    _check(ItemStore(tmp_path / "grown"), range(40))


def test_a_new_item_rewrites_its_own_shard_only(tmp_path):
    _fill(tmp_path, range(40))
    before = {path.name: path.stat().st_ino for path in (tmp_path / "shards").iterdir()}
    _fill(tmp_path, [40])
    after = {path.name: path.stat().st_ino for path in (tmp_path / "shards").iterdir()}
    assert len(before.items() & after.items()) == len(before) - 1
    _check(ItemStore(tmp_path), range(41))


def test_another_number_of_shards_puts_everything_elsewhere(tmp_path):
    _fill(tmp_path, range(40), shards=4)
    ItemStore(tmp_path).pack(16)
    _fill(tmp_path / "other", range(40), shards=16)
    assert len(list((tmp_path / "shards").iterdir())) == 16
    assert files(tmp_path / "shards") == files(tmp_path / "other" / "shards")


@pytest.mark.parametrize("packed", [False, True])
def test_a_damaged_file_is_no_item_and_is_made_again(tmp_path, packed):
    store = ItemStore(tmp_path)
    store.write(_key(4), {"value": np.ones(2)})
    if packed:
        store.pack(4)
    (file,) = tmp_path.rglob("*.safetensors")
    file.write_bytes(file.read_bytes()[:-1])
    assert _key(4) not in ItemStore(tmp_path)
    with pytest.raises(HawkError, match="run the pipeline"):
        ItemStore(tmp_path).read(_key(4))
    store.write(_key(4), {"value": np.ones(2)})
    store.pack(4)
    assert ItemStore(tmp_path).read(_key(4))["value"].tolist() == [1, 1]


def test_a_damaged_index_is_named_and_nothing_is_lost(tmp_path):
    _fill(tmp_path, range(3))
    index = tmp_path / "index.parquet"
    index.write_bytes(index.read_bytes()[:-20])
    before = files(tmp_path)
    with pytest.raises(HawkError, match=r"index\.parquet is damaged"):
        ItemStore(tmp_path).pack(4)
    assert files(tmp_path) == before


def test_a_damaged_ledger_is_named_and_can_be_removed(tmp_path):
    store = ItemStore(tmp_path)
    store.fail(Failed("0" * 32, "step", "item", "It is broken.", refused=True, attempts=1))
    store.pack()
    ledger = tmp_path / "ledger.jsonl"
    ledger.write_text(ledger.read_text()[:20])
    with pytest.raises(DamagedStore, match=r"ledger\.jsonl is damaged .* remove it"):
        store.failures()
    ledger.unlink()
    assert store.failures() == {}


def test_an_open_store_follows_when_another_process_packs(tmp_path):
    reader = _fill(tmp_path, range(10))
    reader.read(_key(3))
    ItemStore(tmp_path).write(_key(10), {"value": np.ones(2)})
    assert reader.read(_key(10))["value"].tolist() == [1, 1]
    _fill(tmp_path, range(11, 60))
    reader._shards.clear()
    _check(reader, range(10))


def test_what_a_dead_process_left_is_swept_and_what_a_live_one_writes_is_kept(tmp_path):
    dead = subprocess.Popen(["true"])
    dead.wait()
    store = _fill(tmp_path, range(3))
    left, written = (tmp_path / "loose" / f"{_key(9)}.safetensors.{process}.part" for process in (dead.pid, os.getpid()))
    left.write_bytes(b"half")
    written.write_bytes(b"half")
    (tmp_path / "shards" / "4-0-0000000000000000.safetensors").write_bytes(b"orphan")
    store.pack(4)
    assert not left.exists()
    assert written.exists()
    assert not list((tmp_path / "shards").glob("*-0000000000000000.safetensors"))
    _check(ItemStore(tmp_path), range(3))


def test_the_ledger_survives_and_is_sorted(tmp_path):
    store = ItemStore(tmp_path)
    for number in (2, 1):
        store.fail(Failed(_key(number), "step", f"n{number}", "It broke.", True, 1))
    store.pack(4)
    rows = [json.loads(line) for line in (tmp_path / "ledger.jsonl").read_text().splitlines()]
    assert [row["key"] for row in rows] == sorted([_key(1), _key(2)])
    assert rows[0] | {"key": "", "item": ""} == {
        "key": "", "step": "step", "item": "", "error": "It broke.", "refused": True, "attempts": 1, "in_use": True
    }  # fmt: skip


def test_what_the_last_run_did_not_ask_for_is_collected(tmp_path):
    store = _fill(tmp_path / "a", range(40))
    store.fail(Failed(_key(50), "step", "old", "It broke.", True, 1))
    store.pack(4)
    store.pack(4, {_key(number) for number in range(10)})
    (found,) = find_stores(tmp_path)
    assert contents(found)[:4] == (40, 10, 0, 1)
    assert len(unused(found)) == 31
    removed = collect(found)
    assert (removed.items, removed.failures) == (30, 1)
    assert removed.size > 0
    fresh = _fill(tmp_path / "b", range(10))
    assert files(tmp_path / "a") == files(tmp_path / "b")
    _check(fresh, range(10))
