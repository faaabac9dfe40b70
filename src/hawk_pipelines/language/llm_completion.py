"""What a server says in a chat completion, in the forms that servers really send.

Most send one JSON object whose message has its words as a string. Some send the words in parts, or piece by piece as a stream
though nobody asked for one, or put them where thoughts or calls of tools belong and leave the message itself empty.
"""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

THOUGHTS = ("reasoning_content", "reasoning")
"""Fields in which servers put what a model thinks before it answers; some put the answer there, too."""
TOOL = "tool_calls"
COUNTS = ("prompt_tokens", "completion_tokens", "total_tokens")
DETAILS = {"completion_tokens_details": ("reasoning_tokens",)}
LARGEST_COUNT = 10**9
"""Tokens that a server may say it has read or written; what is more is no count."""


class WrongForm(ValueError):
    """Something that is no chat completion, and would be none if it were asked for again; the reason is a clause."""


class Completion(NamedTuple):
    """What a server said."""

    text: str
    """The model's words; empty where it said none."""
    refusal: str
    place: str
    """The field in which the words were found, where it is not the message's content."""
    end: str
    """`stop`, `length`, `content_filter` …"""
    model: str
    usage: Any

    @property
    def beside(self) -> dict[str, str | int]:
        """Why the reply ended and what it took, as far as the server says: all that is known of an empty one."""
        usage = self.usage if isinstance(self.usage, dict) else {}
        found: dict[str, Any] = {"finish_reason": encodable(self.end)[:100] or None}
        found |= {name: count_of(usage.get(name)) for name in COUNTS}
        for group, names in DETAILS.items():
            if isinstance(part := usage.get(group), dict):
                found |= {name: count_of(part.get(name)) for name in names}
        return {name: value for name, value in found.items() if value is not None}


def read_completion(raw: str) -> Completion:
    """Read what came back from a server.

    Raises:
        WrongForm: it is a web page.
        ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError: it is no chat completion.
    """
    beginning = raw.lstrip()
    if beginning[:1] == "<":
        msg = "a web page came back instead of a chat completion; correct the address (`base_url`), with its /v1"
        raise WrongForm(msg)
    said = _joined(raw) if beginning.startswith(("data:", "event:", ":")) else json.loads(raw)
    choice = said["choices"][0]
    message = choice["message"]
    end = str(choice.get("finish_reason") or "")
    text, place = encodable(_words(message.get("content"))), ""
    if not text.strip() and end != "length":
        text, place = _words_elsewhere(message)
    model = encodable(said["model"])[:200] if isinstance(said.get("model"), str) else ""
    return Completion(text, encodable(_words(message.get("refusal"))), place, end, model, said.get("usage"))


def _words(content: Any) -> str:
    """The words of a content: a string, or a list of parts of which some are text."""
    if content is None or isinstance(content, str):
        return content or ""
    texts = [part if isinstance(part, str) else part.get("text") for part in content]
    return "".join(text for text in texts if isinstance(text, str))


def _words_elsewhere(message: Mapping[str, Any]) -> tuple[str, str]:
    """Words beside an empty content, and the field that has them."""
    calls = message.get(TOOL)
    if isinstance(calls, list) and len(calls) == 1:
        arguments = calls[0]["function"]["arguments"]
        return encodable(arguments if isinstance(arguments, str) else json.dumps(arguments)), TOOL
    for name in THOUGHTS:
        if isinstance(thoughts := message.get(name), str) and thoughts.strip():
            return encodable(thoughts), name
    return "", ""


def _joined(raw: str) -> dict[str, Any]:
    """A stream of pieces as the completion that they are together."""
    pieces = [line.removeprefix("data:").strip() for line in raw.splitlines() if line.startswith("data:")]
    events = [json.loads(piece) for piece in pieces if piece != "[DONE]"]
    message: dict[str, str] = {}
    said: dict[str, Any] = {"usage": None}
    end = None
    for event in events:
        said |= {name: event[name] for name in ("model", "usage") if event.get(name)}
        for choice in event.get("choices", ())[:1]:
            end = choice.get("finish_reason") or end
            for name, words in (choice.get("delta") or choice.get("message") or {}).items():
                if name in ("content", "refusal", *THOUGHTS) and words:
                    message[name] = message.get(name, "") + _words(words)
    if end is None:
        msg = "the stream has no end"
        raise ValueError(msg)
    return said | {"choices": [{"message": message, "finish_reason": end}]}


def count_of(value: Any) -> int | None:
    """A number of tokens; None where it is none."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= LARGEST_COUNT else None


def encodable(words: str | None) -> str:
    """Words without the halves of characters that JSON can hold and nothing can write down."""
    return ("" if words is None else words).encode("utf-8", errors="replace").decode()
