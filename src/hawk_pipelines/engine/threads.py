"""One function over many arguments in threads of this process, which share what no other process can have: a network on a GPU."""

from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import islice
from typing import TypeVar

from hawk_pipelines.engine.processes import WAITING, Failure, Limits, called, unless_of_machine
from hawk_pipelines.engine.progress import progress

A = TypeVar("A")
R = TypeVar("R")


def spread_threads(
    function: Callable[[A], R], arguments: Sequence[A], limits: Limits, title: str
) -> Iterator[tuple[int, R | Failure]]:
    """Yield (position of the argument, result or failure), in the order in which they get ready.

    Args:
        function: several threads call it at once.
        arguments: what to call it with.
        limits: how many threads; nothing limits time and memory.
        title: what the progress bar says.

    Raises:
        MachineFault: a call failed because of the machine.
    """
    calls = _in_threads(function, arguments, max(1, limits.workers))
    yield from progress(unless_of_machine(calls), title, len(arguments))


def _in_threads(
    function: Callable[[A], R], arguments: Sequence[A], threads: int
) -> Generator[tuple[int, R | Failure], None, None]:
    upcoming = iter(enumerate(arguments))
    running: dict[Future[R | Failure], int] = {}
    pool = ThreadPoolExecutor(threads)
    try:
        while True:
            for position, argument in islice(upcoming, WAITING * threads - len(running)):
                running[pool.submit(called, function, argument)] = position
            if not running:
                return
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                yield running.pop(future), future.result()
    finally:
        pool.shutdown(cancel_futures=True)
