"""What a run will ask for and what it will cost, before anything is sent; and leave to spend it."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from hawk_pipelines.language.llm import Client, Reply, Script, SpendingLimit
from hawk_pipelines.language.llm_server import about_tokens
from hawk_pipelines.language.prices import Tokens, cost_usd
from hawk_pipelines.language.reply_store import Kept


class Estimate(NamedTuple):
    """About what is needed. Replies that are in the store cost nothing and are not counted in tokens and money."""

    scripts: int
    requests: int
    """If nothing is refused and nothing has to be asked twice."""
    stored: int
    """Of the requests, those whose reply is there, or will be: another script of the same run asks the same before."""
    tokens: Tokens
    usd: float
    most_usd: float
    """If every reply is as long as it may be."""


def estimate(client: Client, scripts: Sequence[Callable[[], Script]]) -> Estimate:
    """Go through scripts with the replies that are in the store, and typical ones where they are not. Nothing is sent."""
    requests, stored, tokens = 0, 0, Tokens()
    missing: set[str] = set()
    for begin in scripts:
        script = begin()
        try:
            request = next(script)
            while True:
                requests += 1
                key = client.key_of(request)
                reply = client.stored(request, key)
                if reply is not None or key in missing:
                    stored += 1
                if reply is None:
                    said = request.typical.model_dump_json()
                    if key not in missing:
                        tokens += Tokens(about_tokens(request.messages), about_tokens([{"content": said}]))
                    missing.add(key)
                    reply = Reply(request.typical, said, key, _NOTHING)
                request = script.send(reply)
        except StopIteration:
            continue
    batch = client.parameters.batch
    longest = Tokens(tokens.input, len(missing) * client.parameters.max_tokens)
    usd, most_usd = (cost_usd(client.price, one, batch) for one in (tokens, longest))
    return Estimate(len(scripts), requests, stored, tokens, usd, most_usd)


def insist_on_leave(client: Client, expected: Estimate) -> None:
    """Refuse to begin a run that costs more than may be spent without asking.

    Raises:
        SpendingLimit: with the estimate, and how to give leave.
    """
    parameters, section = client.parameters, client.section
    if parameters.leave_to_spend or expected.usd <= parameters.ask_above_usd:
        return
    msg = (
        f"This run is estimated at {expected.usd:.2f} US dollars ({expected.requests - expected.stored:,} requests to "
        f"{parameters.model}, about {expected.tokens.input:,} tokens read and {expected.tokens.output:,} written), more than "
        f"`{section}.ask_above_usd` = {parameters.ask_above_usd:g}. Nothing was sent. "
        f"Give leave with `--params {section}.leave_to_spend=true`."
    )
    raise SpendingLimit(msg)


_NOTHING = Kept(text="", refused=False, model="", input_tokens=0, output_tokens=0, cost_usd=0, latency_s=0, attempts=0)
