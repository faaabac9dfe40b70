"""Many requests handed in as one job (OpenAI's batch API): cheaper, and ready within a day.

Each round hands in the next request of every script whose reply is not in the store, waits, and takes the replies in. What was
handed in is noted in the store first, so that a run that is ended finds its job again. What a finished job could not answer is
asked one by one afterwards, as without batches; a job that did not finish ends the run, as one by one costs more.

The limit holds in batches, too: a round hands in no more than what may be paid for if every reply is as long as `max_tokens`
allows. What was really spent is known when the replies are there, and the next round hands in what the rest allows.
"""

import io
import json
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from hawk_pipelines.engine.progress import Bar
from hawk_pipelines.language.llm_server import LlmError, about_tokens
from hawk_pipelines.language.prices import Tokens, cost_usd
from hawk_pipelines.language.reply_store import Batch

if TYPE_CHECKING:
    from hawk_pipelines.language.llm import Client, Request, Script

logger = logging.getLogger(__name__)

MOST = 20_000
"""Requests in a job."""
LARGEST = 90_000_000
"""Bytes in a job."""
ENDED = ("completed", "failed", "expired", "cancelled")

Requests = dict[str, "Request"]
"""Requests by their keys."""


def fill_store(client: "Client", scripts: Sequence[Callable[[], "Script"]]) -> None:
    """Bring the replies that scripts need into the store, as far as jobs give them.

    Raises:
        LlmError: the server takes no jobs, or the limit is reached.
        SpendingLimit: not one more request fits into the limit.
    """
    from hawk_pipelines.language.llm import SpendingLimit

    unanswered: set[str] = set()
    while True:
        missing = {key: request for key, request in _next_requests(client, scripts).items() if key not in unanswered}
        if not missing:
            return
        jobs = [job for job in client.store.open_batches() if set(job.keys) & set(missing)]
        if not jobs:
            affordable = _affordable(client, missing)
            if not affordable:
                msg = (
                    f"The run has spent {client.spent_usd:.4f} US dollars and one more request could go beyond the limit, "
                    f"were its reply as long as `{client.section}.max_tokens` allows. What was answered is kept: "
                    f"raise `{client.section}.limit_usd` or `limit_tokens` and run again to go on."
                )
                raise SpendingLimit(msg)
            jobs = [_handed_in(client, portion) for portion in _portions(client, affordable)]
        for job in jobs:
            if _take_in(client, job, missing):
                unanswered |= set(job.keys)


def _next_requests(client: "Client", scripts: Sequence[Callable[[], "Script"]]) -> Requests:
    """Of every script, the first request whose reply is not in the store."""
    missing: Requests = {}
    for begin in scripts:
        script = begin()
        try:
            request = next(script)
            while (reply := client.stored(request, key := client.key_of(request))) is not None:
                request = script.send(reply)
            missing[key] = request
        except StopIteration:
            continue
        finally:
            script.close()
    return missing


def _affordable(client: "Client", missing: Requests) -> Requests:
    """As many of the requests as the limits allow, if every reply is as long as it may be."""
    parameters, chosen = client.parameters, {}
    usd, tokens = client.spent_usd, client.spent_tokens.input + client.spent_tokens.output
    for key, request in missing.items():
        one = Tokens(about_tokens(request.messages), parameters.max_tokens)
        usd += cost_usd(client.price, one, batch=True)
        tokens += one.input + one.output
        if parameters.limit_usd is not None and usd > parameters.limit_usd:
            break
        if parameters.limit_tokens is not None and tokens > parameters.limit_tokens:
            break
        chosen[key] = request
    return chosen


def _portions(client: "Client", requests: Requests) -> Iterator[dict[str, bytes]]:
    """The lines of each job, by the keys of their requests."""
    portion: dict[str, bytes] = {}
    size = 0
    for key, request in requests.items():
        line = {"custom_id": key, "method": "POST", "url": "/v1/chat/completions", "body": client.body_of(request)}
        portion[key] = json.dumps(line, ensure_ascii=False).encode() + b"\n"
        size += len(portion[key])
        if len(portion) >= MOST or size >= LARGEST:
            yield portion
            portion, size = {}, 0
    if portion:
        yield portion


def _handed_in(client: "Client", lines: Mapping[str, bytes]) -> Batch:
    import openai

    server = client.server()
    try:
        content = io.BytesIO(b"".join(lines.values()))
        file = _id(server.sdk.files.create(file=("requests.jsonl", content, "application/jsonl"), purpose="batch"))
        client.store.hand_in(file, list(lines))
        job = _id(server.sdk.batches.create(input_file_id=file, endpoint="/v1/chat/completions", completion_window="24h"))
    except (openai.OpenAIError, AttributeError, ValueError, RecursionError) as error:
        msg = f"{client.parameters.base_url} takes no batch ({_words(client, error)}); {_one_by_one(client)} if it never does."
        raise LlmError(msg) from None
    client.store.begun(file, job)
    logger.info("Batch %s with %d requests was handed in.", job, len(lines))
    return Batch(file=file, batch=job, keys=list(lines))


def _id(made: Any) -> str:
    if not isinstance(made.id, str):
        msg = "it gives no id"
        raise ValueError(msg)
    return made.id


def _take_in(client: "Client", job: Batch, requests: Requests) -> bool:
    """Wait for a job and keep its replies; False where it was never begun.

    Raises:
        LlmError: it ended before it was done, or the server does not know it or says nothing of it any more.
    """
    state = _ended(client, job)
    if state is None and job.batch is not None:
        msg = (
            f"{client.parameters.base_url} does not know batch {job.batch}, in which {len(job.keys)} requests were handed in. "
            "Take the address and the key with which that was done, and its replies are taken in; "
            f"or {_one_by_one(client)} to pay for them anew."
        )
        raise LlmError(msg)
    if state is None:
        logger.warning("The batch of %d requests from file %s was never begun; it is handed in anew.", len(job.keys), job.file)
        client.store.finished(job.file)
        return False
    taken = 0
    for line in _lines(client, state.output_file_id):
        request = requests.get(line["custom_id"]) if isinstance(line.get("custom_id"), str) else None
        if request is not None and _keep(client, line, request):
            taken += 1
    if all(key in requests or client.store.get(key) for key in job.keys):
        client.store.finished(job.file)  # else it has replies to what this run does not ask; they are there when one does
    level = logging.INFO if taken == len(job.keys) else logging.WARNING
    logger.log(level, "Batch %s is %s: %d of %d requests have a reply.", job.batch, state.status, taken, len(job.keys))
    if state.status != "completed":
        told = (state.errors.data or []) if state.errors else []
        faults = "; ".join(str(fault.message) for fault in told[:3]) or "it gives no reason"
        msg = (
            f"{client.parameters.base_url} has not done all of batch {state.id}: it is {state.status} "
            f"({client.server().without_key(faults)[:300]}). The {taken} replies that it gave are kept; run again to hand the "
            f"others in, or {_one_by_one(client)} to ask for them at the full price."
        )
        raise LlmError(msg)
    return True


def _one_by_one(client: "Client") -> str:
    return f"set `{client.section}.batch: false`"


def _words(client: "Client", error: BaseException) -> str:
    return client.server().without_key(" ".join(str(error).split()))[:300]


def _ended(client: "Client", job: Batch) -> Any:
    """The job when it has ended; None where the server knows none."""
    import openai

    sdk = client.server().sdk
    bar = Bar(f"batch of {len(job.keys)}", len(job.keys))
    shown = silent = 0
    try:
        while True:
            try:
                state = sdk.batches.retrieve(job.batch) if job.batch else _begun_on(sdk, job.file)
                if state is None or state.status in ENDED:
                    return state
                if not isinstance(state.status, str):
                    raise ValueError("it gives no status")  # noqa: EM101
                if job.batch is None:
                    client.store.begun(job.file, _id(state))
                    job = job.model_copy(update={"batch": state.id})
                done, silent = min(len(job.keys), state.request_counts.completed or 0 if state.request_counts else 0), 0
            except openai.NotFoundError:
                return None
            except (openai.OpenAIError, AttributeError, TypeError, ValueError, RecursionError) as error:
                silent += 1
                passing = isinstance(error, openai.APIConnectionError | openai.InternalServerError | openai.RateLimitError)
                if not passing or silent >= client.parameters.give_up_after:
                    msg = (
                        f"{client.parameters.base_url} does not say how batch {job.batch or 'on ' + job.file} is "
                        f"({_words(client, error)}). It is not lost: run again and its replies are taken in."
                    )
                    raise LlmError(msg) from None
                logger.info("The server does not say how batch %s is (%s); it is asked again.", job.batch, type(error).__name__)
                done = shown
            for _ in range(done - shown):
                bar.advance()
            shown = max(shown, done)
            time.sleep(client.parameters.batch_poll_s)
    finally:
        bar.close()


def _begun_on(sdk: Any, file: str) -> Any:
    """The job on a file, where the run ended before its id was noted."""
    return next((one for one in sdk.batches.list(limit=100) if one.input_file_id == file), None)


def _lines(client: "Client", file: str | None) -> Iterator[dict[str, Any]]:
    import httpx2
    import openai

    if file is None:
        return
    try:
        text = client.server().sdk.with_options(max_retries=4).files.content(file).content.decode("utf-8", errors="replace")
    except (openai.OpenAIError, httpx2.HTTPError) as error:
        msg = (
            f"The replies of a batch, file {file}, did not come ({_words(client, error)}). They are not lost: run again and they "
            "are taken in."
        )
        raise LlmError(msg) from None
    for number, line in enumerate(text.rstrip("\n").split("\n"), start=1):  # a reply may hold other kinds of line ends
        try:
            yield dict(json.loads(line))
        except (ValueError, TypeError, RecursionError):
            logger.warning("Line %d of the replies in %s is no JSON; its request is asked for one by one.", number, file)


def _keep(client: "Client", line: Mapping[str, Any], request: "Request") -> bool:
    response = line.get("response")
    if not isinstance(response, dict) or response.get("status_code") != 200:
        return False
    body, server = client.body_of(request), client.server()
    attempt = server.read(json.dumps(response.get("body")), body)
    client.spend(attempt.tokens, batch=True)
    said = server.understand(attempt, request.schema) if attempt.text is not None else None
    if said is None or said.fault:
        return False
    model = attempt.model or client.parameters.model
    beside = {} if said.text else attempt.beside
    kept = client.kept(said.text, said.refused, model, attempt.tokens, 0.0, 1, batch=True, beside=beside)
    client.store.put(client.key_of(request), body, kept)
    return True
