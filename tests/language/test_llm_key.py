"""A server that sends the key back wherever it can: it is in no file, no message and no result."""

import logging
import traceback

import pytest

from hawk_pipelines.errors import HawkError
from hawk_pipelines.language.llm_connection import without
from hawk_pipelines.language.llm_report import rows
from tests.language.asking import KEY, outcomes, scripts, sent, two
from tests.servers.llm import ALL, Answer, completion, error

PIECES = [KEY[start : start + 12] for start in range(len(KEY) - 11)]


@pytest.fixture
def debug_log(tmp_path):
    """Everything that anything logs, in a file."""
    path = tmp_path / "debug.log"
    handler, root = logging.FileHandler(path), logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield path
    root.setLevel(level)
    root.removeHandler(handler)
    handler.close()


def _nowhere(folder, *others):
    searched = [path for path in folder.rglob("*") if path.is_file()]
    assert len(searched) >= 3
    for path in searched:
        content = path.read_bytes()
        assert [piece for piece in PIECES if piece.encode() in content] == [], path
    for other in others:
        assert [piece for piece in PIECES if piece in str(other)] == []


@pytest.mark.parametrize("header", ["authorization", "api-key"])
def test_the_key_is_nowhere_after_a_run(serve, llm, tmp_path, debug_log, header):
    server = serve(echo=True, faults=ALL, seed=1, key=KEY)
    client = llm(server, key_header=header, attempts=4, repairs=1)
    got = outcomes(client, scripts(40, two))
    assert len(server.chats) == sent(client)
    assert any(server.outcomes()[outcome] for outcome in ("429", "500", "no_json"))
    _nowhere(tmp_path, got, client.calls, rows(client, [str(number) for number in range(40)]), client, client.__dict__)
    assert sum("[key]" in call.kept.text for call in client.calls if call.outcome == "answered") > 20
    log = debug_log.read_text()
    assert "receive_response_headers.complete" in log
    assert "X-Key', b'Bearer [key]'" in log
    assert "request_id: [key]" in log


def test_the_key_is_nowhere_after_a_batch(serve, llm, tmp_path, debug_log):
    server = serve(echo=True, faults=ALL, seed=2, key=KEY)
    client = llm(server, batch=True)
    got = outcomes(client, scripts(20))
    assert server.batches
    _nowhere(tmp_path, got, client.calls)


@pytest.mark.parametrize(
    ("where", "answer"),
    [
        ("GET /v1/models", error(401, f"Wrong: {KEY}.")),
        ("GET /v1/models", error(403, f"Wrong: {KEY}.")),
        ("GET /v1/models", error(418, f"Wrong: {KEY}.")),
        ("GET /v1/models", Answer("", f'{{"data": [{{"id": "{KEY}"}}]}}'.encode())),
        ("GET /v1/models", Answer("", f"<html>{KEY}</html>".encode(), headers=[("Content-Type", "text/html")])),
        ("POST /v1/chat/completions", error(401, f"Wrong: {KEY}.")),
        ("POST /v1/chat/completions", error(404, f"Wrong: {KEY}.")),
        ("POST /v1/chat/completions", error(429, f"Wrong: {KEY}.", "insufficient_quota")),
        ("POST /v1/chat/completions", error(400, f"Wrong: {KEY}.")),
        ("POST /v1/chat/completions", error(500, f"Wrong: {KEY}.")),
        ("POST /v1/chat/completions", Answer("", f"Wrong: {KEY}".encode(), 500)),
        ("POST /v1/chat/completions", Answer("", b"", 307, [("Location", f"http://127.0.0.1:9/{KEY}")])),
        ("POST /v1/chat/completions", completion(f'{{"{KEY}": 1, "description": "A street."}}')),
        ("POST /v1/chat/completions", completion(f'{{"\\u0073{KEY[1:]}": 1, "description": "A street."}}')),
        ("POST /v1/chat/completions", completion(None, refusal=f"I know {KEY}.")),
        ("POST /v1/chat/completions", completion(None, refusal=f"I know {KEY[5:]} and {KEY[:-5]}.")),
        ("POST /v1/chat/completions", completion(f'{{"description": "{KEY[:11]}\\u{ord(KEY[11]):04x}{KEY[12:]}"}}')),
        ("POST /v1/chat/completions", completion('{"description": "A street."}', model=f"gpt-{KEY[3:20]}")),
        ("POST /v1/chat/completions", error(400, f"Wrong: {KEY[:4]}*{KEY[4:]}.")),
        ("POST /v1/files", error(400, f"Wrong: {KEY}.")),
        ("POST /v1/batches", error(400, f"Wrong: {KEY}.")),
        ("GET /v1/batches/batch_1", error(400, f"Wrong: {KEY}.")),
    ],
)
def test_no_message_and_no_chain_of_errors_holds_the_key(serve, llm, tmp_path, debug_log, where, answer):
    server = serve(echo=True)
    server.paths[where] = lambda: answer
    client = llm(server, attempts=2, give_up_after=2, batch="files" in where or "batches" in where)
    try:
        told = str(outcomes(client, scripts(3)))
    except HawkError as raised:
        told = "".join(traceback.format_exception(raised))
        logging.getLogger("a handler of the application").exception("It failed.")
    _nowhere(tmp_path, told, client.calls)


def test_logs_are_left_alone_after_a_run(serve, llm):
    outcomes(llm(serve()), scripts(1))  # the libraries have their own filters once they are imported
    transport = logging.getLogger("httpcore2.http11")
    before = list(transport.filters)
    client = llm(serve(), replies=llm(None).parameters.replies.with_name("others.sqlite"))
    outcomes(client, scripts(1))
    assert len(transport.filters) == len(before) + 1
    client.__exit__(None, None, None)
    assert transport.filters == before


@pytest.mark.parametrize("key", ["secret", "0123456789a"])
def test_a_short_key_is_in_no_name_and_no_error(serve, llm, key):
    said = completion('{"description": "A secret street, 0123456789a."}', model=f"model-{key}")
    client = llm(serve(answer=lambda asked: said if asked.marker == "item-0000" else error(400, f"Wrong: {key}.")), key=key)
    got = outcomes(client, scripts(2))
    assert got[0].kept.model == "model-[key]"
    assert got[1].reason.endswith("status 400 (Wrong: [key]).")
    assert got[0].value.description == "A secret street, 0123456789a."


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (f"<{KEY}>", "<[key]>"),
        (f"{KEY}{KEY}", "[key][key]"),
        (f"<{KEY[:12]}>", "<[key]>"),
        (f"<{KEY[-12:]}>", "<[key]>"),
        (f"{KEY[3:17]} {KEY[10:]}", "[key] [key]"),
        (KEY[:11], KEY[:11]),
        (KEY.upper(), KEY.upper()),
        ("", ""),
    ],
)
def test_pieces_of_a_key(text, left):
    assert without(KEY, text) == left
