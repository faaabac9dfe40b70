import itertools
import sqlite3
import threading
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import partial

import pytest

from hawk_pipelines.language import llm as module
from hawk_pipelines.language.llm import Failed, SpendingLimit
from hawk_pipelines.language.llm_report import figures, rows
from hawk_pipelines.language.llm_server import LlmError
from tests.language.asking import USD, Answers, Description, complete, marker, one, outcomes, request, scripts, sent, two
from tests.servers.llm import ALL, INPUT, MARKER, OUTPUT, Answer, Faults, completion, error, kill_after


@pytest.mark.parametrize("count", [40, pytest.param(500, marks=pytest.mark.slow)])
def test_with_a_server_that_fails_in_every_way_each_item_ends_with_its_own_answer(serve, llm, count):
    odd = {marker(7): Answer("never", how="never"), marker(11): Answer("trickle", b"{", how="trickle")}

    def answer(asked):
        return odd.get(asked.marker) if asked.nth == 1 and asked.purpose == "description" else None

    server = serve(faults=ALL, seed=3, answer=answer)
    client = llm(server, timeout_s=4, first_wait_s=0.002)
    got = outcomes(client, scripts(count, two))

    assert sorted(got) == list(range(count))
    for number, (description, answers) in got.items():
        assert marker(number) in description.said
        assert answers is None or marker(number) in answers.said
    seen, figured = server.outcomes(), figures(client)
    assert len(server.chats) == sent(client) == figured["attempts"]
    assert seen["answered"] + seen["refused"] == figured["requests"] == len(client.calls)
    assert seen["refused"] == figured["refused"] == sum(call.outcome == "refused" for call in client.calls)
    assert figured["failed"] == figured["stored"] == 0
    assert sum(call.sent - 1 for call in client.calls) == sum(
        seen[fault] for fault in ("429", "500", "dropped", "broken_body", "no_json", "never", "trickle")
    )
    assert all(seen[fault] for fault in ("429", "500", "dropped", "broken_body", "no_json", "refused", "never", "trickle"))
    written = OUTPUT * (seen["answered"] + seen["refused"] + seen["no_json"])
    assert figured["output_tokens"] == sum(call.kept.output_tokens for call in client.calls) == written
    assert client.spent_usd == pytest.approx(sum(call.kept.cost_usd for call in client.calls), abs=1e-5)

    again = llm(server)
    before = len(server.chats)
    assert {number: one and one[0].said for number, one in outcomes(again, scripts(count, two)).items()} == {
        number: one[0].said for number, one in got.items()
    }
    assert len(server.chats) == before
    assert (sent(again), again.spent_usd) == (0, 0)


def test_rows_say_what_every_request_of_an_item_took(serve, llm):
    client = llm(serve(faults=Faults(rate_limited=0.4), seed=1))
    outcomes(client, scripts(5, two))
    table = rows(client, [f"video-{number}" for number in range(5)])
    assert [(row.item_id, row.purpose) for row in table] == [
        (f"video-{number}", purpose) for number in range(5) for purpose in ("description", "answers")
    ]
    assert {(row.input_tokens, row.output_tokens, row.cost_usd) for row in table} == {(INPUT, OUTPUT, USD)}
    assert sum(row.attempts for row in table) > 10
    assert all(row.model == "test-model-2026" and row.latency_s > 0 and row.outcome == "answered" for row in table)


def test_requests_go_out_side_by_side_and_no_more_than_allowed(serve, llm):
    server = serve(latency_s=0.05)
    complete(outcomes(llm(server, concurrency=6), scripts(24)), 24)
    assert server.most_at_once == 6
    assert server.chats[-1].begun - server.chats[0].begun < 24 * 0.05


def test_a_killed_run_pays_for_nothing_twice(serve, llm, tmp_path):
    server = serve(latency_s=0.04)
    kill_after(server, 15, "tests.language.asking", server.url, str(tmp_path), "40", "concurrency=4")
    with sqlite3.connect(tmp_path / "replies.sqlite") as store:
        kept = {MARKER.search(text)[0] for (text,) in store.execute("SELECT request FROM replies")}
    store.close()
    before = {logged.marker for logged in server.chats}
    assert 5 <= len(kept) < 40
    assert kept <= before
    assert len(before - kept) <= 4

    client = llm(server)
    already = len(server.chats)
    complete(outcomes(client, scripts(40)), 40)
    anew = [logged.marker for logged in server.chats[already:]]
    assert sorted(anew) == sorted({marker(number) for number in range(40)} - kept)
    assert len(anew) == sent(client)


def test_what_is_asked_twice_at_the_same_time_is_paid_for_once(serve, llm):
    server = serve(latency_s=0.05)
    client = llm(server)
    got = outcomes(client, [partial(one, 5)] * 12)
    assert len(server.chats) == 1
    assert {reply.said for reply in got.values()} == {got[0].said}
    assert figures(client)["stored"] == 11


def test_two_runs_with_one_store_at_the_same_time(serve, llm):
    server = serve(latency_s=0.01)
    clients = [llm(server), llm(server)]
    got = [None, None]

    def run(which):
        got[which] = outcomes(clients[which], scripts(20))

    threads = [threading.Thread(target=run, args=(which,)) for which in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert complete(got[0], 20)
    assert complete(got[1], 20)


@pytest.mark.parametrize(
    ("limit", "higher", "told"),
    [
        ({"limit_usd": 1.0}, {"limit_usd": 100}, "US dollars"),
        ({"limit_tokens": 750}, {"limit_tokens": 100_000}, "tokens"),
    ],
    ids=["money", "tokens"],
)
def test_a_limit_is_overshot_by_the_requests_on_their_way_at_most_and_a_higher_one_goes_on(serve, llm, limit, higher, told):
    server = serve(latency_s=0.02)
    client = llm(server, concurrency=4, **limit)
    with pytest.raises(SpendingLimit) as raised:
        outcomes(client, scripts(40))
    assert 5 <= len(server.chats) <= 5 + 3
    assert client.spent_usd == pytest.approx(len(server.chats) * USD)
    name = next(iter(limit))
    assert told in str(raised.value)
    assert f"raise `annotate.openai.{name}` and run again" in str(raised.value)
    assert "\n" not in str(raised.value)
    assert sent(client) == len(server.chats)

    again = llm(server, concurrency=4, **higher)
    complete(outcomes(again, scripts(40)), 40)
    assert len(server.chats) == 40


def test_replies_of_no_use_count_against_the_limit(serve, llm):
    server = serve(answer=lambda _: Answer("broken_body", b"{"))
    client = llm(server, concurrency=1, limit_tokens=100, give_up_after=1000)
    with pytest.raises(SpendingLimit):
        outcomes(client, scripts(40))
    assert len(server.chats) < 20


def test_an_account_that_runs_empty_ends_the_run_and_what_came_is_kept(serve, llm):
    def answer(asked):
        return error(429, "You exceeded your current quota.", "insufficient_quota") if len(server.chats) >= 10 else None

    server = serve(answer=answer)
    client = llm(server, concurrency=3)
    with pytest.raises(LlmError, match=r"no money left \(You exceeded your current quota\)\. What was answered is kept"):
        outcomes(client, scripts(40))
    assert len(server.chats) == sent(client) <= 10 + 2 * 3
    server.answer = None
    before = server.outcomes()["answered"]
    again = llm(server)
    complete(outcomes(again, scripts(40)), 40)
    assert figures(again)["stored"] == before


@pytest.mark.parametrize("status", [402, 429])
def test_accounts_without_money_are_told_by_status_or_type(serve, llm, status):
    body = b'{"error": {"message": "Insufficient balance.", "type": "insufficient_quota"}}'
    server = serve(answer=lambda _: Answer("empty", body, status))
    with pytest.raises(LlmError, match="no money left"):
        outcomes(llm(server, concurrency=1), scripts(4))
    assert len(server.chats) == 1


def test_a_key_that_is_withdrawn_in_the_middle_ends_the_run(serve, llm):
    def answer(_):
        return error(401, "This key was withdrawn.", "invalid_api_key") if len(server.chats) >= 6 else None

    server = serve(answer=answer)
    client = llm(server, concurrency=2)
    with pytest.raises(LlmError, match="does not accept the key"):
        outcomes(client, scripts(40))
    assert len(server.chats) == sent(client) <= 8


def test_one_request_without_reply_costs_its_item_and_no_other(serve, llm):
    def answer(asked):
        return error(500, "Broken for good.") if asked.marker == marker(3) else None

    server = serve(answer=answer)
    client = llm(server, attempts=3)
    got = outcomes(client, scripts(10))
    failed = got.pop(3)
    assert isinstance(failed, Failed)
    assert failed.reason == (
        "No usable reply came to the request for its description, after 3 attempts: status 500 (Broken for good)."
    )
    assert all(marker(number) in reply.said for number, reply in got.items())
    assert len(server.chats) == 12 == sent(client)
    assert [(call.script, call.sent) for call in client.calls if call.outcome == "failed"] == [(3, 3)]
    server.answer = None
    complete(outcomes(llm(server), scripts(10)), 10)
    assert len(server.chats) == 13


def test_a_request_that_a_server_refuses_for_good_is_sent_once(serve, llm):
    server = serve(answer=lambda _: error(400, "The prompt is too long.", "context_length_exceeded"))
    got = outcomes(llm(server), scripts(1))
    assert got[0].reason.endswith(
        "status 400 (The prompt is too long); tell it less (`annotate.longest_captions`, or a shorter prompt)."
    )
    assert len(server.chats) == 1


def test_a_request_that_is_too_long_for_llama_cpp(serve, llm):
    body = b'{"error": {"code": 400, "message": "Too large.", "type": "exceed_context_size_error", "n_ctx": 4096}}'
    got = outcomes(llm(serve(answer=lambda _: Answer("400", body, 400))), scripts(1))
    assert got[0].reason.endswith("status 400 (Too large); tell it less (`annotate.longest_captions`, or a shorter prompt).")


def _too_long(asked, last):
    return error(400, "Too long.", "context_length_exceeded") if marker(0) < asked.marker <= marker(last) else None


def test_requests_that_are_refused_as_they_are_do_not_end_a_run_in_which_others_are_answered(serve, llm):
    server = serve(answer=lambda asked: _too_long(asked, 12))
    client = llm(server, give_up_after=5, concurrency=1)
    got = outcomes(client, scripts(20))
    assert [number for number, one in sorted(got.items()) if isinstance(one, Failed)] == list(range(1, 13))
    again = outcomes(llm(server, give_up_after=5, concurrency=1), scripts(25))
    assert [number for number, one in sorted(again.items()) if isinstance(one, Failed)] == list(range(1, 13))


def test_a_server_that_refuses_all_requests_as_they_are_ends_the_run(serve, llm):
    server = serve(answer=lambda _: error(400, "response_format is not known."))
    client = llm(server, give_up_after=5, concurrency=2)
    with pytest.raises(LlmError) as raised:
        outcomes(client, scripts(40))
    assert str(raised.value) == (
        f"{server.url} answered none of the first 5 requests, the last because of this: status 400 "
        "(response_format is not known). Correct `annotate.openai` and run again."
    )
    assert len(server.chats) == sent(client) <= 5 + 2


def test_a_server_that_is_gone_ends_the_run(serve, llm):
    server = serve(answer=lambda _: error(503, "Away."))
    client = llm(server, attempts=2, give_up_after=4, concurrency=2)
    with pytest.raises(LlmError, match=r"4 requests to http.* failed one after the other.*503 \(Away\).*run again"):
        outcomes(client, scripts(40))
    assert len(server.chats) == sent(client) <= 2 * (4 + 2)


def test_a_model_that_writes_no_json_is_told_so_a_few_times(serve, llm):
    server = serve(answer=lambda asked: completion(f"It is {asked.marker}.", outcome="no_json"))
    client = llm(server, repairs=2)
    got = outcomes(client, scripts(1))
    assert "it holds no JSON object" in got[0].reason
    assert len(server.chats) == 3
    assert [len(body["messages"]) for body in server.bodies] == [2, 4, 4]
    assert server.bodies[1]["messages"][2] == {"role": "assistant", "content": "It is item-0000."}
    assert server.bodies[1]["messages"][3]["content"].startswith("That cannot be used: the reply is not of the form")
    assert client.spent_tokens == (300, 150, 0)


@pytest.mark.parametrize(
    ("headers", "least", "most"),
    [
        (lambda: [("Retry-After", "1")], 1, 1.9),
        (lambda: [("retry-after-ms", "700"), ("Retry-After", "30")], 0.7, 1.6),
        (lambda: [("Retry-After", format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True))], 1, 2.9),
        (lambda: [("Retry-After", "-5")], 0, 0.9),
        (lambda: [("Retry-After", "soon")], 0, 0.9),
        (list, 0, 0.9),
    ],
    ids=["seconds", "milliseconds", "date", "negative", "words", "none"],
)
def test_a_server_is_left_alone_for_as_long_as_it_asks(serve, llm, monkeypatch, headers, least, most):
    monkeypatch.setattr(module, "LONGEST_BACKOFF_S", 0.5)
    server = serve(answer=lambda asked: error(429, "Later.", None, headers()) if asked.nth == 1 else None)
    complete(outcomes(llm(server), scripts(1)), 1)
    first, second = (logged.begun for logged in server.chats)
    assert least <= second - first < most


@pytest.mark.parametrize("status", [429, 503])
def test_what_a_server_asks_for_holds_for_all_requests(serve, llm, status):
    def answer(_):
        return error(status, "Later.", None, [("Retry-After", "1.5")]) if len(server.chats) == 8 else None

    server = serve(answer=answer, latency_s=0.05)
    complete(outcomes(llm(server, concurrency=4), scripts(30)), 30)
    refused = next(logged.begun for logged in server.chats if logged.outcome == str(status))
    later = [logged.begun - refused for logged in server.chats if logged.begun > refused + 0.3]
    assert len(later) >= 30 - 8 - 4
    assert 1.5 <= min(later) < 2.5


@pytest.mark.parametrize(
    ("headers", "told"),
    [
        ([("Retry-After", "901")], "for 16 minutes (status 429 (Later)), and a run waits for 15 at most"),
        ([("Retry-After", "999999999")], "for 16,666,667 minutes"),
        ([("Retry-After", "Fri, 01 Jan 2100 00:00:00 GMT")], "minutes"),
    ],
)
def test_a_server_that_wants_to_be_left_alone_for_too_long_ends_the_run(serve, llm, headers, told):
    server = serve(answer=lambda _: error(429, "Later.", None, headers))
    client = llm(server, concurrency=1)
    with pytest.raises(LlmError, match="wants to be left alone for ") as raised:
        outcomes(client, scripts(5))
    assert told in str(raised.value)
    assert str(raised.value).endswith("What was answered is kept; run again then.")
    assert len(server.chats) == sent(client) == 1


def test_a_run_that_waits_can_be_left(serve, llm):
    server = serve(
        answer=lambda asked: error(429, "Later.", None, [("Retry-After", "800")]) if asked.marker != marker(0) else None
    )
    run = llm(server, concurrency=2).run(scripts(6), "test")
    next(run)
    while not server.outcomes()["429"]:
        time.sleep(0.01)
    begun = time.monotonic()
    run.close()
    assert time.monotonic() - begun < 2


def test_waits_grow(serve, llm):
    server = serve(answer=lambda asked: error(500, "No.") if asked.nth < 5 else None)
    complete(outcomes(llm(server, first_wait_s=0.05), scripts(1)), 1)
    begun = [logged.begun for logged in server.chats]
    waits = [later - earlier for earlier, later in itertools.pairwise(begun)]
    for number, wait in enumerate(waits):
        assert 0.025 * 2**number <= wait < 0.05 * 2**number + 0.4


def test_a_run_that_is_left_early_sends_no_more_and_keeps_what_comes(serve, llm):
    server = serve(latency_s=0.1)
    client = llm(server, concurrency=3)
    run = client.run(scripts(40, two), "test")
    next(run)
    before = len(server.chats)
    run.close()
    chats = len(server.chats)
    assert chats <= before + 1
    asked = [request(number, schema) for number in range(40) for schema in (Description, Answers)]
    assert sum(client.stored(one, client.key_of(one)) is not None for one in asked) == chats
    server.latency_s = 0
    outcomes(client, scripts(40, two))
    assert len(server.chats) == 80


def test_what_is_sent(serve, llm):
    server = serve()
    client = llm(
        server,
        temperature=0.2,
        seed=4,
        max_tokens=77,
        max_tokens_name="max_tokens",
        extra={"reasoning_effort": "low", "repeat_penalty": 1.1},
        query={"api-version": "2026-01-01"},
    )
    complete(outcomes(client, scripts(1)), 1)
    (body,) = server.bodies
    assert body == client.body_of(request(0))
    assert body["response_format"]["json_schema"]["strict"]
    assert body["response_format"]["json_schema"]["schema"]["additionalProperties"] is False
    assert (body["reasoning_effort"], body["repeat_penalty"], body["max_tokens"]) == ("low", 1.1, 77)


@pytest.mark.parametrize(
    "change",
    [
        {"model": "free"},
        {"temperature": 0.5},
        {"seed": 1},
        {"max_tokens": 99},
        {"structured": "json_object"},
        {"structured": "none"},
        {"extra": {"top_p": 0.5}},
    ],
)
def test_another_setting_that_decides_the_reply_is_another_request(serve, llm, change):
    server = serve(models=("test-model", "free"))
    complete(outcomes(llm(server), scripts(1)), 1)
    complete(outcomes(llm(server, **change), scripts(1)), 1)
    assert len(server.chats) == 2


def test_another_text_or_schema_is_another_request_and_another_server_or_key_is_not(serve, llm):
    server = serve()
    client = llm(server)
    assert len({client.key_of(one) for one in (request(0), request(1), request(0, text="!"))}) == 3
    complete(outcomes(client, scripts(1)), 1)
    complete(outcomes(llm("http://127.0.0.1:9/v1", key="another", concurrency=3, attempts=1), scripts(1)), 1)
    assert len(server.chats) == 1


def test_an_error_of_a_script_is_not_hidden(serve, llm):
    def broken(number):
        yield request(number)
        raise ZeroDivisionError

    server = serve()
    with pytest.raises(ZeroDivisionError):
        outcomes(llm(server), [*scripts(3), partial(broken, 3)])
