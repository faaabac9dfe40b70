"""People's decisions, kept for good: one append-only SQLite file.

A decision holds for the text that was judged, in its place, and no other: `task_id` is a hash of both.
"""

import contextlib
import hashlib
import json
import sqlite3
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pydantic import ValidationError

from hawk_pipelines.engine.sqlite_file import create
from hawk_pipelines.errors import HawkError
from hawk_pipelines.schema import Decision, ReviewKind

STORE = Path("data/01_raw/review/decisions.sqlite")
"""Among the raw data, which nothing makes again."""

LONGEST_S = 86_400
"""How long a decision may take: a day. What a page that stood open counts is not of use."""
WAIT_S = 30.0
"""How long to wait for others who are writing."""

_APPLICATION = 0x4841574B
"""HAWK, in SQLite's field for the program that a file belongs to."""
_VERSION = 1
"""Of the table below; raised whenever it changes."""
_HAS_ITEM_AND_QUESTION = {"description": (True, False), "answer": (True, True), "question": (False, False)}
_COLUMNS = tuple(Decision.model_fields)
_SCHEMA = """
CREATE TABLE decisions (
    number INTEGER PRIMARY KEY,
    task_id TEXT NOT NULL, kind TEXT NOT NULL, item_id TEXT, question TEXT, text TEXT NOT NULL,
    decision TEXT NOT NULL, edited TEXT, reviewer TEXT NOT NULL, time TEXT NOT NULL, seconds REAL, note TEXT
) STRICT;
CREATE UNIQUE INDEX once ON decisions (task_id, reviewer, time, decision);
-- Passed over before SQLite looks for conflicts, so that INSERT OR REPLACE replaces nothing either.
CREATE TRIGGER known BEFORE INSERT ON decisions WHEN EXISTS (
    SELECT 1 FROM decisions WHERE number = NEW.number
    OR (task_id, reviewer, time, decision) = (NEW.task_id, NEW.reviewer, NEW.time, NEW.decision)
) BEGIN SELECT RAISE(IGNORE); END;
CREATE TRIGGER unchanged BEFORE UPDATE ON decisions BEGIN SELECT RAISE(ABORT, 'decisions are never changed'); END;
CREATE TRIGGER kept BEFORE DELETE ON decisions BEGIN SELECT RAISE(ABORT, 'decisions are never removed'); END;
"""


class ReviewError(HawkError):
    """A store, queue or decision that cannot be used."""


def task_id(kind: ReviewKind, item_id: str | None, question: str | None, text: str) -> str:
    """Twelve hexadecimal digits that stand for a text in its place."""
    judged = json.dumps([kind, item_id, question, text]).encode()
    return hashlib.sha256(judged).hexdigest()[:12]


def record(path: Path, decisions: Iterable[Decision]) -> int:
    """Append decisions, all of them or none. The file is made where there is none.

    Returns:
        How many were new. A decision that is there already (task, reviewer, time and decision are the same) is passed over.

    Raises:
        ReviewError: the file cannot be written, is no store, or a decision has a fault. The file stays as it was.
    """
    rows = []
    for decision in decisions:
        if wrong := fault(decision):
            msg = f"The decision on {decision.task_id} was not recorded: {wrong}."
            raise ReviewError(msg)
        rows.append(decision.model_copy(update={"time": when(decision).isoformat(), "reviewer": decision.reviewer.strip()}))
    with _sentences(path):
        if not path.exists():
            create(path, _SCHEMA, _APPLICATION, _VERSION)
        with _connected(path) as connection:
            insert = f"INSERT INTO decisions ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))})"  # noqa: S608
            connection.execute("BEGIN IMMEDIATE")
            added = sum(connection.execute(insert, tuple(row.model_dump().values())).rowcount for row in rows)
            connection.execute("COMMIT")
    return added


def read(path: Path) -> list[Decision]:
    """All decisions in the order in which they were recorded; none where there is no file.

    Raises:
        ReviewError: the file is no store, damaged, or of another version.
    """
    with _sentences(path):
        if not path.exists():
            return []
        with _connected(path) as connection:
            damage = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
            if damage != "ok":
                raise sqlite3.DatabaseError(damage)
            rows = connection.execute(f"SELECT {', '.join(_COLUMNS)} FROM decisions ORDER BY number").fetchall()  # noqa: S608
    decisions = []
    for number, row in enumerate(rows, start=1):
        try:
            decision = Decision.model_validate(dict(zip(_COLUMNS, row, strict=True)))
            when(decision)
        except (ValueError, OverflowError) as error:
            why = first_fault(error) if isinstance(error, ValidationError) else "it has no time"
            msg = f"Decision {number} in {path} cannot be read ({why}). {_LEFT}"
            raise ReviewError(msg) from error
        decisions.append(decision)
    return decisions


def fault(decision: Decision) -> str | None:
    """What makes a decision unusable, as the end of a sentence; None where nothing does."""
    texts = [value for value in decision.model_dump().values() if isinstance(value, str)]
    if any("\ud800" <= character <= "\udfff" for text in texts for character in text):
        return "it holds half a character (a lone surrogate)"
    has_item, has_question = decision.item_id is not None, decision.question is not None
    if (has_item, has_question) != _HAS_ITEM_AND_QUESTION[decision.kind]:
        given = f"{'an' if has_item else 'no'} item and {'a' if has_question else 'no'} question"
        return f"{given} do not go with the kind {decision.kind}"
    if decision.task_id != task_id(decision.kind, decision.item_id, decision.question, decision.text):
        return "its task id does not belong to its item, question and text"
    if decision.decision == "edit" and not (decision.edited or "").strip():
        return "an edit needs a new text, and this one has none"
    if decision.decision != "edit" and decision.edited is not None:
        return "it has a new text and is no edit"
    if not decision.reviewer.strip():
        return "it does not say whose it is"
    try:
        if when(decision) > datetime.now(UTC) + timedelta(days=1):
            return f"its time, {decision.time[:40]}, has not come yet"
    except (ValueError, OverflowError):
        return f"{decision.time[:40]!r} is no time with a time zone, such as 2026-03-01T12:00:00+00:00"
    return None


def when(decision: Decision) -> datetime:
    """The time of a decision, in UTC; a `ValueError` where it has none."""
    time = datetime.fromisoformat(decision.time)
    if time.tzinfo is None:
        msg = "a time without time zone"
        raise ValueError(msg)
    return time.astimezone(UTC)


@contextlib.contextmanager
def _connected(path: Path) -> Iterator[sqlite3.Connection]:
    # Reading opens for writing too where that is allowed: what a killed writer left half done is rolled back then.
    address = f"{path.absolute().as_uri()}?mode=rw"
    with contextlib.closing(sqlite3.connect(address, uri=True, timeout=WAIT_S, isolation_level=None)) as connection:
        application = connection.execute("PRAGMA application_id").fetchone()[0]
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if application != _APPLICATION:
            what = "is empty" if path.stat().st_size == 0 else "is an SQLite file of another program"
            msg = f"{path} is no review store: it {what}. {_LEFT}"
            raise ReviewError(msg)
        if version != _VERSION:
            msg = (
                f"{path} is a review store of version {version}; this HAWK reads version {_VERSION}. Use the HAWK that wrote it."
            )
            raise ReviewError(msg)
        yield connection


_LEFT = "It was left as it is; put your copy of it back, or move it away to begin anew."
_SEE_TO = "Nothing was recorded; see to its folder, its permissions and the free space."


@contextlib.contextmanager
def _sentences(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        name = getattr(error, "sqlite_errorname", "SQLITE_CORRUPT")
        if name.startswith("SQLITE_BUSY"):
            msg = f"{path} is in use: somebody has been writing to it for more than {WAIT_S:.0f} s. Try again."
        elif name.startswith("SQLITE_READONLY"):
            msg = f"{path} or its folder cannot be written to. Nothing was recorded; change its permissions."
        elif name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_ERROR")):
            msg = f"{path} is damaged or no review store ({error}). {_LEFT}"
        else:
            msg = f"{path} cannot be used ({error}). {_SEE_TO}"
        raise ReviewError(msg) from error
    except OSError as error:
        msg = f"{path} cannot be used ({error.strerror}). {_SEE_TO}"
        raise ReviewError(msg) from error


def first_fault(error: ValidationError) -> str:
    """Where a record is wrong and how, as part of a sentence."""
    first = error.errors()[0]
    told = f"{'.'.join(map(str, first['loc'])) or 'the line'}: {first['msg']}"
    return "".join(character for character in told if character.isprintable())[:200]
