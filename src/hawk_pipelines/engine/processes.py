"""One function over many arguments in several processes, with limits: a call that crashes, hangs or eats memory costs itself.

`spread` is the interface behind which a cluster can serve: whatever takes the same arguments and yields the same pairs.
"""

import multiprocessing
import os
import pickle
import resource
import signal
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from pebble import ProcessExpired, ProcessPool

from hawk_pipelines.engine.progress import progress
from hawk_pipelines.errors import HawkError
from hawk_pipelines.machine_faults import MachineFault, machine_fault

A = TypeVar("A")
R = TypeVar("R")
STARTING_S = 30
"""No worker that is still starting at the end is waited for any longer."""
WAITING = 8
"""Arguments a worker that are handed out beforehand, so that none waits for work."""


class Limits(NamedTuple):
    """What one call may take."""

    workers: int = 2
    """Processes; 0 calls in this one, where nothing limits time and memory."""
    timeout_s: float = 1800
    memory_mb: int = 2048
    """Address space on top of what a worker needs to start."""


class Failure(NamedTuple):
    """A call that gave nothing."""

    reason: str
    """A full sentence."""
    refused: bool
    """Whether the argument is to blame (a `HawkError`); otherwise we are, or the limits."""
    of_machine: bool = False
    """Whether the machine is to blame: a full disk, say. No other call can do better."""


def spread(function: Callable[[A], R], arguments: Sequence[A], limits: Limits, title: str) -> Iterator[tuple[int, R | Failure]]:
    """Yield (position of the argument, result or failure), in the order in which they get ready.

    Args:
        function: pickled to the workers: a module's function, or a `functools.partial` of one.
        arguments: what to call it with.
        limits: processes, time and memory.
        title: what the progress bar says.

    Raises:
        MachineFault: a call failed because of the machine.
    """
    calls: Generator[tuple[int, R | Failure], None, None]
    if limits.workers == 0 or not arguments:
        calls = ((position, called(function, argument)) for position, argument in enumerate(arguments))
    else:
        calls = _in_processes(function, arguments, limits)
    yield from progress(unless_of_machine(calls), title, len(arguments))


def unless_of_machine(calls: Generator[tuple[int, R | Failure], None, None]) -> Iterator[tuple[int, R | Failure]]:
    """End where the machine is to blame: that is no fault of an item, and must not be kept as one."""
    with closing(calls):  # its processes end now, not when somebody forgets the error
        for position, result in calls:
            if isinstance(result, Failure) and result.of_machine:
                raise MachineFault(result.reason)
            yield position, result


def _in_processes(
    function: Callable[[A], R], arguments: Sequence[A], limits: Limits
) -> Generator[tuple[int, R | Failure], None, None]:
    # A fresh interpreter for each worker: a fork of a process that runs threads can hang.
    context = multiprocessing.get_context("spawn")
    workers = min(limits.workers, len(arguments))
    begun = context.SimpleQueue()
    others = {child.pid for child in multiprocessing.active_children()}
    pool = ProcessPool(workers, initializer=_begin_worker, initargs=(function, limits.memory_mb, begun), context=context)
    upcoming = iter(enumerate(arguments))
    running: dict[Any, int] = {}
    with _main_module_hidden(function), pool:
        try:
            while True:
                for position, argument in upcoming:
                    running[pool.schedule(called, (function, argument), timeout=limits.timeout_s)] = position
                    if len(running) >= WAITING * workers:
                        break
                if not running:
                    _wait_for_the_starting(begun, others)
                    return
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    yield running.pop(future), _result(future, limits)
        except BaseException as error:
            if not isinstance(error, KeyboardInterrupt):
                _wait_for_the_starting(begun, others)
            pool.stop()
            raise


def called(function: Callable[[A], R], argument: A) -> R | Failure:
    """Call, and make a failure of what is raised."""
    try:
        return function(argument)
    except MachineFault as error:
        return Failure(str(error), refused=False, of_machine=True)
    except HawkError as error:
        return Failure(str(error), refused=True)
    except MemoryError:
        return Failure(
            "It needs more memory than `engine.item_memory_mb` allows; raise that or leave the item out.", refused=False
        )
    except Exception as error:
        fault = None if isinstance(error, PermissionError) else machine_fault(error)  # an input may be unreadable by itself
        if fault:
            return Failure(str(fault), refused=False, of_machine=True)
        frame = error.__traceback__
        while frame and frame.tb_next:
            frame = frame.tb_next
        where = f"{frame.tb_frame.f_globals.get('__name__')}:{frame.tb_lineno}" if frame else "unknown"
        return Failure(f"An unexpected {type(error).__name__} at {where}: {error}. Please report it.", refused=False)


def _result(future: Any, limits: Limits) -> Any:
    """What a call in a worker gave, or why it gave nothing."""
    try:
        return future.result()
    except TimeoutError:
        what = f"It took longer than `engine.item_timeout_s` = {limits.timeout_s:g} and was stopped"
        return Failure(f"{what}; raise that or leave the item out.", refused=False)
    except ProcessExpired as error:
        how = signal.Signals(-error.exitcode).name if error.exitcode < 0 else f"exit status {error.exitcode}"
        return Failure(f"The worker crashed on it ({how}); its file is damaged, or needs too much memory.", refused=False)
    except BrokenProcessPool as error:
        msg = "No worker could be started, or all ended without a word; `engine.workers` = 0 works without them and shows why."
        raise HawkError(msg) from error
    except Exception as error:
        return Failure(f"It cannot be handed to a worker or back ({error}). Please report it.", refused=False)


def _wait_for_the_starting(begun: Any, others: set[int | None]) -> None:
    """Let workers begin before the pool is closed: it takes its locks away, and who is still starting dies with a traceback."""
    until = time.monotonic() + STARTING_S
    known = set(others)
    while {child.pid for child in multiprocessing.active_children()} - known and time.monotonic() < until:
        while not begun.empty():
            known.add(begun.get())
        time.sleep(0.01)


def _begin_worker(_function: object, memory_mb: int, begun: Any) -> None:
    """Limit this worker's memory, and end it when the main process ends. The function comes along to be imported before."""
    begun.put(os.getpid())
    if sys.platform == "linux":
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        limit = pages * os.sysconf("SC_PAGE_SIZE") + memory_mb * 2**20
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


@contextmanager
def _main_module_hidden(function: Callable) -> Iterator[None]:
    """Spawned workers import the main script again; `kedro` would cost each of them seconds and 200 MB for nothing.

    The script is imported all the same where it defines the function or a part of it.
    """
    main = sys.modules["__main__"]
    kept = {name: main.__dict__.get(name) for name in ("__file__", "__spec__")}
    if b"__main__" not in pickle.dumps(function):
        main.__dict__.update(dict.fromkeys(kept))
    try:
        yield
    finally:
        main.__dict__.update({name: value for name, value in kept.items() if value is not None})
