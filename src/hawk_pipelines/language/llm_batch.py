"""Many requests handed in as one job (OpenAI's batch API): cheaper, and ready within a day.

Each round hands in the next request of every script whose reply is not in the store, waits, and takes the replies in. What was
handed in is noted in the store first, so that a run that is ended finds its job again. What a job could not answer is asked
one by one afterwards, as without batches.
"""

import io
import json
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from hawk_pipelines.engine.progress import Bar
from hawk_pipelines.language.llm_server import LlmError, about_tokens, read_completion, understand
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
                    f"The run has spent {client.spent_usd:.4f} US dollars and its next request would go beyond the limit. "
                    f"What was answered is kept: raise `{client.section}.limit_usd` or `limit_tokens` and run again to go on."
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
            while (reply := client.stored(request)) is not None:
                request = script.send(reply)
            missing[client.key_of(request)] = request
        except StopIteration:
            continue
        finally:
            script.close()
    return missing


def _affordable(client: "Client", missing: Requests) -> Requests:
    """As many of the requests as the limits allow, by estimate."""
    parameters, chosen = client.parameters, {}
    usd, tokens = client.spent_usd, client.spent_tokens.input + client.spent_tokens.output
    for key, request in missing.items():
        one = Tokens(about_tokens(request.messages), about_tokens([{"content": request.typical.model_dump_json()}]))
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

    sdk = client.server().sdk
    try:
        content = io.BytesIO(b"".join(lines.values()))
        file = sdk.files.create(file=("requests.jsonl", content, "application/jsonl"), purpose="batch").id
        client.store.hand_in(file, list(lines))
        job = sdk.batches.create(input_file_id=file, endpoint="/v1/chat/completions", completion_window="24h").id
    except openai.OpenAIError as error:
        words = client.server().without_key(" ".join(str(error).split()))[:300]
        msg = f"{client.parameters.base_url} takes no batch ({words}); set `{client.section}.batch: false` if it never does."
        raise LlmError(msg) from error
    client.store.begun(file, job)
    logger.info("Batch %s with %d requests was handed in.", job, len(lines))
    return Batch(file=file, batch=job, keys=list(lines))


def _take_in(client: "Client", job: Batch, requests: Requests) -> bool:
    """Wait for a job and keep its replies; False where there is no such job."""
    state = _ended(client, job)
    if state is None:
        logger.warning("The batch of %d requests from file %s was never begun; it is handed in anew.", len(job.keys), job.file)
        client.store.finished(job.file)
        return False
    taken = 0
    for line in _lines(client, state.output_file_id):
        request = requests.get(line.get("custom_id", ""))
        if request is not None and _keep(client, line, request):
            taken += 1
    client.store.finished(job.file)
    level = logging.INFO if taken == len(job.keys) else logging.WARNING
    logger.log(level, "Batch %s is %s: %d of %d requests have a reply.", job.batch, state.status, taken, len(job.keys))
    if not taken and state.status == "failed":
        told = (state.errors.data or []) if state.errors else []
        faults = "; ".join(str(fault.message) for fault in told[:3]) or "it gives no reason"
        msg = f"{client.parameters.base_url} could not work on the batch ({client.server().without_key(faults)[:300]})."
        raise LlmError(msg)
    return True


def _ended(client: "Client", job: Batch) -> Any:
    """The job when it has ended; None where there is no such job."""
    import openai

    sdk = client.server().sdk
    bar = Bar(f"batch of {len(job.keys)}", len(job.keys))
    shown = 0
    try:
        while True:
            try:
                state = sdk.batches.retrieve(job.batch) if job.batch else _begun_on(sdk, job.file)
            except openai.NotFoundError:
                state = None
            except (openai.APIConnectionError, openai.InternalServerError, openai.RateLimitError) as error:
                logger.info("The server does not say how batch %s is (%s); it is asked again.", job.batch, type(error).__name__)
                time.sleep(client.parameters.batch_poll_s)
                continue
            if state is None or state.status in ENDED:
                return state
            done = state.request_counts.completed if state.request_counts else 0
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
    if file is None:
        return
    text = client.server().sdk.files.content(file).text
    for number, line in enumerate(client.server().without_key(text).splitlines(), start=1):
        try:
            yield dict(json.loads(line))
        except (ValueError, TypeError, RecursionError):
            logger.warning("Line %d of the replies in %s is no JSON; its request is asked for one by one.", number, file)


def _keep(client: "Client", line: Mapping[str, Any], request: "Request") -> bool:
    response = line.get("response")
    if not isinstance(response, dict) or response.get("status_code") != 200:
        return False
    body = client.body_of(request)
    attempt = read_completion(json.dumps(response.get("body")), body)
    client.spend(attempt.tokens, batch=True)
    said = understand(attempt, request.schema) if attempt.text is not None else None
    if said is None or said.fault:
        return False
    kept = client.kept(said.text, said.refused, attempt.model or body["model"], attempt.tokens, 0.0, 1, batch=True)
    client.store.put(client.key_of(request), body, kept)
    return True
