"""The connection to a server: no answer is endless, nothing is sent to another address, and no log holds the key.

Only what connects imports this: the SDK takes seconds.
"""

import contextlib
import json
import logging
import time
from collections.abc import Iterator

import httpx2
import openai

from hawk_pipelines.language.llm_parameters import LlmParameters

LARGEST_ERROR = 64_000
"""Bytes that are read of an answer that is an error, as they come over the wire."""
LARGEST = 16_000_000
"""Bytes that are read of any other answer but a file."""
SHORTEST_SECRET = 12
"""Characters of a key. Shorter ones are words such as `ollama`, for servers that want to see some key; texts hold such words."""


def without(key: str, text: str) -> str:
    """A text, without the key in it."""
    if len(key) < SHORTEST_SECRET:
        return text
    return text.replace(key, "[key]").replace(json.dumps(key)[1:-1], "[key]")


def connect(parameters: LlmParameters, key: str) -> openai.OpenAI:
    """The SDK's client for a server. It tries nothing twice: whoever counts attempts and money does.

    Args:
        parameters: which server.
        key: may be empty.

    Raises:
        ValueError: the address is none.
    """
    timeout = openai.Timeout(parameters.timeout_s, connect=min(10.0, parameters.timeout_s))

    def sent(request: httpx2.Request) -> None:
        request.extensions["until"] = time.monotonic() + parameters.timeout_s
        if parameters.key_header == "api-key":  # the SDK insists on its own header
            del request.headers["Authorization"]
            request.headers["api-key"] = key

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
                event_hooks={"request": [sent], "response": [_bound]},
            ),
        )
    except httpx2.InvalidURL as error:
        raise ValueError(str(error)) from error


@contextlib.contextmanager
def key_kept_out_of_logs(key: str) -> Iterator[None]:
    """Take the key out of what the libraries log: they write down headers, in which a server may send it back."""

    def redact(record: logging.LogRecord) -> bool:
        record.msg, record.args = without(key, record.getMessage()), ()
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
