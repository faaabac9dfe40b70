import pytest

from hawk_pipelines.language.llm import SpendingLimit
from hawk_pipelines.language.llm_estimate import estimate, insist_on_leave
from hawk_pipelines.language.llm_report import figures
from tests.language.asking import complete, outcomes, scripts, sent, two
from tests.servers.llm import MODEL


def test_nothing_is_sent_and_no_key_is_needed(serve, llm):
    server = serve()
    for client in (llm(server), llm("https://llm.invalid/v1", key=None), llm(None)):
        expected = estimate(client, scripts(10, two))
        assert (expected.scripts, expected.requests, expected.stored) == (10, 20, 0)
        assert expected.tokens.input > 0
        assert 0 < expected.usd < expected.most_usd
        assert sent(client) == 0
    assert server.log == []


def test_a_run_needs_as_many_requests_as_were_estimated_and_what_is_stored_costs_nothing(serve, llm):
    server = serve()
    complete({number: one[0] for number, one in outcomes(llm(server), scripts(4, two)).items()}, 4)
    client = llm(server)
    expected = estimate(client, scripts(10, two))
    assert (expected.requests, expected.stored) == (20, 8)
    before = len(server.chats)
    outcomes(client, scripts(10, two))
    assert len(server.chats) - before == expected.requests - expected.stored == sent(client)
    again = estimate(client, scripts(10, two))
    assert (again.requests, again.stored, again.tokens, again.usd, again.most_usd) == (20, 20, (0, 0, 0), 0, 0)


def test_what_is_asked_twice_is_paid_for_once_in_the_estimate_too(serve, llm):
    server = serve()
    client = llm(server)
    once = estimate(client, scripts(3))
    thrice = estimate(client, scripts(3) * 3)
    assert (thrice.requests, thrice.stored) == (9, 6)
    assert (thrice.tokens, thrice.usd, thrice.most_usd) == (once.tokens, once.usd, once.most_usd)
    outcomes(client, scripts(3) * 3)
    assert len(server.chats) == 3 == thrice.requests - thrice.stored
    assert figures(client)["stored"] == 6


def test_a_batch_is_estimated_at_half_the_price_and_a_free_model_at_nothing(llm):
    one, half, free = (estimate(llm(None, **change), scripts(5)).usd for change in ({}, {"batch": True}, {"model": "free"}))
    assert half == pytest.approx(one / 2)
    assert free == 0


def test_tokens_are_estimated_from_what_is_sent(llm):
    client = llm(None)
    few, many = (estimate(client, scripts(count)).tokens for count in (10, 20))
    assert many == (2 * few.input, 2 * few.output, 0)
    assert 10 * 10 < few.input < 10 * 40  # two short sentences
    assert 10 * 25 < few.output < 10 * 50  # 100 characters in JSON


def test_a_run_above_the_sum_asks_for_leave(serve, llm):
    server = serve()
    client = llm(server, ask_above_usd=0.5)
    expected = estimate(client, scripts(100))
    with pytest.raises(SpendingLimit) as raised:
        insist_on_leave(client, expected)
    assert f"estimated at {expected.usd:.2f} US dollars (100 requests to {MODEL}, about {expected.tokens.input:,} tokens" in str(
        raised.value
    )
    assert "more than `annotate.openai.ask_above_usd` = 0.5. Nothing was sent." in str(raised.value)
    assert "`--params annotate.openai.leave_to_spend=true`" in str(raised.value)
    assert server.log == []
    insist_on_leave(llm(server, ask_above_usd=0.5, leave_to_spend=True), expected)
    insist_on_leave(llm(server, ask_above_usd=expected.usd), expected)
    insist_on_leave(llm(server, ask_above_usd=0, model="free"), estimate(llm(server, model="free"), scripts(100)))
