"""Standard output that is full, or that nobody reads any more (`kedro run | head -1`)."""

import io
import os
import sys
from typing import Any

from hawk_pipelines.errors import HawkError


class StandardOutputError(HawkError):
    """What a command says can be written nowhere."""


class _Descriptor(io.FileIO):
    """Standard output or error; what is written after it failed goes nowhere."""

    def __init__(self, number: int, goes_on: bool) -> None:
        super().__init__(number, "w", closefd=False)
        self._goes_on = goes_on
        self._is_lost = False

    def write(self, data: Any) -> Any:
        """Write bytes."""
        if len(data) and not self._is_lost:  # click writes nothing, to see whether it can, and takes no notice of a failure
            try:
                return super().write(data)
            except OSError as error:
                self._is_lost = True
                self._tell(error)
        return len(data)

    def _tell(self, error: OSError) -> None:
        """Once.

        Raises:
            StandardOutputError: what is written is all that the command is for.
            BrokenPipeError: the same, and nobody reads it; click ends the command.
        """
        is_read_no_further = isinstance(error, BrokenPipeError)
        what = f"standard output could not be written ({os.strerror(error.errno or 0)})"
        if not self._goes_on:
            if is_read_no_further:
                raise error
            msg = f"{what[0].upper()}{what[1:]}. Make room where it leads, or let it lead elsewhere, and run the command again."
            raise StandardOutputError(msg) from error
        if not is_read_no_further and self.fileno() == 1:
            sys.stderr.write(f"Warning: {what}; what runs goes on without it.\n")


def guard(*, goes_on: bool) -> None:
    """Let standard output, where it is the process's own, fail in one sentence.

    Args:
        goes_on: a command makes files and only tells of them: it goes on without its output, and without what it says of
            errors where nobody reads that either. Otherwise its output is all that it is for, and its loss ends it.
    """
    for name in ("stdout", "stderr") if goes_on else ("stdout",):
        stream = getattr(sys, name)
        if stream is None or stream is not getattr(sys, f"__{name}__"):  # closed, or somebody else's: a test's, a notebook's
            continue
        stream.flush()
        raw = _Descriptor(stream.fileno(), goes_on)
        binary = (
            raw if isinstance(stream.buffer, io.RawIOBase) else io.BufferedWriter(raw)
        )  # the first where PYTHONUNBUFFERED is set
        how = {"line_buffering": stream.line_buffering, "write_through": stream.write_through}
        setattr(sys, name, io.TextIOWrapper(binary, stream.encoding, stream.errors, **how))
