import gzip
import json
import socket
import time
from datetime import date

import httpx2
import pytest
from pydantic import ValidationError

from hawk_pipelines.errors import HawkError
from hawk_pipelines.language import llm_server
from hawk_pipelines.language.llm import Failed
from hawk_pipelines.language.llm_connection import connect
from hawk_pipelines.language.llm_parameters import LlmParameters
from hawk_pipelines.language.llm_server import LlmError, retry_after_s
from hawk_pipelines.language.prices import PriceError
from tests.language.asking import KEY, Description, complete, marker, outcomes, request, scripts
from tests.servers.llm import INPUT, MODEL, OUTPUT, Answer, completion, error

GOOD = json.dumps({"description": "item-0000 is a street."})
JSON = [("Content-Type", "application/json")]
HTML = Answer("", b"<html>Welcome</html>", headers=[("Content-Type", "text/html")])


def _free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def _sentence(raised):
    """What a person reads: one short paragraph."""
    text = str(raised.value)
    assert "\n" not in text
    assert len(text) < 800
    assert text.endswith(".")
    return text


# --- before any work -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "key", "told"),
    [
        ("https://llm.invalid/v1", None, "There is no key for llm.invalid: set the environment variable OPENAI_API_KEY"),
        ("https://llm.invalid/v1", "", "There is no key for llm.invalid"),
        ("https://llm.invalid/v1", KEY + "\n", "has spaces, line ends or characters that are not ASCII"),
        ("https://llm.invalid/v1", f" {KEY}", "has spaces"),
        ("https://llm.invalid/v1", "ключ-0123456789", "not ASCII"),
        ("https://llm.invalid/v1", KEY, "Nothing answers at https://llm.invalid/v1"),
        (None, KEY, "`annotate.openai.base_url` is not set; name the server, or start one of your own with `make local-llm`"),
    ],
    ids=["no key", "empty key", "line end", "space", "not ASCII", "no such host", "no address"],
)
def test_without_a_key_or_an_address_nothing_is_asked(llm, url, key, told):
    with pytest.raises(LlmError) as raised:
        outcomes(llm(url, key=key), scripts(20))
    assert told in _sentence(raised)
    assert KEY not in str(raised.value)


def test_nothing_listens(llm):
    with pytest.raises(LlmError) as raised:
        outcomes(llm(f"http://127.0.0.1:{_free_port()}/v1", key=None), scripts(20))
    assert "Nothing answers at http://127.0.0.1" in _sentence(raised)
    assert "refused" in str(raised.value)
    assert "correct `annotate.openai.base_url`, or start the server" in str(raised.value)


@pytest.mark.parametrize(
    "answer",
    [
        HTML,
        Answer("", b"[]", headers=JSON),
        Answer("", b'{"data": 5}', headers=JSON),
        Answer("", b'{"data": [5, "x"]}', headers=JSON),
        Answer("", b'{"data": "test-model"}', headers=JSON),
        Answer("", b'{"data": [', headers=JSON),
        Answer("", b'{"data": ' + b"[" * 100_000, headers=JSON),
        Answer("", b"\xff\xfe\x00", headers=JSON),
        Answer("", b"not zipped", headers=[*JSON, ("Content-Encoding", "gzip")]),
        Answer("", HTML.body, 404, HTML.headers),
        Answer("", b"x" * 300_000, 404),
        Answer("", b"", 204),
    ],
    ids=["page", "list", "number", "numbers", "word", "cut off", "deep", "bytes", "no gzip", "404", "large 404", "nothing"],
)
def test_an_http_server_that_is_no_llm_server(serve, llm, answer):
    server = serve()
    server.paths["GET /v1/models"] = lambda: answer
    with pytest.raises(LlmError) as raised:
        outcomes(llm(server), scripts(20))
    told = _sentence(raised)
    assert "gives no list of models" in told or "Nothing answers" in told
    assert "`annotate.openai.base_url`" in told
    assert server.chats == []


def test_a_list_of_models_with_odd_entries_is_no_reason_to_fall(serve, llm):
    server = serve()
    server.paths["GET /v1/models"] = lambda: Answer("", b'{"data": [{"id": 5}, {"id": null}, {}, {"id": "b"}, {"id": "a"}]}')
    with pytest.raises(LlmError, match=rf"has no model '{MODEL}'; it has a, b\. Correct `annotate.openai.model`\."):
        outcomes(llm(server), scripts(3))
    assert server.chats == []


def test_an_endless_list_of_models(serve, llm):
    server = serve()
    server.paths["GET /v1/models"] = lambda: Answer("", how="trickle")
    begun = time.monotonic()
    with pytest.raises(LlmError, match="Nothing answers at"):
        outcomes(llm(server, timeout_s=0.3), scripts(3))
    assert time.monotonic() - begun < 20
    assert server.chats == []


def test_an_address_without_its_v1(serve, llm):
    server = serve()
    with pytest.raises(LlmError) as raised:
        outcomes(llm(server.url.removesuffix("/v1")), scripts(20))
    assert "(status 404): is it the address of an OpenAI-compatible server, with its /v1?" in _sentence(raised)
    assert server.chats == []


def test_an_address_without_its_v1_where_the_list_is_not_looked_at(serve, llm):
    server = serve()
    with pytest.raises(LlmError) as raised:
        outcomes(llm(server.url.removesuffix("/v1"), check_model=False, concurrency=1), scripts(20))
    assert "or is no such address" in _sentence(raised)
    assert server.outcomes() == {}


def test_an_unknown_model(serve, llm):
    server = serve(models=("gpt-x", "gpt-y"))
    with pytest.raises(LlmError) as raised:
        outcomes(llm(server), scripts(20))
    assert f"has no model '{MODEL}'; it has gpt-x, gpt-y. Correct `annotate.openai.model`." in _sentence(raised)
    assert server.chats == []
    with pytest.raises(LlmError, match=f"knows no model '{MODEL}'"):
        outcomes(llm(server, check_model=False), scripts(20))


def test_a_model_without_a_price(serve, llm):
    server = serve(models=("dear",))
    with pytest.raises(PriceError) as raised:
        llm(server, model="dear")
    assert "has no price for the model 'dear' (it has test-model, free); add a line for it" in _sentence(raised)
    assert server.log == []


def test_a_key_that_is_not_accepted(serve, llm):
    server = serve(key="sk-another", echo=True)
    with pytest.raises(LlmError) as raised:
        outcomes(llm(server), scripts(20))
    assert "does not accept the key in OPENAI_API_KEY (Error code: 401 - Incorrect API key provided [key].)" in _sentence(raised)
    assert server.chats == []


def test_a_key_goes_where_a_gateway_wants_it(serve, llm):
    asked = []
    server = serve(key=KEY, answer=lambda one: asked.append(one.headers))
    complete(outcomes(llm(server, key_header="api-key"), scripts(1)), 1)
    complete(outcomes(llm(server, model=MODEL, seed=1), scripts(1)), 1)
    assert [(one.get("api-key"), one.get("Authorization")) for one in asked] == [(KEY, None), (None, f"Bearer {KEY}")]


def test_a_server_on_this_machine_wants_no_key(serve, llm):
    complete(outcomes(llm(serve(), key=None), scripts(2)), 2)


def test_a_list_of_models_that_comes_at_the_second_attempt(serve, llm):
    server = serve()
    answers = [error(429, "Later.", None, [("Retry-After", "0")]), error(500, "No."), None]

    def list_models():
        answer = answers.pop(0)
        if not answers:
            del server.paths["GET /v1/models"]
        return answer or Answer("", json.dumps({"object": "list", "data": [{"id": MODEL}]}).encode())

    server.paths["GET /v1/models"] = list_models
    complete(outcomes(llm(server), scripts(2)), 2)
    assert answers == []


@pytest.mark.parametrize(
    "url",
    [
        "llm.invalid/v1",
        "ftp://llm.invalid",
        "https://",
        "https://user:secret@llm.invalid/v1",
        "https://llm.invalid/v1?key=x",
        "http://llm.invalid:99999/v1",
        "http://[::1/v1",
        "https://llm.invalid/v1 ",
        "https://llm.invalid/v1\n",
        "https://llm invalid/v1",
        "https://llm.ínvalid/v1",
    ],
)
def test_what_is_no_address(url):
    with pytest.raises(ValidationError):
        LlmParameters(base_url=url)


@pytest.mark.parametrize("url", ["http://a..b/v1", "http://-/v1", "http://127.0.0.1:0/v1", "http://" + "a" * 300 + "/v1"])
def test_odd_addresses_are_told_of_in_a_sentence(llm, url):
    with pytest.raises(LlmError) as raised:
        outcomes(llm(url), scripts(2))
    assert "`annotate.openai.base_url`" in str(raised.value)


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"query": {"api-key": "x"}}, "api-key cannot be set here: they are written to MLflow; a key comes from the environment"),
        ({"query": {"subscription-key": "x"}}, "subscription-key"),
        ({"query": {"code": "x", "accessToken": "y"}}, "accessToken"),
        ({"extra": {"Authorization": "x"}}, "Authorization"),
        ({"extra": {"metadata": [{"client_secret": "x"}]}}, "client_secret"),
        ({"extra": {"user_password": "x"}}, "user_password"),
        ({"extra": {"x": float("nan")}}, "holds what JSON cannot"),
        ({"extra": {"x": [float("inf")]}}, "holds what JSON cannot"),
        (
            {"extra": {"x": date(2026, 1, 1)}},
            "holds what JSON cannot (Object of type date is not JSON serializable); write dates",
        ),
        ({"extra": {"x": "\ud800"}}, "holds what JSON cannot"),
        ({"extra": {"x": {1: 2, "a": 3}}}, "holds what JSON cannot"),
        (
            {"base_url": "https://llm.invalid/v1?key=x"},
            "a key comes from the environment (OPENAI_API_KEY), and `query` is for what",
        ),
    ],
)
def test_settings_that_are_refused(fields, told):
    with pytest.raises(ValidationError) as raised:
        LlmParameters(**fields)
    (fault,) = raised.value.errors()
    assert told in fault["msg"]
    assert "input_value" not in str(raised.value)


def test_settings_whose_names_only_look_like_secrets():
    extra = {"logit_bias": {"key": -1}, "stop_token_ids": [1], "min_tokens": 1, "prompt_cache_key": "a", "monkey": 1}
    assert LlmParameters(extra=extra, query={"api-version": "2026-01-01"}).extra == extra


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost"])
def test_a_server_on_this_machine_is_asked_without_a_proxy(serve, llm, monkeypatch, name):
    server, proxy = serve(), serve()
    for variable in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(variable, proxy.url.removesuffix("/v1"))
    for variable in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(variable, raising=False)
    complete(outcomes(llm(server.url.replace("127.0.0.1", name)), scripts(1)), 1)
    assert len(server.chats) == 1
    assert proxy.log == []
    with pytest.raises(LlmError):  # any other is asked through it
        outcomes(llm("http://llm.invalid/v1", seed=1), scripts(1))
    assert proxy.log


def test_the_organization_of_an_openai_account_is_told_to_openai_alone(serve, llm, monkeypatch):
    monkeypatch.setenv("OPENAI_ORG_ID", "org-a")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "project-a")
    asked, server = [], serve(answer=lambda one: asked.append(one.headers))
    complete(outcomes(llm(server), scripts(1)), 1)
    assert [name for name in asked[0] if name.lower().startswith("openai-")] == []

    for url in ("https://api.openai.com/v1", "https://eu.api.openai.com/v1", "https://api.openai.com.invalid/v1"):
        with connect(LlmParameters(base_url=url), KEY) as sdk:
            one = httpx2.Request("GET", url, headers=sdk.default_headers | {"x": "y"})
            for hook in sdk._client.event_hooks["request"]:
                hook(one)
            assert ("openai-organization" in one.headers) == url.endswith("openai.com/v1"), url


# --- replies -------------------------------------------------------------------------------------------------------------


def _without_usage(**usage):
    said = json.loads(completion(GOOD).body)
    del said["usage"]
    return Answer("answered", json.dumps(said | usage).encode())


@pytest.mark.parametrize(
    "answer",
    [
        completion(f"```json\n{GOOD}\n```"),
        completion(f"Sure! Here is the object {{as you wished}}:\n\n{GOOD}\n\nAnything else? {{}}"),
        completion(f"\ufeff  {GOOD}\n\n"),
        completion(f"<think>The schema is {{}}.</think>{GOOD}"),
        completion(f'<think>Say {{"description": "..."}}?\nNo.</think>{GOOD}'),
        completion(f'Say {{"description": "..."}}? No.</think>\n{GOOD}'),
        completion(GOOD.replace("street.", "street with a sign <think> and a sign </think>.")),
        completion(f"{GOOD} As I said: {GOOD}"),
        completion(GOOD, refusal=""),
        completion(GOOD, finish="length"),
        completion(GOOD, finish=None),
        Answer("answered", gzip.compress(completion(GOOD).body), headers=[("Content-Encoding", "gzip")]),
        Answer("answered", completion(GOOD).body, headers=[("Content-Type", "text/plain")]),
        Answer("answered", b"\n\n   \n" + completion(GOOD).body),
        Answer("answered", completion(GOOD).body.replace(b"street", b"stra\xdfe")),
        completion(GOOD, model=None),
        completion(GOOD, model={"a": 1}),
        completion(GOOD, usage={"prompt_tokens": "many", "completion_tokens": -1}),
        completion(GOOD, usage={"prompt_tokens": 10**300, "completion_tokens": True, "prompt_tokens_details": 5}),
        completion(GOOD, usage=[1, 2]),
        _without_usage(),
        _without_usage(usage=None),
    ],
    ids=[
        "fence", "words around", "byte order mark", "thoughts", "an object in thoughts",
        "thoughts without beginning", "thoughts in a text", "twice the same",
        "empty refusal", "whole though cut", "no finish", "gzip",
        "plain type", "blank lines", "not UTF-8", "no model", "odd model", "odd usage", "huge usage", "list as usage",
        "no usage", "null as usage",
    ],
)  # fmt: skip
def test_replies_that_are_understood_at_once(serve, llm, answer):
    server = serve(answer=lambda _: answer)
    client = llm(server)
    got = outcomes(client, scripts(1))
    complete(got, 1)
    assert got[0].value.description.startswith("item-0000 is a str")
    assert len(server.chats) == 1
    assert 0 < client.spent_tokens.input <= INPUT
    assert 0 < client.spent_tokens.output <= OUTPUT
    assert client.store.get(got[0].key) == got[0].kept


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (completion("It is a street."), "it holds no JSON object"),
        (completion('{"text": "A street."}'), "description: Field required"),
        (completion('{"description": "A", "more": 1}'), "more: Extra inputs are not permitted"),
        (completion('{"description": 5}'), "description: Input should be a valid string"),
        (completion('{"description": null}'), "description: Input should be a valid string"),
        (completion('["A street."]'), "it holds no JSON object"),
        (completion('{"description": ' + "[" * 50_000), "it holds no JSON object"),
        (completion("{" * 50_000), "it holds no JSON object"),
        (completion('{"description": "\\ud800"}'), "it holds half of a character"),
        (completion(json.dumps({"x" * 100_000: 1})), "description: Field required"),
        (completion(f'The caption says {{"description": "Nothing."}} but I say {GOOD}'), "it holds several objects of the form"),
        (completion(f'{GOOD} {{"description": "Nothing."}}', finish="length"), "it holds several objects of the form"),
        (completion(f"<think>{GOOD}</think>That was all."), "it holds no JSON object"),
    ],
    ids=[
        "words",
        "other name",
        "more",
        "number",
        "null",
        "list",
        "deep",
        "braces",
        "half a character",
        "long name",
        "two objects",
        "two objects, then cut",
        "thoughts only",
    ],
)
def test_replies_of_another_form_are_told_so_and_asked_for_again(serve, llm, answer, told):
    server = serve(answer=lambda asked: answer if asked.nth == 1 else None)
    client = llm(server)
    complete(outcomes(client, scripts(1)), 1)
    assert len(server.chats) == 2
    first, second = (body["messages"] for body in server.bodies)
    assert second[:2] == first
    assert second[2]["role"] == "assistant"
    assert len(second[2]["content"]) <= 4000
    assert f"is not of the form that was asked for ({told}" in second[3]["content"]
    assert len(second[3]["content"]) < 600
    assert (client.spent_tokens.input, client.spent_tokens.output) == (2 * INPUT, 2 * OUTPUT)
    assert client.calls[0].kept.output_tokens == 2 * OUTPUT


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ('{"description": "It is a str', "the reply was cut off at `max_tokens`; raise it"),
        ("", "nothing was said within `max_tokens`; raise it"),
        (None, "nothing was said within `max_tokens`; raise it"),
        (f"<think>Perhaps {GOOD}, or", "nothing was said within `max_tokens`; raise it"),
    ],
    ids=["object", "nothing", "null", "thoughts"],
)
def test_a_reply_that_was_cut_off_is_paid_for_once_and_not_kept(serve, llm, said, told):
    server = serve(answer=lambda _: completion(said, finish="length"))
    client = llm(server)
    got = outcomes(client, scripts(1))
    assert got[0] == Failed(f"No usable reply came to the request for its description: {told}.")
    assert len(server.chats) == 1
    assert client.spent_tokens == (INPUT, OUTPUT, 0)
    assert client.stored(request(0), client.key_of(request(0))) is None


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (completion(None, refusal="I will not."), "I will not."),
        (completion(GOOD, refusal="I will not."), "I will not."),
        (completion("I'm sorry, but I can't help with that."), "I'm sorry, but I can't help with that."),
        (completion("", finish="content_filter"), "The server's filter held the reply back."),
        (completion('{"descr', finish="content_filter"), '{"descr'),
        (error(400, "The response was filtered.", "content_filter"), "The response was filtered"),
        (completion(None, refusal="No \ud800 way."), "No ? way."),
    ],
    ids=["field", "field and words", "words", "filter", "filter with words", "Azure", "half a character"],
)
def test_refusals_are_kept_as_such_and_not_asked_for_again(serve, llm, answer, said):
    server = serve(answer=lambda _: answer)
    client = llm(server)
    got = outcomes(client, scripts(1))
    assert (got[0].value, got[0].said) == (None, said)
    assert client.calls[0].outcome == "refused"
    assert outcomes(llm(server), scripts(1))[0].said == said
    assert len(server.chats) == 1


@pytest.mark.parametrize(
    "answer",
    [
        Answer("broken", b""),
        Answer("broken", b"null"),
        Answer("broken", b"[]"),
        Answer("broken", b'{"choices": []}'),
        Answer("broken", b'{"choices": [null]}'),
        Answer("broken", b'{"choices": [{"message": null}]}'),
        Answer("broken", b'{"choices": [{"message": {"content": 5}}]}'),
        Answer("broken", b'{"choices": {"0": 1}}'),
        Answer("broken", b"[" * 100_000),
        Answer("broken", b'{"a": 1' + b"0" * 10_000),
        Answer("broken", completion(GOOD).body, how="cut"),
        Answer("broken", b"no gzip", headers=[("Content-Encoding", "gzip")]),
        Answer("broken", gzip.compress(completion(GOOD).body)[:40], headers=[("Content-Encoding", "gzip")]),
        Answer("broken", how="drop"),
        Answer("broken", b'{"error": {"message": "Overloaded"}}'),
        HTML,
        Answer("broken", b"Bad gateway", 502),
        Answer("broken", b'["x"]', 503),
        Answer("broken", b"[" * 50_000, 500),
        Answer("broken", b"no gzip", 500, [("Content-Encoding", "gzip")]),
        Answer("broken", b"half", 500, how="cut"),
        error(409, "Conflict."),
        error(408, "Too slow."),
    ],
)
def test_answers_that_are_no_reply_are_asked_for_again(serve, llm, answer):
    server = serve(answer=lambda asked: answer if asked.nth == 1 else None)
    complete(outcomes(llm(server), scripts(1)), 1)
    assert len(server.chats) == 2
    assert server.bodies[0] == server.bodies[1]


THOUGHT = {"prompt_tokens": 9, "completion_tokens": 40, "completion_tokens_details": {"reasoning_tokens": 40}}


@pytest.mark.parametrize(
    ("answer", "beside"),
    [
        (completion(""), {"finish_reason": "stop", "prompt_tokens": 100, "completion_tokens": 50, "total_tokens": 150}),
        (completion(None, finish="eos"), {"finish_reason": "eos"}),
        (completion(" \n ", refusal=" ", usage=THOUGHT), {"completion_tokens": 40, "reasoning_tokens": 40}),
        (
            completion("", finish=None, usage={"prompt_tokens": 3, "completion_tokens": -1, "total_tokens": "x"}),
            {"prompt_tokens": 3},
        ),
        (completion([], usage=None), {"finish_reason": "stop"}),
    ],
    ids=["empty", "null", "blank", "odd counts", "no parts"],
)
def test_an_empty_reply_is_no_refusal_and_is_kept_with_what_came_beside_it(serve, llm, answer, beside):
    server = serve(answer=lambda _: answer)
    client = llm(server)
    got = outcomes(client, scripts(1))
    assert (got[0].value, got[0].said, got[0].kept.refused) == (None, "", False)
    assert beside.items() <= got[0].kept.beside.items()
    assert [call.outcome for call in client.calls] == ["empty"]
    again = outcomes(llm(server), scripts(1))[0]
    assert (again.value, again.kept) == (None, got[0].kept)
    assert len(server.chats) == 1


@pytest.mark.parametrize("usage", [None, {}, {"prompt_tokens": "many"}], ids=["none", "nothing in it", "no numbers"])
def test_an_empty_reply_with_nothing_beside_it_is_not_kept(serve, llm, usage):
    server = serve(answer=lambda _: completion("", finish=None, usage=usage))
    client = llm(server)
    (reply,) = outcomes(client, scripts(1)).values()
    assert "the reply is empty, and nothing beside it says why" in reply.reason
    assert len(server.chats) == 2  # what is so twice is so again
    assert client.store.get(client.key_of(request(0))) is None


def _message(**message):
    """A completion whose message is laid out in another way."""
    said = json.loads(completion(None).body)
    said["choices"][0]["message"] = {"role": "assistant", **message}
    return Answer("answered", json.dumps(said).encode())


def _events(*deltas, end="stop"):
    events = [{"choices": [{"delta": delta, "finish_reason": None}], "model": MODEL} for delta in deltas]
    events.append({"choices": [{"delta": {}, "finish_reason": end}], "usage": {"prompt_tokens": 7, "completion_tokens": 3}})
    lines = "".join(f"data: {json.dumps(event)}\n\n" for event in events)
    return Answer("answered", f"{lines}data: [DONE]\n\n".encode(), headers=[("Content-Type", "text/event-stream")])


def _call(arguments):
    return [{"id": "1", "type": "function", "function": {"name": "description", "arguments": arguments}}]


@pytest.mark.parametrize(
    "answer",
    [
        _message(content=[{"type": "text", "text": GOOD}]),
        _message(content=[{"type": "reasoning", "reasoning": "Hm."}, {"type": "text", "text": GOOD[:9]}, {"text": GOOD[9:]}]),
        _message(content="", reasoning_content=f"It is a street. {GOOD}"),
        _message(content=None, reasoning=GOOD),
        _message(content=None, tool_calls=_call(GOOD)),
        _message(content=None, tool_calls=_call(json.loads(GOOD))),
        _events({"role": "assistant", "content": ""}, {"content": GOOD[:5]}, {"content": GOOD[5:]}),
        _events({"reasoning_content": "Hm."}, {"content": GOOD}),
    ],
    ids=["parts", "several parts", "thoughts", "reasoning", "tool", "tool object", "stream", "stream with thoughts"],
)
def test_an_answer_is_found_wherever_a_server_puts_it(serve, llm, answer):
    server = serve(answer=lambda _: answer)
    (reply,) = outcomes(llm(server), scripts(1)).values()
    assert reply.value == Description.model_validate_json(GOOD)
    assert len(server.chats) == 1


@pytest.mark.parametrize(
    ("answer", "sent", "reason"),
    [
        (_message(content="", reasoning_content="I think of a street."), 1, "the thoughts in `reasoning_content` hold no answer"),
        (_message(content="", reasoning="{} or {}"), 1, "`extra: {chat_template_kwargs: {enable_thinking: false}}`"),
        (_message(content=None, tool_calls=_call("{}")), 1, "the call in `tool_calls` is not of the form that was asked for"),
        (HTML, 2, "a web page came back instead of a chat completion; correct the address (`base_url`), with its /v1"),
    ],
    ids=["thoughts", "several objects", "tool", "page"],
)
def test_a_wrong_form_that_does_not_pass_is_not_sent_again_and_again(serve, llm, answer, sent, reason):
    server = serve(answer=lambda _: answer)
    (reply,) = outcomes(llm(server, attempts=6, first_wait_s=0.01), scripts(1)).values()
    assert isinstance(reply, Failed)
    assert reason in reply.reason
    assert len(server.chats) == sent


@pytest.mark.parametrize("how", ["never", "trickle", "endless"])
@pytest.mark.parametrize("status", [200, 500])
def test_answers_that_do_not_end_are_given_up(serve, llm, monkeypatch, how, status):
    monkeypatch.setattr(llm_server, "LARGEST", 200_000)
    server = serve(answer=lambda asked: Answer("hostile", b" ", status, how=how) if asked.nth == 1 else None)
    begun = time.monotonic()
    complete(outcomes(llm(server, timeout_s=30 if how == "endless" else 0.4), scripts(1)), 1)
    assert time.monotonic() - begun < 10
    assert len(server.chats) == 2


def test_a_small_reply_that_unpacks_without_end_is_given_up(serve, llm):
    bomb = gzip.compress(b" " * 50_000_000)
    server = serve(answer=lambda asked: Answer("bomb", bomb, headers=[("Content-Encoding", "gzip")]))
    got = outcomes(llm(server, attempts=1), scripts(1))
    assert isinstance(got[0], Failed)
    assert "the reply is larger than 4,000,000 bytes" in got[0].reason


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_nothing_is_sent_on_to_another_address(serve, llm, status):
    elsewhere = serve()
    server = serve(answer=lambda _: Answer("moved", b"", status, [("Location", f"{elsewhere.url}/chat/completions")]))
    with pytest.raises(LlmError) as raised:
        outcomes(llm(server, key_header="api-key", concurrency=1), scripts(5))
    assert f"sends us to {elsewhere.url}/chat/completions, where nothing was sent" in _sentence(raised)
    assert elsewhere.log == []
    assert len(server.chats) == 1


@pytest.mark.parametrize("key", ["x", "ollama", "EMPTY", "description", "item"])
def test_a_placeholder_in_the_place_of_a_key_changes_no_reply(serve, llm, key):
    client = llm(serve(), key=key)
    got = outcomes(client, scripts(2))
    complete(got, 2)
    assert got[1].value.description == "The description of item-0001: a man falls in the street."


def test_every_error_is_one_that_a_user_can_mend(serve, llm):
    """The statuses that a server may send, each for good."""
    server = serve()
    for status in (*range(300, 309), *range(400, 420), 422, 424, 426, 429, 451, *range(500, 512), 529, 599):
        server.answer = lambda _, status=status: error(status, "No.")
        try:
            got = outcomes(llm(server, attempts=1, check_model=False), scripts(1))
        except HawkError as raised:
            assert "No" in str(raised) or "another address" in str(raised)  # noqa: PT017
        else:
            assert isinstance(got[0], Failed), status


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "3"}, 3),
        ({"retry-after": "2.5"}, 2.5),
        ({"retry-after": "-3"}, 0),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "1e999"}, None),
        ({"retry-after": ""}, None),
        ({"retry-after": "tomorrow"}, None),
        ({"retry-after": "Wed, 99 Oct 99999 07:28:00 GMT"}, None),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 -0000"}, 0),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after-ms": "x", "retry-after": "9"}, 9),
        ({"retry-after-ms": "nan", "retry-after": "9"}, 9),
        ({}, None),
    ],
)
def test_how_long_a_server_asks_to_wait(headers, seconds):
    assert retry_after_s(headers) == seconds


def test_the_schema_of_a_reply_is_its_own(llm):
    client = llm("http://127.0.0.1:9/v1")
    assert client.body_of(request(1))["response_format"]["json_schema"]["name"] == "description"
    assert marker(1) in json.dumps(client.body_of(request(1)))
    assert Description.model_json_schema() == client.body_of(request(1))["response_format"]["json_schema"]["schema"]
