"""One request to an OpenAI-compatible server: sending it once, and reading what comes back.

Servers differ and fail in many ways; each becomes an `Attempt`, or an `LlmError` where it is no use to send anything more. The
key goes into the request's header and nowhere else: it is taken out of whatever a server says.
"""

import json
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from pydantic import BaseModel, SecretStr, ValidationError

from hawk_pipelines.errors import HawkError
from hawk_pipelines.language.llm_parameters import LlmParameters
from hawk_pipelines.language.prices import Tokens
from hawk_pipelines.language.refusals import is_refusal

LARGEST = 4_000_000
"""Bytes of a reply that are read."""
CHARACTERS_PER_TOKEN = 4.0
"""Of English, for estimates and for servers that do not count."""
TOKENS_PER_PICTURE = 800
"""For estimates, too."""
LOOPBACK = ("localhost", "127.0.0.1", "::1")
"""Servers on this machine may want no key."""


class LlmError(HawkError):
    """A server, model, key or setting that is no use: the run ends."""


class Attempt(NamedTuple):
    """What came of sending a request once."""

    text: str | None = None
    """What the model wrote; None where no reply came."""
    refusal: str | None = None
    """The model's refusal, where the server tells it apart."""
    cut: bool = False
    """Whether the text ends at the greatest length."""
    model: str = ""
    tokens: Tokens = Tokens()
    reason: str = ""
    """Why there is no reply."""
    wait_s: float | None = None
    """How long the server wants us to wait; None where it does not say."""
    final: bool = False
    """Whether it is no use to send it again."""


class Server:
    """A server that was found, with a key that it accepts and a model that it has."""

    def __init__(self, parameters: LlmParameters, key: SecretStr | None, section: str) -> None:
        """Connect, and look the model up.

        Args:
            parameters: which server and model.
            key: None where there is none.
            section: where the settings stand, such as `annotate.openai`, for messages.

        Raises:
            LlmError: no key, a wrong address, or an unknown model.
        """
        import openai

        self._parameters, self._section = parameters, section
        self._key = key.get_secret_value() if key else ""
        if parameters.base_url is None:
            msg = f"`{section}.base_url` is not set; name the server, or start one of your own with `make local-llm`."
            raise LlmError(msg)
        host = urlsplit(parameters.base_url).hostname or ""
        if not self._key and host not in LOOPBACK:
            msg = f"There is no key for {host}: set the environment variable OPENAI_API_KEY (conf/base/credentials.yml names it)."
            raise LlmError(msg)
        if any(not "!" <= character <= "~" for character in self._key):
            msg = "The key in OPENAI_API_KEY has spaces, line ends or characters that are not ASCII; copy it again."
            raise LlmError(msg)
        headers: dict[str, Any] = {}
        if parameters.key_header == "api-key":
            headers = {"Authorization": openai.Omit(), "api-key": self._key}
        self.sdk = openai.OpenAI(
            api_key=self._key or "none",  # a server on this machine may want none, but the SDK wants one
            base_url=parameters.base_url,
            timeout=openai.Timeout(parameters.timeout_s, connect=min(10.0, parameters.timeout_s)),
            max_retries=0,  # the client counts attempts, and looks at the budget in between
            default_query=dict(parameters.query),
            default_headers=headers,
        )
        if parameters.check_model:
            try:
                self._insist_on_model()
            except BaseException:
                self.close()
                raise

    def close(self) -> None:
        """Close the connections."""
        self.sdk.close()

    def send(self, body: Mapping[str, Any]) -> Attempt:
        """Send a chat request once.

        Raises:
            LlmError: the key is not accepted, the account is empty, or there is no such model.
        """
        import httpx2
        import openai

        parameters, deadline = self._parameters, time.monotonic() + self._parameters.timeout_s
        known = {name: value for name, value in body.items() if name not in parameters.extra}
        extra = {name: value for name, value in body.items() if name in parameters.extra}
        raw = bytearray()
        try:
            create = self.sdk.chat.completions.with_streaming_response.create
            with create(**known, extra_body=extra or None) as response:
                for part in response.iter_bytes():  # a server that sends a byte now and then is stopped, too
                    raw += part
                    if time.monotonic() > deadline:
                        return Attempt(reason=f"no whole reply within {parameters.timeout_s:g} s")
                    if len(raw) > LARGEST:
                        return Attempt(reason=f"the reply is larger than {LARGEST:,} bytes")
        except (openai.APITimeoutError, httpx2.TimeoutException):
            return Attempt(reason=f"no reply within {parameters.timeout_s:g} s")
        except openai.APIStatusError as error:
            return self._of_status(error)
        except (openai.APIConnectionError, httpx2.TransportError) as error:
            return Attempt(reason=f"the connection was lost ({self._cause(error)})")
        return read_completion(self.without_key(raw.decode("utf-8", errors="replace")), body)

    def without_key(self, text: str) -> str:
        """A server's words, without the key in them."""
        return text.replace(self._key, "[key]") if self._key else text

    def _insist_on_model(self) -> None:
        import openai

        address, model = self._parameters.base_url, self._parameters.model
        try:
            models = [one.id for one in self.sdk.models.list().data or []]
        except (openai.AuthenticationError, openai.PermissionDeniedError) as error:
            raise self._no_entry(error) from error
        except openai.APIConnectionError as error:
            msg = f"Nothing answers at {address} ({self._cause(error)}); correct `{self._section}.base_url`, or start the server."
            raise LlmError(msg) from error
        except (openai.OpenAIError, TypeError, AttributeError, ValueError) as error:
            status = f" (status {error.status_code})" if isinstance(error, openai.APIStatusError) else ""
            msg = (
                f"{address} gives no list of models{status}: is it the address of an OpenAI-compatible server, with its /v1? "
                f"Correct `{self._section}.base_url`, or set `{self._section}.check_model: false` where there is no such list."
            )
            raise LlmError(msg) from error
        if model not in models:
            known = ", ".join(sorted(models)[:12]) + (" …" if len(models) > 12 else "")
            msg = f"{address} has no model {model!r}; it has {known or 'none'}. Correct `{self._section}.model`."
            raise LlmError(msg)

    def _of_status(self, error: Any) -> Attempt:
        """What an error status means: another attempt, the end of this request, or of the run."""
        import openai

        detail = error.body if isinstance(error.body, dict) else {}
        code = str(detail.get("code") or "")
        words = self.without_key(" ".join(str(detail.get("message") or error.message).split()))[:300].rstrip(".")
        if isinstance(error, openai.AuthenticationError | openai.PermissionDeniedError):
            raise self._no_entry(error) from error
        if code == "insufficient_quota":
            msg = f"The account behind the key has no money left ({words}). What was answered is kept; run again to go on."
            raise LlmError(msg) from error
        if isinstance(error, openai.NotFoundError):
            msg = f"{self._parameters.base_url} knows no model {self._parameters.model!r}, or is no such address ({words})."
            raise LlmError(msg) from error
        if code == "content_filter":
            return Attempt(text="", refusal=words)
        if error.status_code in (408, 409, 425, 429) or error.status_code >= 500:
            return Attempt(reason=f"status {error.status_code} ({words})", wait_s=retry_after_s(error.response.headers))
        return Attempt(reason=f"status {error.status_code} ({words})", final=True)

    def _no_entry(self, error: Exception) -> LlmError:
        words = self.without_key(" ".join(str(error).split()))[:200]
        return LlmError(f"{self._parameters.base_url} does not accept the key in OPENAI_API_KEY ({words}).")

    def _cause(self, error: BaseException) -> str:
        """The innermost reason of an error, in one line."""
        while error.__cause__ is not None:
            error = error.__cause__
        return self.without_key(" ".join(str(error).split()))[:200] or type(error).__name__


def read_completion(raw: str, body: Mapping[str, Any]) -> Attempt:
    """Read a chat completion; only what is needed is looked at.

    Args:
        raw: what came back.
        body: what was sent.
    """
    try:
        said = json.loads(raw)
        choice = said["choices"][0]
        message = choice["message"]
        text, refusal = message.get("content") or "", message.get("refusal")
        if not isinstance(text, str) or not isinstance(refusal, str | None):
            raise TypeError
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError):
        return Attempt(reason="what came back is no chat completion in JSON")
    end = choice.get("finish_reason")
    if end == "content_filter":
        refusal = refusal or text or "The server's filter held the reply back."
    tokens = _tokens(said.get("usage"), body, text + (refusal or ""))
    return Attempt(text, refusal, end == "length", str(said.get("model") or ""), tokens)


class Understood(NamedTuple):
    """What a reply says."""

    text: str
    """The JSON that was asked for, or the words of a refusal."""
    refused: bool
    fault: str = ""
    """Why it is neither."""


def understand(attempt: Attempt, schema: type[BaseModel]) -> Understood:
    """Find the object of the schema in a reply, whatever else a server put around it; no words at all count as a refusal."""
    text = (attempt.text or "").strip()
    if attempt.refusal is not None or not text:
        return Understood((attempt.refusal or "").strip(), refused=True)
    fault = "it holds no JSON object"
    for candidate in _objects(text):
        try:
            return Understood(schema.model_validate(candidate).model_dump_json(), refused=False)
        except ValidationError as error:
            first = error.errors()[0]
            fault = f"{'.'.join(map(str, first['loc'])) or 'the object'}: {first['msg']}"
    if is_refusal(text):
        return Understood(text, refused=True)
    if attempt.cut:
        fault = "it was cut off at `max_tokens`"
    return Understood("", refused=False, fault=f"the reply is not of the form that was asked for ({fault})")


def _objects(text: str) -> Iterator[object]:
    """The JSON objects in a text: all of it, or what stands between fences and other words."""
    decoder = json.JSONDecoder()
    place, tries = text.find("{"), 0
    while place >= 0 and tries < 50:
        try:
            value, end = decoder.raw_decode(text, place)
            yield value
        except (ValueError, RecursionError):
            end = place + 1
        place, tries = text.find("{", end), tries + 1


def _tokens(usage: Any, body: Mapping[str, Any], said: str) -> Tokens:
    """What the server counted; where it does not count, about as much."""
    usage = usage if isinstance(usage, dict) else {}
    details = usage.get("prompt_tokens_details")
    read, written = _count(usage.get("prompt_tokens")), _count(usage.get("completion_tokens"))
    cached = _count(details.get("cached_tokens")) if isinstance(details, dict) else None
    read = about_tokens(body["messages"]) if read is None else read
    written = math.ceil(len(said) / CHARACTERS_PER_TOKEN) if written is None else written
    return Tokens(read, written, min(read, cached or 0))


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def about_tokens(messages: Sequence[Mapping[str, Any]]) -> int:
    """How many tokens messages are, about."""
    count = 0.0
    for message in messages:
        parts = message["content"] if isinstance(message["content"], list) else [{"text": message["content"]}]
        count += 4 + sum(len(part["text"]) / CHARACTERS_PER_TOKEN if "text" in part else TOKENS_PER_PICTURE for part in parts)
    return math.ceil(count)


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """The seconds that a server asks to wait for, from `retry-after-ms` or `Retry-After` (seconds or a date); None without."""
    try:
        if milliseconds := headers.get("retry-after-ms"):
            return max(0.0, float(milliseconds) / 1000)
        value = headers.get("retry-after")
        if value is None:
            return None
        try:
            seconds = float(value)
        except ValueError:
            seconds = (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds()
        return max(0.0, seconds) if math.isfinite(seconds) else None
    except (ValueError, TypeError):
        return None
