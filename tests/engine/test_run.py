import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from hawk_pipelines.engine.run import EngineError, EngineParameters, Item, Step, run_items
from hawk_pipelines.engine.store import ItemStore
from hawk_pipelines.machine_faults import MachineFault
from tests.engine.steps import forbidden, misbehave, slow, square, without_room

HERE = EngineParameters(workers=0)
TWO = EngineParameters(workers=2)


def _step(power=2, version=1):
    return Step("square", partial(square, power=power), version, {"power": power})


def _items(*numbers):
    return [Item(f"n{number}", number, number) for number in numbers]


def files(root):
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


@pytest.mark.parametrize("engine", [HERE, TWO])
def test_each_result_belongs_to_its_item_and_refusals_stop_nothing(tmp_path, engine):
    store = ItemStore(tmp_path)
    keys, rejections = run_items(_step(), _items(3, 13, 5, 7), store, engine)
    assert {item: int(store.read(key)["value"][0]) for item, key in keys.items()} == {"n3": 9, "n5": 25, "n7": 49}
    assert store.facts(keys["n3"]) == {"power": 2}
    assert [(r.item, r.step, r.reason) for r in rejections] == [("n13", "square", "13 is refused; take another number.")]


def test_only_what_is_missing_or_changed_is_made(tmp_path, caplog):
    store = ItemStore(tmp_path)
    caplog.set_level("INFO")
    run_items(_step(), _items(1, 2), store, HERE)
    run_items(_step(), [*_items(1, 3), Item("n2", "new content", 2)], ItemStore(tmp_path), HERE)
    assert "square: 2 done, 1 reused, 0 rejected." in caplog.text


def test_other_parameters_another_version_or_other_content_is_another_item(tmp_path):
    store = ItemStore(tmp_path)
    runs = [
        (_step(), _items(2)),
        (_step(power=3), _items(2)),
        (_step(version=2), _items(2)),
        (_step(), [Item("n2", "new content", 2)]),
    ]
    assert len({run_items(step, items, store, HERE).keys["n2"] for step, items in runs}) == 4


def test_an_error_of_ours_costs_one_item_and_says_where_it_happened(tmp_path):
    keys, rejections = run_items(_step(), _items(1, 99), ItemStore(tmp_path), TWO)
    assert set(keys) == {"n1"}
    assert "ZeroDivisionError" in rejections[0].reason
    assert "tests.engine.steps:" in rejections[0].reason


def test_a_step_that_fails_on_everything_stops_the_run(tmp_path):
    for _ in range(2):  # also when all of it is remembered
        with pytest.raises(EngineError, match=r"could do none of 1 items.*a fault of ours"):
            run_items(_step(), _items(99), ItemStore(tmp_path), HERE)


@pytest.mark.parametrize(
    ("what", "says"),
    [
        ("segfault", "crashed on it (SIGSEGV)"),
        ("killed", "crashed on it (SIGKILL)"),
        ("exit", "crashed on it (exit status 3)"),
        ("hang", "took longer than `engine.item_timeout_s` = 2"),
        ("memory", "needs more memory than `engine.item_memory_mb`"),
    ],
)
def test_a_worker_that_crashes_hangs_or_eats_memory_costs_one_item(tmp_path, what, says):
    engine = EngineParameters(workers=2, item_timeout_s=2 if what == "hang" else 60, item_memory_mb=256)
    items = [Item(f"{name} {number}", [name, number], name) for number, name in enumerate(["fine", what, "fine", "fine", "fine"])]
    keys, rejections = run_items(Step("misbehave", misbehave, 1, {}), items, ItemStore(tmp_path), engine)
    assert len(keys) == 4
    (rejection,) = rejections
    assert rejection.item == f"{what} 1"
    assert says in rejection.reason


def test_the_ledger_is_passed_over_until_it_is_asked_for_and_then_tried_alone(tmp_path, caplog):
    caplog.set_level("INFO")
    run_items(_step(), _items(1, 13, 99), ItemStore(tmp_path), HERE)
    assert run_items(_step(), _items(1, 13, 99), ItemStore(tmp_path), HERE).rejections[0].reason.startswith("13 is refused")
    assert [row.attempts for row in ItemStore(tmp_path).failures().values()] == [1, 1]
    retry = EngineParameters(workers=0, retry_failed=True)
    keys, _ = run_items(_step(), _items(1, 2, 13, 99), ItemStore(tmp_path), retry)
    assert set(keys) == {"n1"}
    assert "1 not tried" in caplog.text
    rows = ItemStore(tmp_path).failures().values()
    assert {(row.item, row.step, row.attempts) for row in rows} == {("n13", "square", 2), ("n99", "square", 2)}


def test_what_is_mended_leaves_the_ledger(tmp_path, monkeypatch):
    step = Step("square", partial(square, power=2), 1, {})
    run_items(step, _items(1, 13), ItemStore(tmp_path), HERE)
    mended = Step("square", partial(_mended), 1, {})
    keys, rejections = run_items(mended, _items(1, 13), ItemStore(tmp_path), EngineParameters(workers=0, retry_failed=True))
    assert set(keys) == {"n1", "n13"}
    assert not rejections
    assert not ItemStore(tmp_path).failures()
    assert not (tmp_path / "ledger.jsonl").exists()


def _mended(number):
    return square(number + 100)


def test_a_result_that_is_not_the_one_asked_for_is_no_result(tmp_path):
    def muddled(function, arguments, limits, title):
        for position in range(len(arguments)):
            yield position, function(arguments[0])

    _, rejections = run_items(_step(), _items(4, 5), ItemStore(tmp_path), HERE, spread=muddled)
    assert "was asked for" in rejections[0].reason
    assert rejections[0].item == "n5"


def test_shards_are_a_power_of_two():
    with pytest.raises(ValueError, match="power of two"):
        EngineParameters(shards=12)


KILLED = """
import sys
from tests.engine.test_run import run_slow
if __name__ == "__main__":
    run_slow(sys.argv[1], 120)
"""


def run_slow(root, count):
    engine = EngineParameters(workers=2, shards=8)
    return run_items(Step("slow", slow, 1, {}), _items(*range(count)), ItemStore(root), engine)


def test_a_run_that_is_killed_and_run_again_ends_as_if_nothing_had_happened(tmp_path):
    run_slow(tmp_path / "undisturbed", 120)
    run_slow(tmp_path / "grown", 60)
    run_slow(tmp_path / "grown", 120)
    for wait in (0.5, 0.9, 1.6):
        run = subprocess.Popen([sys.executable, "-c", KILLED, str(tmp_path / "killed")], cwd=Path(__file__).parents[2])
        time.sleep(wait)
        run.kill()
        run.wait()
    run_slow(tmp_path / "killed", 120)
    undisturbed = files(tmp_path / "undisturbed")
    assert files(tmp_path / "grown") == undisturbed
    assert files(tmp_path / "killed") == undisturbed
    store = ItemStore(tmp_path / "killed")
    assert len(store.index) == 106
    assert len(store.failures()) == 14


@pytest.mark.parametrize("engine", [HERE, TWO])
def test_a_full_disk_ends_the_step_and_is_kept_of_no_item(tmp_path, engine):
    store = ItemStore(tmp_path)
    with pytest.raises(MachineFault, match="could not be written: the disk has no room for it"):
        run_items(Step("square", without_room, 1, {"power": 2}), _items(1, 13, 3), store, engine)
    assert store.failures() == {}
    assert not list(tmp_path.rglob("*.part"))
    assert set(run_items(_step(), _items(1, 13, 3), ItemStore(tmp_path), engine).keys) == {"n1", "n3"}  # 13 is refused by itself


def test_an_input_that_may_not_be_read_is_a_fault_of_its_item(tmp_path):
    done = run_items(Step("square", forbidden, 1, {}), _items(1, 13), ItemStore(tmp_path), HERE)
    assert set(done.keys) == {"n1"}
    assert "An unexpected PermissionError at tests.engine.steps" in done.rejections[0].reason
