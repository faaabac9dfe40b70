"""Functions that workers of the tests run, well-behaved and not; in a module of their own, so that workers can import it."""

import ctypes
import errno
import os
import signal
import time
from pathlib import Path

import numpy as np

from hawk_pipelines.errors import HawkError


def square(number, power=2):
    if number == 13:
        msg = "13 is refused; take another number."
        raise HawkError(msg)
    if number == 99:
        msg = "a fault of ours"
        raise ZeroDivisionError(msg)
    return {"value": np.array([number**power])}, {"power": power}


def misbehave(what):
    match what:
        case "segfault":
            ctypes.string_at(0)
        case "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        case "hang":
            while True:  # busy, and deaf to polite signals
                time.sleep(0.01)
        case "memory":
            eaten = []
            while True:
                eaten.append(np.ones(2**22))
        case "exit":
            os._exit(3)
    return {"value": np.array([1.0])}, {}


def slow(number):
    """Takes a moment, so that a run can be killed in the middle of it."""
    time.sleep(0.02)
    return square(number) if number % 10 else square(13)


def deaf(number):
    """Quick, but its worker does not end when it is asked to."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    return number


def own_memory(_):
    """Peak resident memory in MB. (`getrusage` would count the parent's too.)"""
    (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) // 1024


def without_room(number):
    """As `square`, on a disk that is full at 13."""
    if number == 13:
        raise OSError(errno.ENOSPC, "No space left on device")
    return square(number, 2)


def forbidden(number):
    """As `square`, from a file that may not be read at 13."""
    if number == 13:
        raise PermissionError(errno.EACCES, "Permission denied", "13.mp4")
    return square(number, 2)
