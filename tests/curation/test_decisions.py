import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from hawk_pipelines.curation import decisions as store
from hawk_pipelines.curation.decisions import ReviewError, fault, read, record, task_id
from hawk_pipelines.schema import Decision
from tests.curation.reviews import NASTY, decision, task

SRC = Path(__file__).parents[2] / "src"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "a b?#%" / "decisions.sqlite"


def _python(script, *arguments, **options):
    environment = os.environ | {"PYTHONPATH": f"{SRC}:{SRC.parent}"}
    return subprocess.Popen([sys.executable, "-c", script, *map(str, arguments)], env=environment, text=True, **options)


def test_what_is_recorded_is_read_back_in_order(path):
    assert read(path) == []
    assert not path.exists()
    huge = task("enormous " * 200_000)
    given = [
        decision(task(NASTY), "edit", edited=NASTY[::-1], reviewer=NASTY, note=NASTY, seconds=1.5),
        decision(huge, at=5),
        decision(task(kind="question", text="Who?"), "reject", at=1),
        decision(task(kind="answer", question="Who?"), at=3),
    ]
    assert record(path, given[:2]) == 2
    assert record(path, given[2:]) == 2
    assert read(path) == given
    assert list(path.parent.iterdir()) == [path]


def test_known_decisions_are_passed_over_whatever_their_time_zone(path):
    one = decision(task())
    assert record(path, [one, one]) == 1
    assert record(path, [one.model_copy(update={"time": "2026-01-01T01:00:00+01:00", "reviewer": " Ann "})]) == 0
    assert record(path, [one.model_copy(update={"decision": "reject"})]) == 1


def test_nothing_is_changed_or_removed_in_the_database(path):
    given = [decision(task()), decision(task(), at=1)]
    record(path, given)
    connection = sqlite3.connect(path)
    for statement in ("UPDATE decisions SET decision = 'reject'", "DELETE FROM decisions WHERE number = 1"):
        with pytest.raises(sqlite3.IntegrityError, match="never"):
            connection.execute(statement)
    row = list(connection.execute("SELECT * FROM decisions WHERE number = 1").fetchone())
    for changed in ([*row[:9], "Bob", *row[10:]], [7, *row[1:3], "other", *row[4:]]):
        connection.execute("INSERT OR REPLACE INTO decisions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", changed)
    connection.commit()
    connection.close()
    assert read(path) == given


_WRITE = """
import sys
from pathlib import Path
from hawk_pipelines.curation.decisions import record
from tests.curation.reviews import decision, task
print("ready", flush=True)
sys.stdin.readline()
for number in range(50):
    record(Path(sys.argv[1]), [decision(task(f"Text {number}."), reviewer=sys.argv[2], at=number)])
"""


def test_two_who_write_at_once_both_succeed(path):
    writers = [_python(_WRITE, path, name, stdin=subprocess.PIPE, stdout=subprocess.PIPE) for name in ("Ann", "Bob")]
    for writer in writers:
        writer.stdout.readline()
    for writer in writers:
        writer.stdin.write("go\n")
        writer.stdin.flush()
    for writer in writers:
        writer.communicate(timeout=60)
        assert writer.returncode == 0
    found = read(path)
    for name in ("Ann", "Bob"):
        assert [one.text for one in found if one.reviewer == name] == [f"Text {number}." for number in range(50)]
    assert list(path.parent.iterdir()) == [path]


_BREAK_OFF = """
import sqlite3, sys, time
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("PRAGMA cache_size = 2")  # so that half of it is in the file already
connection.execute("BEGIN IMMEDIATE")
insert = "INSERT INTO decisions (task_id, kind, text, decision, reviewer, time) VALUES (?, 'answer', ?, 'accept', 'Ann', 'x')"
for number in range(300):
    connection.execute(insert, (str(number), "x" * 999))
print("half", flush=True)
time.sleep(60)
"""


def test_a_writer_that_was_killed_half_way_leaves_nothing(path):
    kept = [decision(task())]
    record(path, kept)
    before = path.read_bytes()
    writer = _python(_BREAK_OFF, path, stdout=subprocess.PIPE)
    assert writer.stdout.readline() == "half\n"
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    assert path.read_bytes() != before
    assert read(path) == kept
    assert record(path, [decision(task(), at=1)]) == 1
    assert list(path.parent.iterdir()) == [path]


def _of_another_program(path):
    sqlite3.connect(path).execute("CREATE TABLE notes (text)").connection.close()


def _of_another_version(path):
    record(path, [decision(task())])
    sqlite3.connect(path).execute("PRAGMA user_version = 2").connection.close()


def _cut(path):
    record(path, [decision(task("Long. " * 9999))])
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _overwritten(path):
    record(path, [decision(task(f"Long. {number}" * 999), at=number) for number in range(9)])
    content = bytearray(path.read_bytes())
    content[4096:12288] = b"\xff" * 8192
    path.write_bytes(content)


def _overwritten_index(path):  # which reading the decisions alone does not need
    record(path, [decision(task(f"Text {number}."), at=number) for number in range(9)])
    connection = sqlite3.connect(path)
    page = connection.execute("SELECT rootpage FROM sqlite_master WHERE type = 'index'").fetchone()[0]
    size = connection.execute("PRAGMA page_size").fetchone()[0]
    connection.close()
    content = bytearray(path.read_bytes())
    content[(page - 1) * size : page * size] = b"\xff" * size
    path.write_bytes(content)


def _without_table(path):
    record(path, [decision(task())])
    sqlite3.connect(path).execute("DROP TABLE decisions").connection.close()


def _of_no_time(path):
    record(path, [decision(task())])
    connection = sqlite3.connect(path)
    columns = "task_id, kind, item_id, question, text, decision, edited, reviewer"
    connection.execute(f"INSERT INTO decisions (time, {columns}) SELECT 'noon', {columns} FROM decisions")  # noqa: S608
    connection.commit()
    connection.close()


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda path: path.write_bytes(b""), "is empty"),
        (lambda path: path.write_bytes(b"decision,reviewer\naccept,Ann\n" * 99), "damaged or no review store"),
        (lambda path: path.write_bytes(os.urandom(4096)), "damaged or no review store"),
        (_of_another_program, "of another program"),
        (_of_another_version, "of version 2; this HAWK reads version 1"),
        (_cut, "damaged"),
        (_overwritten, "damaged"),
        (_overwritten_index, "damaged"),
        (_without_table, "damaged"),
        (lambda path: path.mkdir(), "cannot be used"),
    ],
)
def test_another_file_is_named_and_left_as_it_is(path, damage, said):
    path.parent.mkdir()
    damage(path)
    before = path.read_bytes() if path.is_file() else None
    with pytest.raises(ReviewError, match=said):
        read(path)
    if damage is not _overwritten:  # appending touches sound pages only, and the next reading names the damage
        with pytest.raises(ReviewError, match=said):
            record(path, [decision(task())])
        assert (path.read_bytes() if path.is_file() else None) == before
    assert list(path.parent.iterdir()) == [path]


def test_a_row_that_is_no_decision_is_named(path):
    path.parent.mkdir()
    _of_no_time(path)
    with pytest.raises(ReviewError, match=r"Decision 2 in .* \(it has no time\)"):
        read(path)


def test_a_store_that_somebody_holds_is_said_to_be_in_use(path, monkeypatch):
    record(path, [decision(task())])
    monkeypatch.setattr(store, "WAIT_S", 0.05)
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    with pytest.raises(ReviewError, match="is in use"):
        record(path, [decision(task(), at=1)])
    holder.close()


_READ_ONLY = """
import os, sys
import urllib.parse  # from Python 3.13 on pathlib imports it late, and whom the test becomes may not read it
from pathlib import Path
from hawk_pipelines.curation.decisions import ReviewError, read, record
from tests.curation.reviews import decision, task
if os.geteuid() == 0:  # who may write everywhere
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
print(len(read(Path(sys.argv[1]))))
for path in sys.argv[1:]:
    try:
        record(Path(path), [decision(task(), at=9)])
    except ReviewError as error:
        print(error)
"""


def test_a_file_that_may_only_be_read_is_read(tmp_path):
    with tempfile.TemporaryDirectory() as folder:  # tmp_path may be closed to the user that the test becomes
        path = Path(folder) / "decisions.sqlite"
        record(path, [decision(task())])
        path.chmod(0o444)
        Path(folder).chmod(0o555)
        reader = _python(_READ_ONLY, path, Path(folder) / "new" / "store.sqlite", stdout=subprocess.PIPE)
        told, _ = reader.communicate(timeout=60)
        Path(folder).chmod(0o755)
    lines = told.splitlines()
    assert lines[0] == "1"
    assert "cannot be written to" in lines[1]
    assert "Permission denied" in lines[2]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"decision": "edit", "edited": " \n "}, "needs a new text"),
        ({"decision": "edit", "edited": None}, "needs a new text"),
        ({"edited": "Other."}, "is no edit"),
        ({"text": "Another text."}, "does not belong"),
        ({"item_id": None}, "no item and no question do not go with the kind description"),
        ({"reviewer": " "}, "whose it is"),
        ({"time": "2026-01-01T00:00:00"}, "no time with a time zone"),
        ({"time": "yesterday"}, "no time with a time zone"),
        ({"time": "0001-01-01T00:00:00+14:00"}, "no time with a time zone"),
        ({"time": "2999-01-01T00:00:00Z"}, "has not come yet"),
        ({"note": "\ud800"}, "half a character"),
    ],
)
def test_a_faulty_decision_is_refused_and_so_are_those_beside_it(path, change, said):
    good = decision(task())
    faulty = Decision.model_construct(**good.model_dump() | change)
    assert said in fault(faulty)
    with pytest.raises(ReviewError, match="was not recorded"):
        record(path, [good, faulty])
    assert read(path) == []


def test_a_task_is_its_text_in_its_place():
    ids = {
        task_id("answer", "v1", "Who?", "A man."),
        task_id("answer", "v1", "Who?", "A man. "),
        task_id("answer", "v1", "Who", "?A man."),
        task_id("answer", "v2", "Who?", "A man."),
        task_id("description", "v1", None, "A man."),
        task_id("question", None, None, "A man."),
    }
    assert len(ids) == 6
    assert task_id("description", "v1", None, "A man falls.") == "216611af7faa"
