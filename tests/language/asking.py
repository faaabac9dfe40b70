"""What the tests of the client ask: something about a number, so that every answer shows to which item it belongs.

As a process of its own, which a test can kill: `python -m tests.language.asking ADDRESS FOLDER ITEMS [SETTING=JSON …]`.
"""

import json
import sys
from functools import partial
from pathlib import Path

from pydantic import BaseModel, ConfigDict, SecretStr

from hawk_pipelines.language.llm import Client, Failed, Request
from hawk_pipelines.language.llm_parameters import LlmParameters
from tests.servers.llm import MODEL

KEY = "sk-made-up-0123456789abcdef"
PRICES = f"{MODEL}: {{input: 1000, output: 2000}}\nfree: {{input: 0, output: 0}}\n"
USD = 0.2
"""What one reply costs: 100 tokens read and 50 written."""


class Description(BaseModel):
    model_config = ConfigDict(extra="forbid")

    description: str


class Answers(BaseModel):
    model_config = ConfigDict(extra="forbid")

    answer_1: str | None
    answer_2: str | None


def marker(number):
    return f"item-{number:04d}"


def request(number, schema=Description, text=""):
    messages = [{"role": "system", "content": "Describe."}, {"role": "user", "content": f"What of {marker(number)}? {text}"}]
    typical = schema(**dict.fromkeys(schema.model_fields, "x" * 100))
    return Request(schema.__name__.lower(), messages, schema, typical)


def one(number, text=""):
    """A script of one request."""
    return (yield request(number, text=text))


def two(number):
    """A description, then answers if it was not refused."""
    description = yield request(number)
    answers = None
    if description.value is not None:
        answers = yield request(number, Answers)
    return description, answers


def scripts(count, script=one):
    return [partial(script, number) for number in range(count)]


def client(url, folder, key=KEY, **settings):
    prices = folder / "prices.yml"
    prices.write_text(PRICES)
    usual = {"model": MODEL, "prices": prices, "replies": folder / "replies.sqlite", "first_wait_s": 0.01, "timeout_s": 10}
    usual |= {"limit_usd": None, "batch_poll_s": 0.02}
    parameters = LlmParameters(base_url=url, **(usual | settings))
    return Client(parameters, SecretStr(key) if key is not None else None, "annotate.openai")


def outcomes(of, made):
    """What became of scripts, by their position."""
    got = {}
    for position, outcome in of.run(made, "test"):
        assert position not in got
        got[position] = outcome
    return got


def sent(of):
    """How many requests a client says it has sent."""
    return sum(call.sent for call in of.calls)


def complete(got, count):
    """Whether every item has the answer to itself."""
    assert sorted(got) == list(range(count))
    for number, reply in got.items():
        assert not isinstance(reply, Failed), reply.reason
        assert marker(number) in reply.said
    return True


def main():
    url, folder, count, *settings = sys.argv[1:]
    given = {name: json.loads(value) for name, value in (setting.split("=", 1) for setting in settings)}
    with client(url, Path(folder), **given) as asks:
        for _ in asks.run(scripts(int(count)), "test"):
            pass


if __name__ == "__main__":
    main()
