"""What a kept reply comes to: an answer, a refusal, or nothing at all, by the server's mark or by the model's own words."""

import json
from collections.abc import Iterator
from typing import Any, Literal

from hawk_pipelines.language.refusals import is_refusal

Outcome = Literal["answered", "refused", "empty", "wrong-form", "damaged"]
WITHOUT_ANSWER: dict[Outcome, str] = {
    "refused": "the model refused, or all that it wrote is a refusal",
    "empty": "the model said nothing, or wrote empty texts",
    "wrong-form": "it is not the JSON object that was asked for",
    "damaged": "it is not what was written into the file",
}
"""Why a reply is of no use; by these reasons replies can be forgotten."""


def outcome_of(text: str, refused: bool) -> Literal["answered", "refused", "empty", "wrong-form"]:
    """What a reply comes to.

    Args:
        text: the JSON that was asked for, or the words of a refusal.
        refused: whether the server or the client took it for a refusal.
    """
    if not text.strip():
        return "empty"
    if refused:
        return "refused"
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return "wrong-form"
    if not isinstance(value, dict):
        return "wrong-form"
    leaves = [leaf for leaf in _leaves(value) if leaf is not None]  # null is an answer: that it is not known
    if not leaves or any(not _is_missing(leaf) for leaf in leaves):
        return "answered"
    return "refused" if any(is_refusal(leaf) for leaf in leaves) else "empty"


def _is_missing(leaf: Any) -> bool:
    return isinstance(leaf, str) and (not any(map(str.isalnum, leaf)) or is_refusal(leaf))


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _leaves(part)
    else:
        yield value
