"""The settings of a language model and its server."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator

from hawk_pipelines.language import reply_store

SECRET = frozenset(
    "key apikey token secret password passwd authorization auth bearer credential credentials signature cookie".split()  # noqa: SIM905
)
"""Words in the names of what nobody may see."""
HARMLESS = frozenset(
    {
        "prompt_cache_key",
        "stop_token_ids",
        "allowed_token_ids",
        "return_token_ids",
        "return_tokens_as_token_ids",
        "thinking_token_budget",
        "timings_per_token",
    }
)
"""Names of usual settings with such words."""


class LlmParameters(BaseModel):
    """Which model writes, where, and what it may cost."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    base_url: str | None = "https://api.openai.com/v1"
    """The server, up to what comes before `/chat/completions`."""
    model: str = "gpt-4o"
    prices: Path = Path("conf/prices.yml")
    """US dollars for a million tokens, by model."""

    temperature: float | None = Field(default=None, ge=0, le=2)
    """None: the model's own; some models allow no other."""
    seed: int | None = None
    """For servers that know one."""
    max_tokens: int = Field(default=1500, ge=16)
    """Of one reply."""
    max_tokens_name: Literal["max_completion_tokens", "max_tokens"] = "max_completion_tokens"
    """What the server calls that; older servers know only `max_tokens`."""
    structured: Literal["json_schema", "json_object", "none"] = "json_schema"
    """How JSON is asked for, beside the prompt's words; for servers that refuse a schema."""
    extra: dict[str, Any] = {}
    """More fields of the request, such as `reasoning_effort`."""

    query: dict[str, str] = {}
    """Added to the address, such as `api-version`."""
    key_header: Literal["authorization", "api-key"] = "authorization"
    """Where the key goes; Azure's gateways want `api-key`."""
    check_model: bool = True
    """Look the model up in the server's list before the first request; gateways may have no list."""

    concurrency: int = Field(default=8, ge=1, le=256)
    """Requests on their way at a time."""
    timeout_s: float = Field(default=120, gt=0)
    """For one attempt, from sending to the last byte."""
    attempts: int = Field(default=12, ge=1, le=30)
    """At one request: where four of ten come to nothing, one request in sixty thousand fails."""
    repairs: int = Field(default=3, ge=0)
    """Of these, how many may follow replies that are not of the form that was asked for. Such replies are paid for."""
    first_wait_s: float = Field(default=1, ge=0)
    """Before the second attempt, then twice as long each time, unless the server says how long."""
    give_up_after: int = Field(default=20, ge=1)
    """Failed requests in a row after which the server is taken to be gone. Those that it refuses as they are, such as one that is
    too long, count only until it has answered one."""

    ask_above_usd: float = Field(default=1, ge=0, allow_inf_nan=False)
    """A run that is estimated above this asks for leave before it starts."""
    leave_to_spend: bool = False
    """Leave given: `--params annotate.openai.leave_to_spend=true`."""
    limit_usd: float | None = Field(default=20, gt=0, allow_inf_nan=False)
    """A run ends when it has spent so much; it overshoots by the requests on their way at most."""
    limit_tokens: int | None = Field(default=None, gt=0)
    """The same in tokens, read and written."""

    replies: Path = reply_store.STORE
    """Where replies are kept."""
    batch: bool = False
    """Hand requests in as batches: cheaper, and ready within a day. A run waits for them, and finds them again if it is ended."""
    batch_poll_s: float = Field(default=30, gt=0)

    @field_validator("base_url")
    @classmethod
    def _plain_address(cls, address: str | None) -> str | None:
        if address is None:
            return None
        msg = "it is an address such as https://api.openai.com/v1"
        try:
            parts = urlsplit(address)
            _ = parts.port
        except ValueError as error:
            raise ValueError(msg) from error
        if parts.scheme not in ("http", "https") or not parts.hostname or any(not "!" <= one <= "~" for one in address):
            raise ValueError(msg)
        if parts.username or parts.password or parts.query:
            msg = (
                "it holds no password and no query; a key comes from the environment (OPENAI_API_KEY), "
                "and `query` is for what is no secret, such as `api-version`"
            )
            raise ValueError(msg)
        return address.rstrip("/")

    @field_validator("extra")
    @classmethod
    def _no_override(cls, extra: dict[str, Any]) -> dict[str, Any]:
        taken = {
            "model",
            "messages",
            "response_format",
            "stream",
            "n",
            "temperature",
            "seed",
            "max_tokens",
            "max_completion_tokens",
        }
        if wrong := sorted(taken & set(extra)):
            msg = f"{', '.join(wrong)} cannot be set here; some have settings of their own"
            raise ValueError(msg)
        try:
            json.dumps(extra, allow_nan=False, ensure_ascii=False, sort_keys=True).encode()
        except (ValueError, TypeError, RecursionError) as error:
            msg = f"it is sent as JSON, and holds what JSON cannot ({' '.join(str(error).split())}); write dates in quotes"
            raise ValueError(msg) from None
        return extra

    @field_validator("query", "extra")
    @classmethod
    def _no_secret(cls, fields: dict[str, Any]) -> dict[str, Any]:
        if wrong := sorted(set(filter(_is_secret, _names(fields)))):
            msg = f"{', '.join(wrong)} cannot be set here: they are written to MLflow; a key comes from the environment"
            raise ValueError(msg)
        return fields


def _names(value: object) -> Iterator[str]:
    """The names of all fields, also of those in fields."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield str(name)
            if name != "logit_bias":  # it has texts in the place of names
                yield from _names(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _names(inner)


def _is_secret(name: str) -> bool:
    words = re.split(r"[^A-Za-z0-9]+|(?<=[a-z0-9])(?=[A-Z])", name)
    return name not in HARMLESS and not SECRET.isdisjoint(word.lower() for word in words)
