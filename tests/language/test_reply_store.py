import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from hawk_pipelines.language import reply_store
from hawk_pipelines.language.llm import Failed
from hawk_pipelines.language.reply_store import Kept, ReplyStore, ReplyStoreError, key_of
from tests.conftest import ROOT
from tests.language.asking import complete, outcomes, request, scripts
from tests.servers.llm import completion

KEPT = Kept(
    text='{"description": "Żółw \u2028 \x00 `<b>`"}', refused=False, model="m", input_tokens=3, output_tokens=2, cost_usd=0.25,
    latency_s=1.5, attempts=2,
)  # fmt: skip
BODY = {"model": "m", "messages": [{"role": "user", "content": "Ż \x00"}]}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "folder" / "replies.sqlite"


@pytest.fixture
def filled(path):
    store = ReplyStore(path)
    for number in range(50):
        store.put(f"{number:032x}", BODY, KEPT.model_copy(update={"text": f"reply number {number} " + "x" * 200}))
    store.close()
    return path


def _change(path, statement, *values):
    with sqlite3.connect(path) as file:
        file.execute(statement, values)
    file.close()


def _refused(path, told):
    """That a store is refused, in a sentence that says what to do, and left as it was."""
    before = path.read_bytes()
    with pytest.raises(ReplyStoreError) as raised:
        ReplyStore(path)
    assert told in str(raised.value)
    assert "It was left as it is and nothing was asked for; put your copy of it back, or move it away" in str(raised.value)
    assert path.read_bytes() == before


def test_a_reply_is_there_as_it_was_put_also_after_closing(path):
    store = ReplyStore(path)
    assert store.get("k") is None
    store.put("k", BODY, KEPT)
    assert store.get("k") == KEPT
    store.close()
    again = ReplyStore(path)
    assert again.get("k") == KEPT
    assert again.get("K") is None
    again.close()


def test_a_reply_is_on_the_disk_when_put_returns(path):
    store, other = ReplyStore(path), ReplyStore(path)
    store.put("k", BODY, KEPT)
    assert other.get("k") == KEPT
    store.close()
    other.close()


def test_a_key_depends_on_all_that_is_sent_and_not_on_its_order():
    assert key_of({"a": 1, "b": [1, 2]}) == key_of({"b": [1, 2], "a": 1})
    assert len({key_of(body) for body in ({"a": 1}, {"a": 2}, {"a": "1"}, {"b": 1}, {"a": [1]}, {"a": 1.5}, {})}) == 7


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE replies SET reply = replace(reply, 'number 7', 'number 8') WHERE key LIKE '%7'",
        "UPDATE replies SET request = replace(request, 'user', 'used')",
        "UPDATE replies SET checksum = 'x'",
        "UPDATE replies SET reply = '{}'",
        "UPDATE replies SET reply = CAST(x'7b22ff22' AS TEXT)",
        "UPDATE replies SET checksum = CAST(x'ff' AS TEXT)",
        "UPDATE replies SET reply = (SELECT reply FROM replies WHERE key LIKE '%8')",
    ],
    ids=["reply", "request", "checksum", "nothing", "no text", "no checksum", "another's"],
)
def test_a_damaged_reply_is_told_of_not_used_and_asked_for_again(filled, statement, caplog):
    _change(filled, statement)
    store = ReplyStore(filled)
    key = f"{7:032x}"
    assert store.get(key) is None
    assert f"Reply {key} in {filled} is damaged and not used; it is asked for again." in caplog.text
    store.put(key, BODY, KEPT)
    assert store.get(key) == KEPT
    store.close()


def test_a_byte_that_changed_anywhere_in_the_file_is_never_believed(filled):
    good = filled.read_bytes()
    texts = {f"{number:032x}": f"reply number {number} " + "x" * 200 for number in range(50)}
    refused = 0
    for place in range(0, len(good), 379):
        filled.write_bytes(good[:place] + bytes([good[place] ^ 0x41]) + good[place + 1 :])
        try:
            store = ReplyStore(filled)
        except ReplyStoreError:
            refused += 1
            continue
        for key, text in texts.items():
            try:
                kept = store.get(key)
            except ReplyStoreError:
                continue
            assert kept is None or kept.text == text
        store.close()
    assert refused > 0


def test_a_client_asks_again_for_what_is_damaged(serve, llm, caplog):
    server = serve()
    client = llm(server)
    complete(outcomes(client, scripts(4)), 4)
    _change(client.parameters.replies, "UPDATE replies SET reply = replace(reply, 'falls', 'walks') WHERE request LIKE '%0002%'")
    got = outcomes(llm(server), scripts(4))
    complete(got, 4)
    assert "falls" in got[2].said
    assert [logged.marker for logged in server.chats][4:] == ["item-0002"]
    assert "is damaged and not used" in caplog.text


def test_a_reply_that_fits_its_schema_no_more_is_asked_for_again(serve, llm, caplog):
    server = serve()
    client = llm(server)
    key = client.key_of(request(0))
    client.store.put(key, client.body_of(request(0)), KEPT.model_copy(update={"text": '{"other": 1}'}))
    complete(outcomes(client, scripts(1)), 1)
    assert f"Reply {key} in {client.parameters.replies} is not what is asked for any more" in caplog.text
    assert len(server.chats) == 1


def test_a_store_of_another_version(filled):
    _change(filled, "PRAGMA user_version = 7")
    _refused(filled, f"{filled} was written by another HAWK (version 7; this one reads 1)")


def test_another_program_s_database(path):
    path.parent.mkdir()
    _change(path, "CREATE TABLE t (a)")
    _refused(path, f"{path} is no store of replies")


def test_a_store_without_its_tables(filled):
    _change(filled, "DROP TABLE replies")
    store = ReplyStore(filled)
    with pytest.raises(ReplyStoreError, match="is damaged or no store of replies"):
        store.get("k")
    store.close()


@pytest.mark.parametrize(
    "content", [b"key,reply\n", b"\x00" * 5000, b"SQLite format 3\x00" + b"\x07" * 5000], ids=["csv", "0", "sqlite"]
)
def test_a_file_that_is_no_database(path, content):
    path.parent.mkdir()
    path.write_bytes(content)
    _refused(path, "store of replies")


def test_a_damaged_file(filled):
    content = bytearray(filled.read_bytes())
    content[4096:4196] = b"\xff" * 100
    filled.write_bytes(content)
    _refused(filled, "is damaged or no store of replies")


def test_a_file_that_was_cut_short(filled):
    filled.write_bytes(filled.read_bytes()[:9000])
    _refused(filled, "is damaged or no store of replies")


def test_an_empty_file_is_no_new_store(path):
    path.parent.mkdir()
    path.touch()
    _refused(path, f"{path} is no store of replies")
    path.unlink()
    ReplyStore(path).close()
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_a_note_of_a_batch_that_is_damaged(filled):
    store = ReplyStore(filled)
    store.hand_in("file-1", ["a", "b"])
    store.begun("file-1", "batch-1")
    assert [(one.file, one.batch, one.keys) for one in store.open_batches()] == [("file-1", "batch-1", ["a", "b"])]
    for keys in ("[", '{"a": 1}', "[1]"):
        _change(filled, "UPDATE batches SET keys = ?", keys)
        with pytest.raises(ReplyStoreError, match="what it says of a batch that was handed in cannot be read"):
            store.open_batches()
    store.finished("file-1")
    assert store.open_batches() == []
    store.close()


def test_a_folder_in_its_place(path):
    path.mkdir(parents=True)
    with pytest.raises(ReplyStoreError, match=r"cannot be used .*Nothing was asked for"):
        ReplyStore(path)


def test_a_file_in_the_place_of_its_folder(path):
    path.parent.write_text("x")
    with pytest.raises(ReplyStoreError, match=r"cannot be used \(.*\)\. Nothing was asked for; see to its folder"):
        ReplyStore(path)


def test_many_make_one_store_at_the_same_moment(path):
    code = "import sys, pathlib; from hawk_pipelines.language.reply_store import *; ReplyStore(pathlib.Path(sys.argv[1])).close()"
    runs = [subprocess.Popen([sys.executable, "-c", code, str(path)]) for _ in range(4)]
    assert [run.wait() for run in runs] == [0] * 4
    ReplyStore(path).close()


def test_one_that_is_in_use_for_too_long(filled, monkeypatch):
    monkeypatch.setattr(reply_store, "_WAIT_S", 0.1)
    other = sqlite3.connect(filled, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(ReplyStoreError, match=r"is in use: another run has been writing to it for more than 0 s\. Try again"):
        ReplyStore(filled)
    other.close()


# --- no room, no permission ----------------------------------------------------------------------------------------------


def test_a_disk_that_is_nearly_full_is_told_of_before_anything_is_paid_for(serve, llm, monkeypatch):
    server = serve()
    usage = shutil.disk_usage("/")._replace(free=5 * 2**20)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(ReplyStoreError, match=r"Only 5 MB are free where .* Nothing was asked for; make 32 MB free"):
        llm(server)
    assert server.log == []


SMALL = """
import resource, sys
from tests.language import asking
from hawk_pipelines.errors import HawkError
with asking.client(sys.argv[1], asking.Path(sys.argv[2]), concurrency=2) as client:
    resource.setrlimit(resource.RLIMIT_FSIZE, (32_000, 32_000))
    try:
        asking.outcomes(client, asking.scripts(80))
    except HawkError as error:
        print(type(error).__name__, error)
    print(asking.sent(client), len(client.calls))
"""


def test_a_file_that_may_not_grow_ends_the_run_and_what_was_kept_is_whole(serve, llm, tmp_path):
    server = serve()
    command = [sys.executable, "-c", SMALL, server.url, str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    told, counts = done.stdout.splitlines()
    assert told.startswith(f"ReplyStoreError {tmp_path / 'replies.sqlite'} cannot be used (")
    assert "The reply that just came is lost, and the run ends here; see to its permissions and the free space." in told
    assert counts.split()[0] == str(len(server.chats))
    paid = len(server.chats)
    assert 2 <= paid < 80

    client = llm(server)
    complete(outcomes(client, scripts(80)), 80)
    lost = len(server.chats) - 80
    assert 1 <= lost <= 3


@pytest.fixture
def small_disk(tmp_path):
    """A file system of a megabyte."""
    if os.geteuid() or not shutil.which("mount"):
        pytest.skip("only root can mount a file system of a megabyte")
    folder = tmp_path / "disk"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder], capture_output=True, check=False).returncode:
        pytest.skip("this machine lets nobody mount a file system of a megabyte")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_a_full_disk_ends_the_run_and_what_was_kept_is_whole(small_disk, serve, llm, monkeypatch):
    server = serve()
    store = small_disk / "replies.sqlite"
    with pytest.raises(ReplyStoreError, match="make 32 MB free"):
        llm(server, replies=store)
    monkeypatch.setattr(reply_store, "FREE_MB", 0)
    client = llm(server, replies=store, concurrency=2)
    (small_disk / "film.mp4").write_bytes(b"x" * 980_000)
    with pytest.raises(ReplyStoreError, match=r"cannot be used \(.*full.*\)\. The reply that just came is lost"):
        outcomes(client, scripts(80))
    paid = len(server.chats)
    assert paid < 80
    (small_disk / "film.mp4").unlink()
    complete(outcomes(llm(server, replies=store), scripts(80)), 80)
    assert 1 <= len(server.chats) - 80 <= 3


@pytest.fixture
def nobody():
    """A folder, and a user who may not do everything: root may."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        root = not os.geteuid()
        if root:
            os.chown(folder, 65534, 65534)
            os.seteuid(65534)
        try:
            yield Path(folder)
        finally:
            if root:
                os.seteuid(0)


@pytest.mark.parametrize("what", ["new", "file", "folder"])
def test_what_may_not_be_written_is_told_of_before_anything_is_paid_for(nobody, what):
    path = nobody / "replies.sqlite"
    if what != "new":
        store = ReplyStore(path)
        store.put("k", BODY, KEPT)
        store.close()
    changed, mode = (path, 0o444) if what == "file" else (nobody, 0o555)
    changed.chmod(mode)
    try:
        with pytest.raises(ReplyStoreError, match=r"cannot be used \(.*\)\. Nothing was asked for; see to its .*permissions"):
            ReplyStore(path)
    finally:
        changed.chmod(0o755)


def test_refusals_can_be_dropped_beside_a_run_that_asks(serve, llm):
    """The run loses nothing that it asks for, and what it keeps meanwhile stays."""
    server = serve(latency_s=0.01, answer=lambda asked: completion("") if int(asked.marker[-1]) % 2 else None)
    client, other = llm(server, concurrency=4), llm(server)
    dropped = 0
    for _, reply in client.run(scripts(60), "test"):
        assert not isinstance(reply, Failed)
        dropped += other.store.forget(["empty", "refused"]).total()
    assert len(server.chats) == 60
    assert dropped + other.store.forget(["empty"]).total() == 30
    assert client.store.outcomes() == {"answered": 30}
