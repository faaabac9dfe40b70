"""One request to an OpenAI-compatible server: sending it once, and reading what comes back.

Servers differ and fail in many ways; each becomes an `Attempt`, or an `LlmError` where it is no use to send anything more. The
key goes into the request's header and nowhere else: it is taken out of whatever a server says, once its JSON is read, and errors
do not carry the SDK's own along, which quote the server. `llm_connection.without` says what is not found.
"""

import contextlib
import json
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from types import MappingProxyType
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from pydantic import BaseModel, SecretStr, ValidationError
from pydantic_core import PydanticSerializationError

from hawk_pipelines.errors import HawkError
from hawk_pipelines.language.llm_completion import THOUGHTS, WrongForm, count_of, read_completion
from hawk_pipelines.language.llm_parameters import LlmParameters
from hawk_pipelines.language.prices import Tokens
from hawk_pipelines.language.refusals import is_refusal

LARGEST = 4_000_000
"""Bytes of a reply that are read."""
CHARACTERS_PER_TOKEN = 4.0
"""Of English, for estimates and for servers that do not count."""
TOKENS_PER_PICTURE = 800
"""For estimates, too."""
TOO_LONG = {"context_length_exceeded", "exceed_context_size_error"}
"""What OpenAI and llama.cpp call a request that does not fit into the model's context."""


class LlmError(HawkError):
    """A server, model, key or setting that is no use: the run ends."""


class Attempt(NamedTuple):
    """What came of sending a request once."""

    text: str | None = None
    """What the model wrote, as it came; None where no reply came."""
    refusal: str | None = None
    """The model's refusal, where the server tells it apart."""
    cut: bool = False
    """Whether the text ends at the greatest length."""
    model: str = ""
    tokens: Tokens = Tokens()
    """Where nothing usable came of a request that the server may have worked on: what it has probably read."""
    reason: str = ""
    """Why there is no reply."""
    wait_s: float | None = None
    """How long the server wants us to wait; None where it does not say."""
    final: bool = False
    """Whether it is no use to send it again."""
    wrong_form: bool = False
    """Whether it was no completion at all; what is so twice will be so again."""
    place: str = ""
    """The field in which the words were found, where it is not the message's content."""
    beside: Mapping[str, str | int] = MappingProxyType({})
    """Why it ended and what it took, as far as the server says."""


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
        from hawk_pipelines.language.llm_connection import LOOPBACK, connect, key_kept_out_of_logs

        self._parameters, self._section = parameters, section
        self._key = key.get_secret_value() if key else ""
        if parameters.base_url is None:
            msg = f"`{section}.base_url` is not set; name the server, or start one of your own with `make local-llm`."
            raise LlmError(msg)
        host = urlsplit(parameters.base_url).hostname or ""
        if not self._key and host not in LOOPBACK:  # servers on this machine may want none
            msg = f"There is no key for {host}: set the environment variable OPENAI_API_KEY (conf/base/credentials.yml names it)."
            raise LlmError(msg)
        if any(not "!" <= character <= "~" for character in self._key):
            msg = "The key in OPENAI_API_KEY has spaces, line ends or characters that are not ASCII; copy it again."
            raise LlmError(msg)
        try:
            self.sdk = connect(parameters, self._key)
        except ValueError as error:
            msg = f"{parameters.base_url} is no address ({error}); correct `{section}.base_url`."
            raise LlmError(msg) from None
        self._open = contextlib.ExitStack()
        self._open.enter_context(key_kept_out_of_logs(self._key))
        self._open.callback(self.sdk.close)
        if parameters.check_model:
            try:
                self._insist_on_model()
            except BaseException:
                self.close()
                raise

    def close(self) -> None:
        """Close the connections."""
        self._open.close()

    def send(self, body: Mapping[str, Any]) -> Attempt:
        """Send a chat request once.

        Raises:
            LlmError: the key is not accepted, the account is empty, or there is no such model.
        """
        import httpx2
        import openai

        parameters, raw = self._parameters, bytearray()
        known = {name: value for name, value in body.items() if name not in parameters.extra}
        extra = {name: value for name, value in body.items() if name in parameters.extra}
        try:
            create = self.sdk.chat.completions.with_streaming_response.create
            with create(**known, extra_body=extra or None) as response:
                for part in response.iter_bytes():
                    raw += part
                    if len(raw) > LARGEST:
                        return Attempt(reason=f"the reply is larger than {LARGEST:,} bytes", tokens=_read(body))
        except (openai.APITimeoutError, httpx2.TimeoutException) as error:
            return Attempt(reason=f"no whole reply within {parameters.timeout_s:g} s", tokens=_read(body, error))
        except openai.APIStatusError as error:
            return self._of_status(error)
        except (openai.APIConnectionError, httpx2.RequestError) as error:
            return Attempt(reason=f"the connection was lost ({self._cause(error)})", tokens=_read(body, error))
        return self.read(raw.decode("utf-8", errors="replace"), body)

    def read(self, raw: str, body: Mapping[str, Any]) -> Attempt:
        """Read a chat completion. The key is taken out, out of what the model wrote when that is understood: in JSON, a piece
        of the key may begin in the middle of an escape.

        Args:
            raw: what came back.
            body: what was sent.
        """
        attempt = _read_completion(raw, body)
        refusal = None if attempt.refusal is None else self.said_without_key(attempt.refusal)
        beside = {name: self.without_key(value) if isinstance(value, str) else value for name, value in attempt.beside.items()}
        return attempt._replace(refusal=refusal, model=self.without_key(attempt.model), beside=beside)

    def understand(self, attempt: Attempt, schema: type[BaseModel]) -> "Understood":
        """What a reply says; the key is not in it."""
        return _understand(attempt, schema, self.said_without_key)

    def without_key(self, text: str) -> str:
        """A server's name for something or words about an error, without the key in them."""
        from hawk_pipelines.language.llm_connection import SHORTEST_IN_WORDS, without

        return without(self._key, text, SHORTEST_IN_WORDS)

    def said_without_key(self, text: str) -> str:
        """A model's words without the key in them, unless it is so short that it may be one of the words."""
        from hawk_pipelines.language.llm_connection import without

        return without(self._key, text)

    def _insist_on_model(self) -> None:
        import httpx2
        import openai

        address, model = self._parameters.base_url, self._parameters.model
        asking = self.sdk.with_options(max_retries=2, timeout=min(30.0, self._parameters.timeout_s))  # it costs nothing
        try:
            models = [one.id for one in asking.models.list().data or [] if isinstance(one.id, str)]
        except (openai.AuthenticationError, openai.PermissionDeniedError) as error:
            raise self._no_entry(error) from None
        except openai.APIConnectionError as error:
            msg = f"Nothing answers at {address} ({self._cause(error)}); correct `{self._section}.base_url`, or start the server."
            raise LlmError(msg) from None
        except (openai.OpenAIError, httpx2.HTTPError, TypeError, AttributeError, ValueError, RecursionError) as error:
            status = f" (status {error.status_code})" if isinstance(error, openai.APIStatusError) else ""
            msg = (
                f"{address} gives no list of models{status}: is it the address of an OpenAI-compatible server, with its /v1? "
                f"Correct `{self._section}.base_url`, or set `{self._section}.check_model: false` where there is no such list."
            )
            raise LlmError(msg) from None
        if model not in models:
            known = ", ".join(sorted(models)[:12]) + (" …" if len(models) > 12 else "")
            has = self.without_key(known)[:500] or "none"
            msg = f"{address} has no model {model!r}; it has {has}. Correct `{self._section}.model`."
            raise LlmError(msg)

    def _of_status(self, error: Any) -> Attempt:
        """What an error status means: another attempt, the end of this request, or of the run."""
        import openai

        detail, status = error.body if isinstance(error.body, dict) else {}, error.status_code
        kinds = {str(detail.get("code")), str(detail.get("type"))}
        words = self.without_key(" ".join(str(detail.get("message") or error.message).split()))[:300].rstrip(".")
        if isinstance(error, openai.AuthenticationError | openai.PermissionDeniedError):
            raise self._no_entry(error) from None
        if status == 402 or kinds & {"insufficient_quota", "billing_hard_limit_reached"}:
            msg = f"The account behind the key has no money left ({words}). What was answered is kept; run again to go on."
            raise LlmError(msg) from None
        if isinstance(error, openai.NotFoundError):
            msg = f"{self._parameters.base_url} knows no model {self._parameters.model!r}, or is no such address ({words})."
            raise LlmError(msg) from None
        if 300 <= status < 400:
            place = self.without_key(error.response.headers.get("location", "another address"))[:200]
            msg = f"{self._parameters.base_url} sends us to {place}, where nothing was sent. Correct `{self._section}.base_url`."
            raise LlmError(msg) from None
        if "content_filter" in kinds:
            return Attempt(text="", refusal=words)
        if status in (408, 409, 425, 429) or status >= 500:
            return Attempt(reason=f"status {status} ({words})", wait_s=retry_after_s(error.response.headers))
        advice = "; tell it less (`annotate.longest_captions`, or a shorter prompt)" if kinds & TOO_LONG else ""
        return Attempt(reason=f"status {status} ({words}){advice}", final=True)

    def _no_entry(self, error: Exception) -> LlmError:
        words = self.without_key(" ".join(str(error).split()))[:200]
        return LlmError(f"{self._parameters.base_url} does not accept the key in OPENAI_API_KEY ({words}).")

    def _cause(self, error: BaseException) -> str:
        """The innermost reason of an error, in one line."""
        while error.__cause__ is not None:
            error = error.__cause__
        return self.without_key(" ".join(str(error).split()))[:200] or type(error).__name__


def _read_completion(raw: str, body: Mapping[str, Any]) -> Attempt:
    """Read a chat completion; only what is needed is looked at."""
    try:
        said = read_completion(raw)
    except WrongForm as error:
        return Attempt(reason=str(error), tokens=_read(body), wrong_form=True)
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError):
        return Attempt(reason="what came back is no chat completion in JSON", tokens=_read(body))
    text, refusal = said.text, said.refusal
    if said.end == "content_filter":
        refusal = refusal or text or "The server's filter held the reply back."
    tokens = _tokens(said.usage, body, text + refusal)
    if not (text.strip() or refusal.strip() or said.beside):
        what = "the reply is empty, and nothing beside it says why (no `finish_reason`, no `usage`)"
        return Attempt(reason=what, tokens=tokens, wrong_form=True)
    return Attempt(text, refusal or None, said.end == "length", said.model, tokens, place=said.place, beside=said.beside)


class Understood(NamedTuple):
    """What a reply says."""

    text: str
    """The JSON that was asked for, or the words of a refusal; empty where nothing was said."""
    refused: bool
    fault: str = ""
    """Why it is none of these."""
    cut: bool = False
    """Whether it would be so again if it were asked again, because it ends at the greatest length, for example."""


_THOUGHTS = re.compile(r"<think>.*?(?:</think>|\Z)", re.DOTALL)


def _understand(attempt: Attempt, schema: type[BaseModel], clean: Callable[[str], str]) -> Understood:
    """Find the object of the schema in a reply, whatever else a server put around it. No words at all are no refusal.

    Args:
        attempt: the reply.
        schema: of the object.
        clean: takes the key out of words.
    """
    said = (attempt.text or "").strip()
    refusal = (attempt.refusal or "").strip()
    if refusal or not (said or attempt.cut):
        return Understood(refusal, refused=bool(refusal))
    text = _answer(said)
    found: list[str] = []
    fault = "it holds no JSON object"
    for candidate in _objects(text):
        try:
            found.append(schema.model_validate(_each_word(candidate, clean)).model_dump_json())
        except ValidationError as error:
            first = error.errors()[0]
            fault = f"{'.'.join(map(str, first['loc'])) or 'the object'}: {first['msg']}"[:300]
        except PydanticSerializationError:
            fault = "it holds half of a character"
    if found and len(set(found)) == 1:
        return Understood(found[0], refused=False)
    if attempt.place:
        return Understood("", refused=False, fault=_fault_of_place(attempt.place), cut=True)
    if found:
        fault = "it holds several objects of the form"
    elif is_refusal(text):
        return Understood(clean(text), refused=True)
    elif attempt.cut:
        reason = "the reply was cut off at" if text else "nothing was said within"
        return Understood("", refused=False, fault=f"{reason} `max_tokens`; raise it", cut=True)
    return Understood("", refused=False, fault=f"the reply is not of the form that was asked for ({fault})")


def _fault_of_place(place: str) -> str:
    """Why words beside an empty content are no answer, and what to change."""
    if place in THOUGHTS:
        setting = "`extra: {chat_template_kwargs: {enable_thinking: false}}` asks many servers for answers without thoughts"
        return f"the content is empty, and the thoughts in `{place}` hold no answer; {setting}"
    return f"the content is empty, and the call in `{place}` is not of the form that was asked for; change `structured`"


def _answer(said: str) -> str:
    """What a reply says once its thoughts are over; their beginning may be missing where it is part of the prompt."""
    with contextlib.suppress(ValueError, RecursionError):
        json.loads(said)
        return said
    return _THOUGHTS.sub("", said).rpartition("</think>")[2].strip()


def _each_word(value: Any, change: Callable[[str], str]) -> Any:
    """A value of JSON with every string in it changed, names too."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, list):
        return [_each_word(one, change) for one in value]
    if isinstance(value, dict):
        return {change(name): _each_word(one, change) for name, one in value.items()}
    return value


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
    read, written = count_of(usage.get("prompt_tokens")), count_of(usage.get("completion_tokens"))
    cached = count_of(details.get("cached_tokens")) if isinstance(details, dict) else None
    read = about_tokens(body["messages"]) if read is None else read
    written = math.ceil(len(said) / CHARACTERS_PER_TOKEN) if written is None else written
    return Tokens(read, written, min(read, cached or 0))


def _read(body: Mapping[str, Any], error: BaseException | None = None) -> Tokens:
    """What a server has probably read of a request to which nothing usable came; nothing where there was no connection."""
    import httpx2

    while error is not None:
        if isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout | httpx2.PoolTimeout):
            return Tokens()
        error = error.__cause__
    return Tokens(about_tokens(body["messages"]))


def about_tokens(messages: Sequence[Mapping[str, Any]]) -> int:
    """How many tokens messages are, about."""
    count = 0.0
    for message in messages:
        parts = message["content"] if isinstance(message["content"], list) else [{"text": message["content"]}]
        count += 4 + sum(len(part["text"]) / CHARACTERS_PER_TOKEN if "text" in part else TOKENS_PER_PICTURE for part in parts)
    return math.ceil(count)


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """The seconds that a server asks to wait for, from `retry-after-ms` or `Retry-After` (seconds or a date); None without."""
    milliseconds, value = _number(headers.get("retry-after-ms")), headers.get("retry-after")
    seconds = _number(value) if milliseconds is None else milliseconds / 1000
    if seconds is None and value is not None:
        with contextlib.suppress(ValueError, TypeError, OverflowError):
            date = parsedate_to_datetime(value)
            seconds = (date.replace(tzinfo=date.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
    return None if seconds is None else max(0.0, seconds)


def _number(value: str | None) -> float | None:
    with contextlib.suppress(ValueError, TypeError):
        if math.isfinite(number := float(value or "")):
            return number
    return None
