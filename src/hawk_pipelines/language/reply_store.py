"""Replies that were paid for, kept for good: one SQLite file. What is in it is never asked for again.

A reply is known by the hash of all that decides it: model, messages, schema and settings, as they are sent. Neither the server's
address nor the key is part of it, or anywhere in the file; pictures are not kept, only their hashes.
"""

import contextlib
import hashlib
import json
import logging
import re
import shutil
import sqlite3
import threading
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from hawk_pipelines.engine.sqlite_file import create
from hawk_pipelines.errors import HawkError
from hawk_pipelines.language.reply_outcome import Outcome, outcome_of
from hawk_pipelines.schema import Record

logger = logging.getLogger(__name__)

STORE = Path("data/01_raw/llm/replies.sqlite")
"""Among the raw data, which nothing makes again and `make clean` leaves alone: it was paid for."""
FREE_MB = 32
"""What must be free on the disk before anything is paid for."""

_WAIT_S = 30.0
_AT_A_TIME = 500
"""Replies that are looked through before somebody else may write."""
_APPLICATION = 0x4841574C
"""HAWL, in SQLite's field for the program that a file belongs to."""
_VERSION = 1
"""Of the tables below; raised whenever they or the key change."""
_SCHEMA = """
CREATE TABLE replies (
    key TEXT PRIMARY KEY, request TEXT NOT NULL, reply TEXT NOT NULL, checksum TEXT NOT NULL, time TEXT NOT NULL
) STRICT;
-- Handed in as one job whose replies come hours later; kept so that a new run waits for it instead of paying again.
CREATE TABLE batches (
    file TEXT PRIMARY KEY, batch TEXT, keys TEXT NOT NULL, time TEXT NOT NULL, done INTEGER NOT NULL DEFAULT 0
) STRICT;
"""


class ReplyStoreError(HawkError):
    """A store of replies that cannot be read or written. Nothing is paid for without it."""


class Kept(Record):
    """A reply as it came, and what it took."""

    text: str
    """The JSON that was asked for, or the words of a refusal; empty where the model said nothing."""
    refused: bool
    model: str
    """As the server names it."""
    input_tokens: int
    """With those of attempts that came to nothing."""
    output_tokens: int
    cost_usd: float
    latency_s: float
    """From the first attempt to the reply; 0 where it came with a batch."""
    attempts: int
    beside: dict[str, str | int] = Field(default_factory=dict)
    """What came beside an empty reply: `finish_reason` and counts of tokens."""

    @property
    def outcome(self) -> Outcome:
        """What it comes to."""
        return outcome_of(self.text, self.refused)


class Batch(Record):
    """Requests that were handed in together."""

    file: str
    """The server's id of the file with the requests."""
    batch: str | None
    """The server's id of the job; None where the run ended before it was known."""
    keys: list[str]


def key_of(body: Mapping[str, Any]) -> str:
    """What a request is known by: a hash of everything that is sent."""
    return hashlib.sha256(json.dumps(body, sort_keys=True, ensure_ascii=False).encode()).hexdigest()[:32]


class ReplyStore:
    """The file. One object may be used by many threads, and one file by many runs."""

    def __init__(self, path: Path) -> None:
        """Open, and make where there is none.

        Raises:
            ReplyStoreError: it is damaged, of another version, cannot be written, or the disk is nearly full.
        """
        self._path = path
        self._lock = threading.Lock()
        with self._sentences("Nothing was asked for"):
            if not path.exists():
                create(path, _SCHEMA, _APPLICATION, _VERSION)
            self._connection = sqlite3.connect(path, timeout=_WAIT_S, isolation_level=None, check_same_thread=False)
            self._connection.text_factory = lambda raw: raw.decode("utf-8", errors="replace")  # checksums find what is damaged
            try:
                self._insist_it_is_ours()
                self._insist_on_space()
            except BaseException:
                self._connection.close()
                raise

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def get(self, key: str) -> Kept | None:
        """The reply to a request; None where it is not there, or damaged (then that is said, and it may be asked for again)."""
        with self._lock, self._sentences("Nothing of it was used"):
            row = self._connection.execute("SELECT request, reply, checksum FROM replies WHERE key = ?", (key,)).fetchone()
        if row is None:
            return None
        request, reply, checksum = row
        if checksum == _checksum(key, request, reply):
            with contextlib.suppress(ValidationError):
                return Kept.model_validate_json(reply)
        msg = "Reply %s in %s is damaged and not used; it is asked for again. Put a copy of the file back if you have one."
        logger.warning(msg, key, self._path)
        return None

    def put(self, key: str, body: Mapping[str, Any], reply: Kept) -> None:
        """Keep a reply, and the request without its pictures; when this returns it is on the disk.

        Raises:
            ReplyStoreError: it is not, because the disk is full or the file cannot be written.
        """
        request = _PICTURE.sub(_hashed, json.dumps(body, sort_keys=True, ensure_ascii=False))
        text = reply.model_dump_json()
        with self._lock, self._sentences("The reply that just came is lost, and the run ends here"):
            self._connection.execute(
                "INSERT OR REPLACE INTO replies VALUES (?, ?, ?, ?, datetime('now'))",
                (key, request, text, _checksum(key, request, text)),
            )

    def outcomes(self) -> Counter[Outcome]:
        """How many replies there are of each kind."""
        return self._counted()

    def forget(self, outcomes: Collection[Outcome]) -> Counter[Outcome]:
        """Drop the replies of some kinds, so that they are asked for again; how many of each were dropped.

        A run that asks meanwhile waits for a moment, and what it keeps now is looked at as it is now.
        """
        counts = self._counted(outcomes)
        return Counter({outcome: counts[outcome] for outcome in outcomes})

    def _counted(self, dropped: Collection[Outcome] = ()) -> Counter[Outcome]:
        counts, last = Counter[Outcome](), 0
        while rows := self._looked_through(last, dropped, counts):
            last = rows[-1]
        return counts

    def _looked_through(self, after: int, dropped: Collection[Outcome], counts: Counter[Outcome]) -> list[int]:
        """Count the next replies and drop some of them, all in one transaction; the numbers of their rows."""
        some = "SELECT rowid, key, request, reply, checksum FROM replies WHERE rowid > ? ORDER BY rowid LIMIT ?"
        with self._lock, self._sentences("What was not looked at yet is still there"):
            self._connection.execute("BEGIN IMMEDIATE" if dropped else "BEGIN")
            try:
                rows = self._connection.execute(some, (after, _AT_A_TIME)).fetchall()
                found = [(row[0], _outcome(*row[1:])) for row in rows]
                gone = [(row,) for row, outcome in found if outcome in dropped]
                self._connection.executemany("DELETE FROM replies WHERE rowid = ?", gone)
                self._connection.execute("COMMIT")
            except BaseException:
                with contextlib.suppress(sqlite3.Error):  # the first error is the one to be told of
                    self._connection.execute("ROLLBACK")
                raise
        counts.update(outcome for _, outcome in found)
        return [row for row, _ in found]

    def hand_in(self, file: str, keys: list[str]) -> None:
        """Note that a file of requests lies with the server."""
        with self._lock, self._sentences("The batch was not begun"):
            self._connection.execute(
                "INSERT INTO batches (file, keys, time) VALUES (?, ?, datetime('now'))", (file, json.dumps(keys))
            )

    def begun(self, file: str, batch: str) -> None:
        """Note the job that works on a file."""
        with self._lock, self._sentences("The batch has begun but is not noted"):
            self._connection.execute("UPDATE batches SET batch = ? WHERE file = ?", (batch, file))

    def finished(self, file: str) -> None:
        """Note that all replies to a file were taken in, or that none will come."""
        with self._lock, self._sentences("Its replies were taken in"):
            self._connection.execute("UPDATE batches SET done = 1 WHERE file = ?", (file,))

    def open_batches(self) -> list[Batch]:
        """What was handed in and not yet taken in, the oldest first."""
        with self._lock, self._sentences("Nothing was asked for"):
            rows = self._connection.execute("SELECT file, batch, keys FROM batches WHERE NOT done ORDER BY time, file").fetchall()
        try:
            return [Batch(file=file, batch=batch, keys=json.loads(keys)) for file, batch, keys in rows]
        except ValueError as error:
            msg = f"{self._path} is damaged: what it says of a batch that was handed in cannot be read. {_LEFT}"
            raise ReplyStoreError(msg) from error

    def _insist_it_is_ours(self) -> None:
        connection = self._connection
        application = connection.execute("PRAGMA application_id").fetchone()[0]
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if application != _APPLICATION:
            raise ReplyStoreError(f"{self._path} is no store of replies. {_LEFT}")  # noqa: EM102
        if version != _VERSION:
            msg = f"{self._path} was written by another HAWK (version {version}; this one reads {_VERSION}). {_LEFT}"
            raise ReplyStoreError(msg)
        damage = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if damage != "ok":
            raise sqlite3.DatabaseError(damage)
        # Whether it can be written is known before anything is paid for: this wants the journal beside it, too.
        connection.execute("BEGIN IMMEDIATE")
        connection.execute(f"PRAGMA user_version = {_VERSION}")
        connection.execute("ROLLBACK")

    def _insist_on_space(self) -> None:
        if (free_mb := shutil.disk_usage(self._path.parent).free / 2**20) < FREE_MB:
            msg = (
                f"Only {free_mb:.0f} MB are free where {self._path} keeps replies. Nothing was asked for; make {FREE_MB} MB free."
            )
            raise ReplyStoreError(msg)

    @contextlib.contextmanager
    def _sentences(self, consequence: str) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            name = getattr(error, "sqlite_errorname", "SQLITE_CORRUPT")
            if name.startswith("SQLITE_BUSY"):
                msg = f"{self._path} is in use: another run has been writing to it for more than {_WAIT_S:.0f} s. Try again."
            elif name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_ERROR")):
                msg = f"{self._path} is damaged or no store of replies ({error}). {_LEFT}"
            else:
                msg = f"{self._path} cannot be used ({error}). {consequence}; see to its permissions and the free space."
            raise ReplyStoreError(msg) from error
        except OSError as error:
            msg = f"{self._path} cannot be used ({error.strerror}). {consequence}; see to its folder and its permissions."
            raise ReplyStoreError(msg) from error


_LEFT = (
    "It was left as it is and nothing was asked for; put your copy of it back, or move it away "
    "(what was in it would be paid for again)."
)


_PICTURE = re.compile(r"data:image/[\w.+-]+;base64,[\w+/=]+")


def _hashed(picture: re.Match[str]) -> str:
    """What stands for a picture: footage is kept where videos are, and nowhere else."""
    return f"sha256:{hashlib.sha256(picture[0].encode()).hexdigest()}"


def _outcome(key: str, request: str, reply: str, checksum: str) -> Outcome:
    if checksum != _checksum(key, request, reply):
        return "damaged"
    try:
        return Kept.model_validate_json(reply).outcome
    except ValidationError:
        return "damaged"


def _checksum(key: str, request: str, reply: str) -> str:
    return hashlib.sha256("\0".join((key, request, reply)).encode()).hexdigest()
