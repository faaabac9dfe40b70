"""The client for language models behind any OpenAI-compatible server: OpenAI, gateways, vLLM, Ollama, llama.cpp.

Work comes as *scripts*: a script is a generator that yields requests, is sent the reply to each, and returns what it made of
them. `Client.run` runs many of them side by side. What holds for every request:

- It is looked up in the store of replies first, and a reply is in the store, on the disk, before anything is made of it. So a
  run that was killed, or is done again, pays for nothing twice.
- A reply is JSON of the schema that was asked for. Servers that ignore the schema are understood where there is such JSON in what
  they say; where there is none they are told so and asked again, a few times: each time is paid for.
- 429, 5xx, time-outs and dropped connections are tried again after a while. What `Retry-After` says holds for all requests: until
  then nothing is sent; a server that wants more than a quarter of an hour ends the run.
- Before each attempt it is asked what was spent; at the limit nothing more is sent. What is on its way then still arrives.
"""

import logging
import math
import random
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from functools import cache
from types import MappingProxyType
from typing import Any, Literal, NamedTuple, TypeVar

from pydantic import BaseModel, SecretStr, ValidationError

from hawk_pipelines.engine.progress import progress
from hawk_pipelines.errors import HawkError
from hawk_pipelines.language.llm_parameters import LlmParameters
from hawk_pipelines.language.llm_server import Attempt, LlmError, Server
from hawk_pipelines.language.prices import Tokens, cost_usd, price_of
from hawk_pipelines.language.reply_store import Kept, ReplyStore, ReplyStoreError, key_of

logger = logging.getLogger(__name__)

R = TypeVar("R")

LONGEST_BACKOFF_S = 60.0
"""Between two attempts, where the server does not say how long."""
LONGEST_WAIT_S = 900.0
"""That a server may ask for."""
REPEATED = 4000
"""Characters of an unusable reply that the model is shown when it is asked again."""


class SpendingLimit(LlmError):
    """The limit that was set is reached, or leave to spend is needed."""


class RequestFailed(HawkError):
    """One request to which no usable reply came. It costs its item."""


class Request(NamedTuple):
    """What a script asks."""

    purpose: str
    """A word for it: letters, digits and underscores."""
    messages: list[dict[str, Any]]
    schema: type[BaseModel]
    """What the reply has to be. It forbids other fields and has no defaults, as servers want it."""
    typical: BaseModel
    """A reply of usual length, for estimates."""


class Reply(NamedTuple):
    """What came back."""

    value: Any
    """An object of the request's schema; None where the model refused or said nothing."""
    said: str
    """The JSON, or the words of the refusal."""
    key: str
    """In the store of replies."""
    kept: Kept


class Failed(NamedTuple):
    """A script that came to nothing."""

    reason: str


class Call(NamedTuple):
    """What became of a request in this run, for the table of calls."""

    script: int
    """Its position."""
    purpose: str
    key: str
    outcome: Literal["answered", "refused", "empty", "failed"]
    kept: Kept
    """What it took, whenever that was."""
    sent: int
    """Attempts of this run; 0 where the reply was in the store."""


Script = Generator[Request, Reply, R]


class Client:
    """A model on a server, and the store of replies. Nothing is sent and no key is needed until a reply is missing."""

    def __init__(self, parameters: LlmParameters, key: SecretStr | None, section: str) -> None:
        """Look the price up and open the store.

        Args:
            parameters: which server and model.
            key: for the server; None where there is none.
            section: where the settings stand, such as `annotate.openai`, for messages.

        Raises:
            PriceError: the model has no price.
            ReplyStoreError: the store cannot be used.
        """
        self.parameters, self.section = parameters, section
        self.price = price_of(parameters.prices, parameters.model)
        self.store = ReplyStore(parameters.replies)
        self.calls: list[Call] = []
        self.spent_usd = 0.0
        self.spent_tokens = Tokens()
        self._key = key
        self._server: Server | None = None
        self._lock, self._connecting = threading.Lock(), threading.Lock()
        self._asking: dict[str, threading.Lock] = {}
        self._failures, self._answered = 0, False
        self._not_before = 0.0
        self._stopping = threading.Event()
        self._why: HawkError = LlmError("The run ends: nothing more is asked for.")

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()
        self.store.close()

    # --- many requests ---------------------------------------------------------------------------------------------------

    def run(self, scripts: Sequence[Callable[[], Script[R]]], title: str) -> Iterator[tuple[int, R | Failed]]:
        """Run scripts side by side; yield (position, what it returned or why it failed) in the order in which they end.

        Args:
            scripts: functions that begin one; with batches they may be begun more than once.
            title: what the progress bar says.

        Raises:
            LlmError: it is no use to go on, or the limit is reached. What was paid for is in the store.
            ReplyStoreError: a reply could not be kept.
        """
        if self.parameters.batch:
            from hawk_pipelines.language.llm_batch import fill_store

            fill_store(self, scripts)
        yield from progress(self._side_by_side(scripts), title, len(scripts))

    def _side_by_side(self, scripts: Sequence[Callable[[], Script[R]]]) -> Iterator[tuple[int, R | Failed]]:
        upcoming = iter(enumerate(scripts))
        running: dict[Future[R | Failed], int] = {}
        threads = ThreadPoolExecutor(self.parameters.concurrency, thread_name_prefix="llm")
        try:
            while True:
                for position, begin in upcoming:
                    running[threads.submit(self._to_its_end, position, begin)] = position
                    if len(running) >= 2 * self.parameters.concurrency:
                        break
                if not running:
                    return
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    yield running.pop(future), future.result()
        finally:
            self._stopping.set()
            threads.shutdown(cancel_futures=True)  # what is on its way arrives, and is kept
            self._stopping.clear()

    def _to_its_end(self, position: int, begin: Callable[[], Script[R]]) -> R | Failed:
        script = begin()
        try:
            request = next(script)
            while True:
                request = script.send(self.ask(request, position))
        except StopIteration as end:
            return end.value
        except RequestFailed as error:
            return Failed(str(error))

    # --- one request -----------------------------------------------------------------------------------------------------

    def body_of(self, request: Request) -> dict[str, Any]:
        """The request as it is sent, which decides its key."""
        parameters = self.parameters
        body: dict[str, Any] = {"model": parameters.model, "messages": request.messages, **parameters.extra}
        body[parameters.max_tokens_name] = parameters.max_tokens
        if parameters.temperature is not None:
            body["temperature"] = parameters.temperature
        if parameters.seed is not None:
            body["seed"] = parameters.seed
        if parameters.structured == "json_schema":
            schema = {"name": request.purpose, "strict": True, "schema": _schema(request.schema)}
            body["response_format"] = {"type": "json_schema", "json_schema": schema}
        elif parameters.structured == "json_object":
            body["response_format"] = {"type": "json_object"}
        return body

    def key_of(self, request: Request) -> str:
        """What its reply is stored under: model, messages and settings as they are sent, and the schema."""
        return _key(self.body_of(request), request)

    def stored(self, request: Request, key: str) -> Reply | None:
        """The reply, where it is in the store under the request's key."""
        kept = self.store.get(key)
        if kept is None:
            return None
        try:
            return _reply(request, key, kept)
        except ValidationError:  # what the schema cannot say has changed since
            logger.warning(
                "Reply %s in %s is not what is asked for any more; it is asked for again.", key, self.parameters.replies
            )
            return None

    def ask(self, request: Request, script: int = 0) -> Reply:
        """The reply to a request, from the store or from the server.

        Args:
            request: what is asked.
            script: which of the scripts asks.

        Raises:
            RequestFailed: no usable reply came.
            LlmError: it is no use to ask for anything more, or the limit is reached.
            ReplyStoreError: the reply could not be kept.
        """
        body = self.body_of(request)
        key = _key(body, request)
        with self._lock:
            asking = self._asking.setdefault(key, threading.Lock())
        with asking:  # whoever asks the same at the same time waits, and finds it in the store
            reply, sent = self.stored(request, key), 0
            if reply is None:
                kept, fault = self._sent_for(request, body)
                sent = kept.attempts
                try:
                    if fault is not None:
                        raise fault
                    self._keep(key, body, kept)
                except HawkError:
                    if sent:
                        self._note(Call(script, request.purpose, key, "failed", kept, sent))
                    raise
                reply = _reply(request, key, kept)
            self._answered = True
        self._note(Call(script, request.purpose, key, _came_to(reply.kept), reply.kept, sent))
        return reply

    def _sent_for(self, request: Request, body: dict[str, Any]) -> tuple[Kept, HawkError | None]:
        """Send until there is a usable reply, or it is no use; then say why."""
        server, begun = self.server(), time.monotonic()
        tokens, sent, repairs, messages, pause_until, was_wrong_form = Tokens(), 0, 0, body["messages"], begun, False
        while True:
            text, refused, model = "", False, self.parameters.model
            try:
                self._wait_for_turn(pause_until)
                sent += 1
                attempt = self._attempt(server, {**body, "messages": messages})
            except HawkError as error:
                return self.kept(text, refused, model, tokens, time.monotonic() - begun, sent), error
            tokens += attempt.tokens
            fault, last = attempt.reason, attempt.final or sent >= self.parameters.attempts
            last, was_wrong_form = last or (attempt.wrong_form and was_wrong_form), attempt.wrong_form
            if attempt.text is not None:
                said = server.understand(attempt, request.schema)
                text, refused, fault = said.text, said.refused, said.fault
                last = last or said.cut or repairs >= self.parameters.repairs
            if not fault or last:
                failure = self._failure(request, fault, sent, attempt.final) if fault else None
                latency_s, beside = time.monotonic() - begun, {} if text else dict(attempt.beside)
                return self.kept(text, refused, attempt.model or model, tokens, latency_s, sent, beside=beside), failure
            if attempt.text is not None:  # there is no need to wait
                text = server.said_without_key(attempt.text[:REPEATED])
                messages = [*body["messages"], {"role": "assistant", "content": text}, _again(fault)]
                repairs += 1
                continue
            backoff_s = self.parameters.first_wait_s * 2 ** (sent - 1) * random.uniform(0.5, 1)  # noqa: S311 - not all at once
            pause_until = time.monotonic() + (min(LONGEST_BACKOFF_S, backoff_s) if attempt.wait_s is None else 0)

    def _keep(self, key: str, body: dict[str, Any], kept: Kept) -> None:
        try:
            self.store.put(key, body, kept)
        except ReplyStoreError as error:
            raise self.stop(error) from error
        self._failures = 0

    def _wait_for_turn(self, until: float) -> None:
        """Return when a request may be sent: not before a moment of its own, nor while the server wants to be left alone."""
        self._insist_on_budget()
        while (left_s := max(until, self._not_before) - time.monotonic()) > 0:
            self._stopping.wait(left_s)
            self._insist_on_budget()

    def _attempt(self, server: Server, body: dict[str, Any]) -> Attempt:
        try:
            attempt = server.send(body)
        except LlmError as error:
            raise self.stop(error) from error
        self.spend(attempt.tokens)
        if attempt.wait_s is not None:
            self._leave_alone(attempt.wait_s, attempt.reason)
        return attempt

    def _leave_alone(self, seconds: float, reason: str) -> None:
        """Send nothing for so long; it is the account or the server that is too busy, not one request."""
        address = self.parameters.base_url
        if seconds > LONGEST_WAIT_S:
            msg = (
                f"{address} wants to be left alone for {math.ceil(seconds / 60):,} minutes ({reason}), and a run waits for "
                f"{LONGEST_WAIT_S / 60:g} at most. What was answered is kept; run again then."
            )
            raise self.stop(LlmError(msg))
        with self._lock:
            self._not_before = max(self._not_before, time.monotonic() + seconds)
        logger.info("%s wants to be left alone for %.1f s (%s).", address, seconds, reason)

    def kept(
        self,
        text: str,
        refused: bool,
        model: str,
        tokens: Tokens,
        latency_s: float,
        attempts: int,
        batch: bool = False,
        beside: Mapping[str, str | int] = MappingProxyType({}),
    ) -> Kept:
        """A reply and what it took, to be put into the store."""
        return Kept(
            text=text,
            refused=refused,
            model=model,
            input_tokens=tokens.input,
            output_tokens=tokens.output,
            cost_usd=round(cost_usd(self.price, tokens, batch), 9),
            latency_s=round(latency_s, 3),
            attempts=attempts,
            beside=dict(beside),
        )

    def _failure(self, request: Request, reason: str, sent: int, refused: bool) -> HawkError:
        """What a request without usable reply means: the end of its script, or of the run when there were many in a row.

        Requests that the server refuses as they are do not count, once it has answered others: some are too long, for example.
        """
        with self._lock:
            self._failures += not (refused and self._answered)
            failures = self._failures
        if refused and not self._answered and failures >= self.parameters.give_up_after:
            msg = (
                f"{self.parameters.base_url} answered none of the first {failures} requests, the last because of this: {reason}. "
                f"Correct `{self.section}` and run again."
            )
            return self.stop(LlmError(msg))
        if not refused and failures >= self.parameters.give_up_after:
            msg = (
                f"{failures} requests to {self.parameters.base_url} failed one after the other, the last because of this: "
                f"{reason}. What was answered before is kept; run again when the server is well."
            )
            return self.stop(LlmError(msg))
        tried = f", after {sent} attempts" if sent > 1 else ""
        return RequestFailed(f"No usable reply came to the request for its {request.purpose}{tried}: {reason}.")

    def _note(self, call: Call) -> None:
        with self._lock:
            self.calls.append(call)

    # --- money -----------------------------------------------------------------------------------------------------------

    def spend(self, tokens: Tokens, batch: bool = False) -> None:
        """Count what was read and written against the limits."""
        with self._lock:
            self.spent_tokens += tokens
            self.spent_usd += cost_usd(self.price, tokens, batch)

    def _insist_on_budget(self) -> None:
        """Refuse to send anything at the limit, or when the run is ending."""
        if self._stopping.is_set():
            raise self._why
        parameters, tokens = self.parameters, self.spent_tokens.input + self.spent_tokens.output
        if parameters.limit_usd is not None and self.spent_usd >= parameters.limit_usd:
            reached, name = f"{self.spent_usd:.4f} of {parameters.limit_usd:g} US dollars", "limit_usd"
        elif parameters.limit_tokens is not None and tokens >= parameters.limit_tokens:
            reached, name = f"{tokens:,} of {parameters.limit_tokens:,} tokens", "limit_tokens"
        else:
            return
        msg = (
            f"The run has spent {reached} and ends here. What was answered is kept and will not be paid for again: "
            f"raise `{self.section}.{name}` and run again to go on."
        )
        raise self.stop(SpendingLimit(msg))

    def stop(self, why: HawkError) -> HawkError:
        """Let nothing more be sent in this run; the first reason is the one that is told."""
        with self._lock:
            if not self._stopping.is_set():
                self._why = why
                self._stopping.set()
        return self._why

    def server(self) -> Server:
        """The server, looked for at the first need.

        Raises:
            LlmError: no key, a wrong address, or an unknown model.
        """
        with self._connecting:
            if self._server is None:
                self._insist_on_budget()  # where another thread has just failed to connect, the run is ending
                try:
                    self._server = Server(self.parameters, self._key, self.section)
                except LlmError as error:
                    raise self.stop(error) from error
            return self._server


@cache
def _schema(schema: type[BaseModel]) -> dict[str, Any]:
    return schema.model_json_schema()


def _key(body: dict[str, Any], request: Request) -> str:
    return key_of({"body": body, "schema": _schema(request.schema)})


def _reply(request: Request, key: str, kept: Kept) -> Reply:
    said_nothing = kept.refused or not kept.text
    return Reply(None if said_nothing else request.schema.model_validate_json(kept.text), kept.text, key, kept)


def _came_to(kept: Kept) -> Literal["answered", "refused", "empty"]:
    outcome = kept.outcome
    return outcome if outcome in ("refused", "empty") else "answered"


def _again(reason: str) -> dict[str, str]:
    return {"role": "user", "content": f"That cannot be used: {reason}. Reply with the JSON object alone, and nothing around it."}
