"""A function over many arguments in several processes, with progress."""

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import TypeVar

from hawk_pipelines.engine.progress import progress

A = TypeVar("A")
R = TypeVar("R")


def parallel(function: Callable[[A], R], arguments: Sequence[A], workers: int, title: str) -> Iterator[tuple[int, R]]:
    """Yield (position of the argument, result), in the order in which they get ready.

    Args:
        function: pickled to the workers: a module's function, or a `functools.partial` of one.
        arguments: what to call it with.
        workers: processes; 0 calls it in this one.
        title: what the progress bar says.

    Raises:
        Whatever the function raises: the remaining arguments are then given up.
    """
    if workers == 0 or len(arguments) < 2:
        for position, argument in enumerate(progress(arguments, title)):
            yield position, function(argument)
        return
    # A fresh interpreter for each worker: a fork of a process that runs threads can hang.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(workers, len(arguments)), mp_context=context) as pool:
        futures = {pool.submit(function, argument): position for position, argument in enumerate(arguments)}
        try:
            for future in progress(as_completed(futures), title, len(futures)):
                yield futures[future], future.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
