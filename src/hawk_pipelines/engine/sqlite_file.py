"""Files of our own in SQLite's format: what is kept for good and not by items."""

import contextlib
import os
import sqlite3
import tempfile
from pathlib import Path


def create(path: Path, schema: str, application: int, version: int) -> None:
    """Make an empty file elsewhere and put it in place whole: a file of no bytes is a damaged one, never a new one.

    Args:
        path: where; if somebody else was quicker, theirs stays.
        schema: SQL that makes its tables.
        application: for SQLite's field for the program that a file belongs to.
        version: of the tables.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".new-") as folder:
        new = Path(folder) / path.name
        with contextlib.closing(sqlite3.connect(new)) as connection:
            connection.executescript(schema)
            connection.execute(f"PRAGMA application_id = {application}")
            connection.execute(f"PRAGMA user_version = {version}")
        try:
            os.link(new, path)
        except FileExistsError:
            return
        except OSError:  # a file system without links
            if not path.exists():
                new.rename(path)
