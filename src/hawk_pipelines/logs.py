"""What is told while something runs: lines on the terminal, and with times in a file that `--log-file` names."""

import logging
import os
import re
import sys
from pathlib import Path
from typing import Any

from hawk_pipelines.errors import HawkError
from hawk_pipelines.plain_text import plain, printable

OWN = "hawk_pipelines"
TALKATIVE = ("", "kedro", "kedro_mlflow.framework", "kedro_mlflow.config", "mlflow.store.db.utils", "alembic", OWN)
"""Loggers that `-v` lets speak; the empty name is that of all others."""
ONLY_IN_FILE = {"only_in_file": True}
"""`extra` of what the terminal shows in another way."""
_TIME = "%Y-%m-%dT%H:%M:%S%z"
_SECRET_NAMES = re.compile(r"(KEY|TOKEN|SECRET|PASSWORD|PASSWD)$")
_SHORTEST_SECRET = 8

_run_id: str | None = None
_quiet = False


class LogFileError(HawkError):
    """A log that cannot be written."""


def name_run(run_id: str | None) -> None:
    """Let what is told from now on, and a refusal at the end, name a run of MLflow."""
    global _run_id
    _run_id = run_id


def named_run() -> str | None:
    """The run of MLflow that is going on, or was last."""
    return _run_id


def is_quiet() -> bool:
    """Whether nothing but warnings and errors is wanted on the terminal."""
    return _quiet


def without_secrets(text: str) -> str:
    """A text without passwords in addresses, and without what variables named …KEY, …TOKEN, …SECRET or …PASSWORD hold."""
    text = re.sub(r"(:/{1,2})[^/@\s'\"]+@", r"\1…@", text)  # with one stroke where it was taken for a path
    text = re.sub(r"(?i)(\bbearer\s+)\S+", r"\1…", text)
    for name, value in os.environ.items():
        if len(value) >= _SHORTEST_SECRET and _SECRET_NAMES.search(name.upper()):
            text = text.replace(value, "…")
    return text


class _Lines(logging.Formatter):
    """No key, no control character; what has several lines is set in, so that each line that is not begins an entry."""

    def format(self, record: logging.LogRecord) -> str:
        record.run = f" run {_run_id}" if _run_id else ""
        return printable(without_secrets(super().format(record))).replace("\n", "\n    ")


class _LogFile(logging.FileHandler):
    """A file that is told of once where it can no longer be written; what runs goes on."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 (logging's own name)
        error = sys.exc_info()[1]
        logging.getLogger().removeHandler(self)
        sys.stderr.write(f"Warning: the log file {plain(self.baseFilename)} is written no further ({error}).\n")


class _Terminal(logging.StreamHandler[Any]):
    """Where no other library has set up a terminal."""


def set_up(file: Path | None, verbose: bool, quiet: bool) -> None:
    """Begin to tell.

    Args:
        file: is added to, with a time, the run and the place before each line; None: no file.
        verbose: also what libraries say, with times.
        quiet: on the terminal warnings and errors only; the file is as it is without.

    Raises:
        LogFileError: the file cannot be written.
    """
    global _quiet
    _quiet = quiet
    root = logging.getLogger()
    for former in [handler for handler in root.handlers if isinstance(handler, _LogFile | _Terminal)]:
        root.removeHandler(former)
        former.close()
    if not root.handlers:
        root.addHandler(_Terminal(sys.stderr))
        root.handlers[0].setLevel(logging.INFO if verbose else logging.WARNING)
    rich = sys.modules.get("rich.logging")  # where it is not imported nobody has set it up
    terminals = (_Terminal, rich.RichHandler) if rich else (_Terminal,)
    for handler in root.handlers:
        if isinstance(handler, terminals):
            handler.setFormatter(_Lines("%(asctime)s %(message)s" if verbose else "%(message)s", _TIME))
            handler.addFilter(_for_terminal)
            if quiet:
                handler.setLevel(logging.WARNING)
    if verbose:
        for name in TALKATIVE:
            logging.getLogger(name).setLevel(logging.INFO)
    if file is not None:
        root.addHandler(_opened(file))
        own = logging.getLogger(OWN)
        own.setLevel(min(own.level or logging.INFO, logging.INFO))


def _for_terminal(record: logging.LogRecord) -> bool:
    return not getattr(record, "only_in_file", False)


def _opened(file: Path) -> _LogFile:
    try:
        if file.is_dir():
            msg = "it is no file"
            raise OSError(msg)
        handler = _LogFile(file, encoding="utf-8", errors="backslashreplace")
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        msg = f"The log file {plain(str(file))} cannot be written ({why}); name another with --log-file."
        raise LogFileError(msg) from error
    handler.setFormatter(_Lines("%(asctime)s%(run)s %(levelname)s %(name)s: %(message)s", _TIME))
    return handler
