from functools import partial

import numpy as np
import pytest

from hawk_pipelines.engine.run import Item, Product, Step, run_items
from hawk_pipelines.engine.store import ItemStore
from hawk_pipelines.errors import HawkError


def square(number, power=2):
    if number == 13:
        msg = "13 is refused; take another number."
        raise HawkError(msg)
    if number == 99:
        msg = "a fault of ours"
        raise ZeroDivisionError(msg)
    return Product({"value": np.array([number**power])}, {"power": power})


def _step(power=2, version=1):
    return Step("square", partial(square, power=power), version, {"power": power})


def _items(*numbers):
    return [Item(f"n{number}", number, number) for number in numbers]


@pytest.mark.parametrize("workers", [0, 2])
def test_each_result_belongs_to_its_item_and_refusals_stop_nothing(tmp_path, workers):
    store = ItemStore(tmp_path)
    keys, rejections = run_items(_step(), _items(3, 13, 5, 7), store, workers)
    assert {item: int(store.read(key)["value"][0]) for item, key in keys.items()} == {"n3": 9, "n5": 25, "n7": 49}
    assert store.facts(keys["n3"]) == {"power": 2}
    assert [(r.item, r.step, r.reason) for r in rejections] == [("n13", "square", "13 is refused; take another number.")]


def test_only_what_is_missing_is_made(tmp_path, caplog):
    store = ItemStore(tmp_path)
    caplog.set_level("INFO")
    run_items(_step(), _items(1, 2), store, 0)
    run_items(_step(), _items(1, 2, 3), store, 0)
    assert "square: 1 done, 2 reused, 0 rejected." in caplog.text


def test_other_parameters_another_version_or_other_content_is_another_item(tmp_path):
    store = ItemStore(tmp_path)
    runs = [
        (_step(), _items(2)),
        (_step(power=3), _items(2)),
        (_step(version=2), _items(2)),
        (_step(), [Item("n2", "new content", 2)]),
    ]
    assert len({run_items(step, items, store, 0).keys["n2"] for step, items in runs}) == 4


def test_an_error_of_ours_stops_the_run_and_keeps_what_is_done(tmp_path):
    store = ItemStore(tmp_path)
    with pytest.raises(ZeroDivisionError):
        run_items(_step(), _items(1, 99), store, 0)
    assert len(list(tmp_path.rglob("*.safetensors"))) == 1


def test_a_damaged_file_is_no_item_and_is_made_again(tmp_path):
    store = ItemStore(tmp_path)
    key = run_items(_step(), _items(4), store, 0).keys["n4"]
    (file,) = tmp_path.rglob("*.safetensors")
    whole = file.read_bytes()
    file.write_bytes(whole[:-1])
    assert key not in store
    with pytest.raises(HawkError, match="run the pipeline"):
        store.read(key)
    assert run_items(_step(), _items(4), store, 0).keys["n4"] == key
    assert file.read_bytes() == whole
