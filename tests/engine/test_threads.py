import threading

import pytest

from hawk_pipelines.engine.processes import Failure, Limits
from hawk_pipelines.engine.run import EngineParameters, Item, Step, run_items
from hawk_pipelines.engine.store import ItemStore
from hawk_pipelines.engine.threads import spread_threads
from tests.engine.steps import square
from tests.engine.test_run import files


def test_threads_work_at_once_and_results_belong_to_their_arguments():
    together = threading.Barrier(3, timeout=20)  # passed only by three at once

    def function(number):
        together.wait()
        return -number

    assert dict(spread_threads(function, range(6), Limits(3), "")) == {number: -number for number in range(6)}


def test_a_failure_stops_nothing():
    results = dict(spread_threads(square, [2, 13, 99, 3], Limits(2), ""))
    assert [results[place][0]["value"].tolist() for place in (0, 3)] == [[4], [9]]
    refused, ours = results[1], results[2]
    assert refused == Failure("13 is refused; take another number.", refused=True)
    assert "ZeroDivisionError" in ours.reason
    assert not ours.refused


def test_nothing_more_is_begun_when_nobody_listens_any_more():
    begun, gate = [], threading.Event()

    def function(number):
        begun.append(number)
        if number:
            gate.wait(20)

    results = spread_threads(function, range(100), Limits(2), "")
    next(results)
    threading.Timer(0.2, gate.set).start()
    results.close()  # waits for those that have begun
    assert set(begun) <= {0, 1, 2}


@pytest.mark.parametrize("threads", [1, 4])
def test_items_are_made_in_threads_as_in_processes(tmp_path, threads):
    items = [Item(f"n{number}", number, number) for number in (*range(12), 13)]
    step = Step("square", square, 1, {})
    run_items(step, items, ItemStore(tmp_path / "threads"), EngineParameters(workers=threads), spread_threads)
    run_items(step, items, ItemStore(tmp_path / "here"), EngineParameters(workers=0))
    assert files(tmp_path / "threads") == files(tmp_path / "here")
