"""The connection to a server: no answer is endless, nothing is sent to another address, and no log holds the key.

What stands for OpenAI in the environment goes to OpenAI alone, and servers on this machine are asked without a proxy.

Only what connects imports this: the SDK takes seconds.
"""

import contextlib
import json
import logging
import time
from collections.abc import Iterator
from functools import cache
from urllib.parse import urlsplit

import httpx2
import openai

from hawk_pipelines.language.llm_parameters import LlmParameters

LARGEST_ERROR = 64_000
"""Bytes that are read of an answer that is an error, as they come over the wire."""
LARGEST = 16_000_000
"""Bytes that are read of any other answer but a file."""
SHORTEST_SECRET = 12
"""Characters of a key, or of a piece of one. Shorter keys are words such as `ollama`, for servers that want to see some key; what
a model writes may hold such words."""
SHORTEST_IN_WORDS = 6
"""The same where only names, errors and logs are concerned."""
LOOPBACK = ("localhost", "127.0.0.1", "::1")
"""Servers on this machine."""
OPENAI = "api.openai.com"


def without(key: str, text: str, shortest: int = SHORTEST_SECRET) -> str:
    """A text without the key, and without any piece of it that is as long as a secret.

    What stays: pieces of fewer than `SHORTEST_SECRET` characters, also where a longer piece is broken up by escapes or in other
    ways; the key in capitals, backwards or otherwise rewritten; keys of fewer than `shortest` characters.

    Args:
        key: may be empty.
        text: a server's words.
        shortest: characters that a key has to have to be looked for.
    """
    if len(key) < shortest:
        return text
    size = min(len(key), SHORTEST_SECRET)
    pieces = _pieces(key, size)
    kept, place = [], 0
    for start in range(len(text) - size + 1):
        if text[start : start + size] in pieces:
            if start >= place:  # else it goes on where the last piece ended
                kept += [text[place:start], "[key]"]
            place = start + size
    return "".join([*kept, text[place:]])


@cache
def _pieces(key: str, size: int) -> frozenset[str]:
    """All pieces of a size, of the key as it is and as JSON writes it."""
    return frozenset(form[start : start + size] for form in (key, json.dumps(key)[1:-1]) for start in range(len(form) - size + 1))


def connect(parameters: LlmParameters, key: str) -> openai.OpenAI:
    """The SDK's client for a server. It tries nothing twice: whoever counts attempts and money does.

    Args:
        parameters: which server.
        key: may be empty.

    Raises:
        ValueError: the address is none.
    """
    host = urlsplit(parameters.base_url or "").hostname or ""
    timeout = openai.Timeout(parameters.timeout_s, connect=min(10.0, parameters.timeout_s))

    def sent(request: httpx2.Request) -> None:
        request.extensions["until"] = time.monotonic() + parameters.timeout_s
        if parameters.key_header == "api-key":  # the SDK insists on its own header
            del request.headers["Authorization"]
            request.headers["api-key"] = key
        if host != OPENAI and not host.endswith(f".{OPENAI}"):  # the SDK takes them from the environment for any server
            request.headers.pop("OpenAI-Organization", None)
            request.headers.pop("OpenAI-Project", None)

    try:
        return openai.OpenAI(
            api_key=key or "none",  # a server on this machine may want none, but the SDK wants one
            base_url=parameters.base_url,
            timeout=timeout,
            max_retries=0,
            default_query=dict(parameters.query),
            http_client=openai.DefaultHttpxClient(
                base_url=parameters.base_url or "",
                timeout=timeout,
                follow_redirects=False,  # captions, frames and a key in a header of its own would go along
                mounts={f"all://[{host}]" if ":" in host else f"all://{host}": None} if host in LOOPBACK else None,  # no proxy
                event_hooks={"request": [sent], "response": [_bound]},
            ),
        )
    except httpx2.InvalidURL as error:
        raise ValueError(str(error)) from error


@contextlib.contextmanager
def key_kept_out_of_logs(key: str) -> Iterator[None]:
    """Take the key out of what the libraries log: they write down headers, in which a server may send it back."""

    def redact(record: logging.LogRecord) -> bool:
        record.msg, record.args = without(key, record.getMessage(), SHORTEST_IN_WORDS), ()
        return True

    names = [name for name in logging.root.manager.loggerDict if name.split(".")[0] in ("openai", "httpx2", "httpcore2")]
    loggers = [logging.getLogger(name) for name in names]  # a filter does not hold for the loggers below
    for logger in loggers:
        logger.addFilter(redact)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeFilter(redact)


def _bound(response: httpx2.Response) -> None:
    if response.is_success and response.request.url.path.endswith("/content"):  # a file of replies, as large as it is
        return
    most = LARGEST if response.is_success else LARGEST_ERROR
    assert isinstance(response.stream, httpx2.SyncByteStream)  # noqa: S101 - for mypy
    response.stream = _Bounded(response.stream, most, response.request.extensions["until"])


class _Bounded(httpx2.SyncByteStream):
    """An answer that ends: a server may send a byte now and then, or without end."""

    def __init__(self, stream: httpx2.SyncByteStream, most: int, until: float) -> None:
        self._stream, self._most, self._until = stream, most, until

    def __iter__(self) -> Iterator[bytes]:
        size = 0
        for part in self._stream:
            size += len(part)
            if size > self._most:
                msg = f"what comes is larger than {self._most:,} bytes"
                raise httpx2.ReadError(msg)
            if time.monotonic() > self._until:
                msg = "the answer does not end"
                raise httpx2.ReadTimeout(msg)
            yield part

    def close(self) -> None:
        self._stream.close()
