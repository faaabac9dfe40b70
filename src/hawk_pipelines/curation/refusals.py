"""Recognising a language model that declined instead of answering."""

import re

_REFUSAL = re.compile(
    r"\bas an? (?:ai|artificial intelligence|(?:large )?language model|llm)\b"
    r"|\b(?:i|we)(?:'m| am| are)? (?:sorry|unable|not able|cannot|can't|can not|do not have|don't have|apologi[sz]e)\b"
    r"|\bi(?:'m| am) (?:just )?an? (?:ai|language model)\b",
    re.IGNORECASE,
)


def is_refusal(text: str) -> bool:
    """Whether a text is about what a language model cannot do, not about a video."""
    return _REFUSAL.search(text.replace("’", "'")) is not None
