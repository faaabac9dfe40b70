"""One process writes a data folder at a time. The system keeps the lock, so that of a process that was killed none is left."""

import fcntl
import logging
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from hawk_pipelines.errors import HawkError
from hawk_pipelines.machine_faults import writing

logger = logging.getLogger(__name__)

LOCK = ".writer"
LONGEST_WAIT_S = 600
_PAUSE_S = 0.2


class WrittenByAnother(HawkError):
    """A data folder that another process is writing."""


@contextmanager
def sole_writer(folder: Path, wait_s: float = LONGEST_WAIT_S) -> Iterator[None]:
    """Write a data folder alone. Two runs at once would mix their tables; who only reads is not kept from it.

    Args:
        folder: made where it is not there.
        wait_s: so long another one is waited for, which is said.

    Raises:
        WrittenByAnother: it was not enough.
        MachineFault: the folder cannot be written.
    """
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / LOCK).open("a+", encoding="utf-8")
    with lock:  # closing it gives it back
        _wait(lock.fileno(), folder, wait_s)
        with suppress(OSError):  # on a full disk nobody is named; it is locked all the same
            lock.truncate(0)
            lock.write(f"process {os.getpid()} on {socket.gethostname()}")
            lock.flush()
        yield


def can_be_written(folder: Path) -> bool:
    """Whether files can be put into a folder, or it can be made."""
    there = next(above for above in (folder.absolute(), *folder.absolute().parents) if above.exists())
    return os.access(there, os.W_OK)


def _wait(lock: int, folder: Path, wait_s: float) -> None:
    until, is_said = time.monotonic() + wait_s, False
    while True:
        try:
            fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # unlike a flock no forked process keeps it
        except (BlockingIOError, PermissionError) as error:
            named = os.pread(lock, 200, 0).decode(errors="replace") or "it has not said which"
            if time.monotonic() >= until:
                what = f"Another run ({named}) is writing {folder}, and was waited for for {wait_s:g} s"
                msg = f"{what}; end it, wait for it, or use another `data_root` (conf/NAME/globals.yml and `--env NAME`)."
                raise WrittenByAnother(msg) from error
            if not is_said:
                logger.warning("Another run (%s) is writing %s; it is waited for for up to %g s.", named, folder, wait_s)
                is_said = True
            time.sleep(_PAUSE_S)
        else:
            return
