import json
import os
import signal
import subprocess
import sys
import time

import pytest

from hawk_pipelines.language import llm_batch
from hawk_pipelines.language.llm import SpendingLimit
from hawk_pipelines.language.llm_estimate import estimate
from hawk_pipelines.language.llm_report import figures
from hawk_pipelines.language.llm_server import LlmError
from tests.conftest import ROOT
from tests.language.asking import USD, complete, marker, outcomes, scripts, sent, two
from tests.servers.llm import ALL, INPUT, OUTPUT, Answer, Faults, completion, error


def test_a_job_answers_all_at_half_the_price(serve, llm):
    server = serve(batch_polls=3)
    client = llm(server, batch=True)
    complete(outcomes(client, scripts(20)), 20)
    assert server.chats == []
    assert len(server.batches) == 1
    assert client.spent_usd == pytest.approx(20 * USD / 2)
    assert client.spent_tokens == (20 * INPUT, 20 * OUTPUT, 0)
    assert client.store.open_batches() == []
    kept = [call.kept for call in client.calls]
    assert {one.cost_usd for one in kept} == {USD / 2}
    assert figures(client)["attempts"] == 0

    again = llm(server, batch=True)
    complete(outcomes(again, scripts(20)), 20)
    assert len(server.batches) == 1
    assert again.spent_usd == 0


def test_what_is_handed_in_is_what_would_be_sent_one_by_one(serve, llm):
    server = serve()
    client = llm(server, batch=True, seed=3)
    outcomes(client, scripts(3))
    lines = [json.loads(line) for line in server.files["file-1"].decode().splitlines()]
    assert [line["body"] for line in lines] == [client.body_of(next(script())) for script in scripts(3)]
    assert [line["custom_id"] for line in lines] == [client.key_of(next(script())) for script in scripts(3)]
    assert {(line["method"], line["url"]) for line in lines} == {("POST", "/v1/chat/completions")}


def test_a_second_question_goes_into_a_second_job(serve, llm):
    server = serve()
    got = outcomes(llm(server, batch=True), scripts(6, two))
    for number, (description, answers) in got.items():
        assert marker(number) in description.said
        assert marker(number) in answers.said
    assert len(server.batches) == 2
    assert server.chats == []


def test_what_a_job_could_not_answer_is_asked_one_by_one(serve, llm):
    server = serve(faults=ALL, seed=5)
    client = llm(server, batch=True)
    got = outcomes(client, scripts(40))
    assert all(marker(number) in reply.said for number, reply in got.items())
    done = [logged for logged in server.log if logged.path == "batch"]
    good = {logged.marker for logged in done if logged.outcome in ("answered", "refused")}
    assert len(done) == 40
    assert len(good) < 35
    assert {logged.marker for logged in server.chats} == {marker(number) for number in range(40)} - good
    assert len(server.chats) == sent(client)
    assert len(server.batches) == 1


def test_identical_requests_are_handed_in_once(serve, llm):
    server = serve()
    got = outcomes(llm(server, batch=True), scripts(1) * 8)
    assert len(got) == 8
    assert len(server.files["file-1"].splitlines()) == 1


def test_more_requests_than_a_job_may_hold_make_several_jobs(serve, llm, monkeypatch):
    monkeypatch.setattr(llm_batch, "MOST", 7)
    server = serve()
    complete(outcomes(llm(server, batch=True), scripts(20)), 20)
    assert sorted(len(server.files[f"file-{n}"].splitlines()) for n in (1, 2, 3)) == [6, 7, 7]


def test_line_ends_inside_replies_are_no_ends_of_lines(serve, llm):
    server = serve(
        answer=lambda asked: completion(json.dumps({"description": f"{asked.marker} a\u2028b\x85c\x0bd"}, ensure_ascii=False))
    )
    client = llm(server, batch=True)
    complete(outcomes(client, scripts(3)), 3)
    assert server.chats == []


# --- limits --------------------------------------------------------------------------------------------------------------


def test_a_limit_hands_in_what_it_allows_and_a_higher_one_the_rest(serve, llm):
    server = serve()
    client = llm(server, batch=True, limit_tokens=1600, max_tokens=OUTPUT)
    told = r"one more request could go beyond the limit, were its reply as long as `annotate\.openai\.max_tokens` allows\. .*"
    with pytest.raises(SpendingLimit, match=told + r"raise `annotate\.openai\.limit_usd`"):
        outcomes(client, scripts(40))
    first = len([logged for logged in server.log if logged.path == "batch"])
    assert 5 <= first < 40
    assert client.spent_tokens.input + client.spent_tokens.output == first * (INPUT + OUTPUT)
    again = llm(server, batch=True, max_tokens=OUTPUT)
    complete(outcomes(again, scripts(40)), 40)
    assert len([logged for logged in server.log if logged.path == "batch"]) == 40
    assert server.chats == []


def test_a_limit_in_money(serve, llm):
    server = serve()
    client = llm(server, batch=True, limit_usd=2.5, max_tokens=400)
    with pytest.raises(SpendingLimit):
        outcomes(client, scripts(80))
    most = int(2.5 / estimate(llm(server, batch=True, max_tokens=400, seed=1), scripts(1)).most_usd)
    assert len(server.files["file-1"].splitlines()) == most > 5
    assert len(server.batches) > 2  # replies are shorter than they might be, and the next round spends what is left
    assert 2.0 < client.spent_usd <= 2.5


def test_a_limit_holds_where_every_reply_is_as_long_as_it_may_be(serve, llm):
    usage = {"prompt_tokens": 10, "completion_tokens": 400}
    server = serve(answer=lambda asked: completion(json.dumps({"description": asked.marker}), usage=usage))
    client = llm(server, batch=True, limit_usd=2.5, max_tokens=400)
    with pytest.raises(SpendingLimit):
        outcomes(client, scripts(40))
    assert 2.0 < client.spent_usd <= 2.5


def test_a_limit_that_allows_no_request_at_all(serve, llm):
    server = serve()
    with pytest.raises(SpendingLimit, match=r"has spent 0\.0000 US dollars and one more request could go beyond the limit"):
        outcomes(llm(server, batch=True, limit_tokens=1000), scripts(3))
    assert server.batches == {}


# --- runs that end in between --------------------------------------------------------------------------------------------


def _killed(server, folder, until, *settings):
    """A run in a process of its own that is killed when something holds."""
    command = [sys.executable, "-m", "tests.language.asking", server.url, str(folder), "12", "batch=true", *settings]
    process = subprocess.Popen(command, cwd=ROOT)
    try:
        while not until():
            assert process.poll() is None
            time.sleep(0.005)
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()


def test_a_run_that_is_killed_while_it_waits_finds_its_job_again(serve, llm, tmp_path):
    server = serve(batch_polls=10**9)
    _killed(server, tmp_path, lambda: any(state["polls"] > 1 for state in server.batches.values()))
    server.batch_polls = 0
    client = llm(server, batch=True)
    complete(outcomes(client, scripts(12)), 12)
    assert len(server.batches) == 1
    assert server.chats == []
    assert client.spent_usd == pytest.approx(12 * USD / 2)


def test_a_run_that_is_killed_while_its_job_is_begun_finds_it_again(serve, llm, tmp_path):
    server = serve()
    begun = []

    def begin():  # the server has begun it, and the run is not told
        begun.append(server.begin("file-1"))
        return Answer("", how="never")

    server.paths["POST /v1/batches"] = begin
    _killed(server, tmp_path, lambda: begun, "timeout_s=60")
    del server.paths["POST /v1/batches"]
    client = llm(server, batch=True)
    assert [(job.file, job.batch) for job in client.store.open_batches()] == [("file-1", None)]
    complete(outcomes(client, scripts(12)), 12)
    assert len(server.batches) == 1
    assert server.chats == []


def test_a_job_that_was_never_begun_is_handed_in_anew(serve, llm, caplog):
    server = serve()
    server.paths["POST /v1/batches"] = lambda: error(500, "No.")
    client = llm(server, batch=True)
    with pytest.raises(LlmError, match=r"takes no batch \(.*No\.\); set `annotate\.openai\.batch: false` if it never does"):
        outcomes(client, scripts(12))
    del server.paths["POST /v1/batches"]
    complete(outcomes(llm(server, batch=True), scripts(12)), 12)
    assert len(server.batches) == 1
    assert "The batch of 12 requests from file file-1 was never begun; it is handed in anew." in caplog.text
    assert client.store.open_batches() == []


def test_a_run_that_ends_while_it_takes_replies_in_pays_for_none_twice(serve, llm, monkeypatch):
    server = serve()
    client = llm(server, batch=True)
    put, count = client.store.put, []

    def full(*row):
        count.append(row)
        if len(count) > 5:
            raise KeyboardInterrupt
        put(*row)

    monkeypatch.setattr(client.store, "put", full)
    with pytest.raises(KeyboardInterrupt):
        outcomes(client, scripts(12))
    complete(outcomes(llm(server, batch=True), scripts(12)), 12)
    assert len(server.batches) == 1
    assert server.chats == []


def test_replies_to_what_a_later_run_does_not_ask_are_not_lost(serve, llm, tmp_path):
    server = serve(batch_polls=10**9)
    _killed(server, tmp_path, lambda: any(state["polls"] for state in server.batches.values()))
    server.batch_polls = 0
    complete(outcomes(llm(server, batch=True), scripts(4)), 4)
    client = llm(server, batch=True)
    complete(outcomes(client, scripts(12)), 12)
    assert len(server.batches) == 1
    assert server.chats == []
    assert client.store.open_batches() == []


def test_without_batches_an_open_job_is_left_alone(serve, llm, tmp_path):
    server = serve(batch_polls=10**9)
    _killed(server, tmp_path, lambda: any(state["polls"] for state in server.batches.values()))
    client = llm(server)
    complete(outcomes(client, scripts(3)), 3)
    assert len(server.chats) == 3
    assert len(client.store.open_batches()) == 1


# --- servers that fail ---------------------------------------------------------------------------------------------------


def test_a_job_that_another_server_was_given_is_not_paid_for_again_without_asking(serve, llm):
    server, other = serve(), serve()
    server.paths["GET /v1/batches/batch_1"] = lambda: error(401, "Later.")
    with pytest.raises(LlmError):
        outcomes(llm(server, batch=True), scripts(5))
    with pytest.raises(LlmError, match=r"does not know batch batch_1, in which 5 requests were handed in\. Take the address"):
        outcomes(llm(other, batch=True), scripts(5))
    assert other.batches == {}
    del server.paths["GET /v1/batches/batch_1"]
    complete(outcomes(llm(server, batch=True), scripts(5)), 5)
    assert len(server.batches) == 1


@pytest.mark.parametrize("status", ["failed", "expired", "cancelled"])
def test_a_job_that_did_not_finish_ends_the_run_and_keeps_what_it_gave(serve, llm, status):
    server = serve()
    complete_ = server.complete

    def half(state):
        complete_(state)
        lines = server.files[state["output_file_id"]].splitlines(keepends=True)
        server.files[state["output_file_id"]] = b"".join(lines[:4])
        state["status"] = status
        if status == "failed":
            del state["output_file_id"]
            state["errors"] = {"object": "list", "data": [{"code": "x", "message": "Line 3 is wrong.", "line": 3}]}

    server.complete = half
    with pytest.raises(
        LlmError, match=rf"has not done all of batch batch_1: it is {status} .* run again to hand the others in"
    ) as raised:
        outcomes(llm(server, batch=True), scripts(10))
    assert ("Line 3 is wrong." in str(raised.value)) == (status == "failed")
    assert server.chats == []
    server.complete = complete_
    client = llm(server, batch=True)
    complete(outcomes(client, scripts(10)), 10)
    anew = server.files[server.batches["batch_2"]["input_file_id"]].splitlines()
    assert len(anew) == (10 if status == "failed" else 6)
    assert server.chats == []


def test_a_server_that_does_not_say_how_a_job_is_is_asked_again(serve, llm):
    server = serve()
    silent = [
        error(500, "No."),
        error(429, "Later."),
        Answer("", how="drop"),
        Answer("", how="cut", body=b"{}  "),
        error(503, ""),
    ]

    def poll():
        answer = silent.pop(0)
        if not silent:
            del server.paths["GET /v1/batches/batch_1"]
        return answer

    server.paths["GET /v1/batches/batch_1"] = poll
    complete(outcomes(llm(server, batch=True), scripts(5)), 5)
    assert len(server.batches) == 1


@pytest.mark.parametrize(
    "answer",
    [
        error(500, "No."),
        error(401, "No."),
        error(400, "No."),
        Answer("", b"<html>", headers=[("Content-Type", "text/html")]),
        Answer("", b"[" * 100_000),
        Answer("", b"{"),
        Answer("", b'{"status": 5}'),
        Answer("", b'{"status": "in_progress", "request_counts": 5}'),
        Answer("", b'{"status": "in_progress", "request_counts": {"completed": "x"}}'),
        Answer("", b'{"status": "completed", "output_file_id": "file-9"}'),
    ],
)
def test_a_server_that_never_says_how_a_job_is_ends_the_run_and_the_job_is_found_later(serve, llm, answer):
    server = serve()
    server.paths["GET /v1/batches/batch_1"] = lambda: answer
    if answer.body.startswith(b'{"status": "in'):
        answers = [answer] * 3
        server.paths["GET /v1/batches/batch_1"] = lambda: answers.pop() if answers else error(401, "No.")
    with pytest.raises(LlmError, match=r"run again and (its replies|they) are taken in"):
        outcomes(llm(server, batch=True, give_up_after=3), scripts(5))
    server.paths.clear()
    complete(outcomes(llm(server, batch=True), scripts(5)), 5)
    assert len(server.batches) == 1
    assert server.chats == []


@pytest.mark.parametrize(
    "answer",
    [
        error(404, "No."),
        error(401, "No."),
        Answer("", b"<html>", headers=[("Content-Type", "text/html")]),
        Answer("", b"{}"),
        Answer("", b'{"id": 5}'),
        Answer("", b"[" * 100_000),
        Answer("", how="drop"),
    ],
)
@pytest.mark.parametrize("path", ["files", "batches"])
def test_a_server_that_takes_no_batch(serve, llm, answer, path):
    server = serve()
    server.paths[f"POST /v1/{path}"] = lambda: answer
    with pytest.raises(LlmError, match=r"takes no batch \(.*\); set `annotate\.openai\.batch: false` if it never does"):
        outcomes(llm(server, batch=True), scripts(5))
    assert server.chats == []


def test_lines_of_all_kinds_in_a_file_of_replies(serve, llm):
    server = serve()
    finish = server.complete

    def spoilt(state):
        finish(state)
        lines = server.files[state["output_file_id"]].split(b"\n")
        first = json.loads(lines[0])
        odd = [b"", b"{", b"[]", b"5", b"null", b"[" * 50_000, b'{"custom_id": ["a"]}', b'{"custom_id": "nobody"}', b"\xff\xfe"]
        odd += [json.dumps({"custom_id": first["custom_id"], "response": response}).encode() for response in (None, 5, {}, [])]
        odd += [json.dumps(first | {"response": {"status_code": 200, "body": body}}).encode() for body in (None, [], {"a": 1})]
        server.files[state["output_file_id"]] = b"\n".join([*odd, *lines[1:]])

    server.complete = spoilt
    complete(outcomes(llm(server, batch=True), scripts(6)), 6)
    assert [logged.marker for logged in server.chats] == [marker(0)]


def test_refusals_come_with_jobs_too(serve, llm):
    server = serve(faults=Faults(refused=1))
    client = llm(server, batch=True)
    got = outcomes(client, scripts(3))
    assert [reply.value for reply in got.values()] == [None] * 3
    assert figures(client)["refused"] == 3
    assert server.chats == []
