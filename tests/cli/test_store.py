import numpy as np
import pytest
from click.testing import CliRunner

from hawk_pipelines.cli import main
from hawk_pipelines.engine.store import ItemStore


@pytest.fixture
def store(tmp_path):
    """A store of ten items of which three are in use."""
    store = ItemStore(tmp_path / "data" / "items")
    keys = [f"{number:x}" * 32 for number in range(10)]
    for key in keys:
        store.write(key, {"value": np.ones(1000)})
    store.pack(4, set(keys[:3]))
    return store


def _hawk(*arguments):
    done = CliRunner().invoke(main, ["store", *map(str, arguments)], catch_exceptions=False, env={"COLUMNS": "200"})
    assert done.exit_code == 0
    return done.output


def test_ls_counts_what_is_there(store):
    told = _hawk("ls", store.root.parent)
    assert told.split("\n")[1].split()[1:5] == ["10", "3", "0", "0"]


def test_gc_removes_what_is_not_in_use_once_asked_in_earnest(store):
    assert "7 items and failures would be removed" in _hawk("gc", "--dry-run", store.root.parent)
    assert len(ItemStore(store.root).index) == 10
    assert "7 items and 0 failures removed" in _hawk("gc", store.root.parent)
    assert len(ItemStore(store.root).index) == 3
    assert "0 items and 0 failures removed" in _hawk("gc", store.root.parent)


def test_no_store(tmp_path):
    assert "There is no item store" in _hawk("ls", tmp_path)
