"""Texts from anywhere, made safe to print."""

import unicodedata

_NOT_PRINTED = ("Cc", "Cf", "Cs")
_SEPARATORS = "\u2028\u2029"
"""Of lines and paragraphs, which some programs take for a new line and others do not."""


def printable(text: str) -> str:
    """A text from anywhere, safe to print: without control characters and changes of writing direction; lines and tabs stay."""
    return "".join(" " if c in _SEPARATORS else c for c in text if c in "\n\t" or unicodedata.category(c) not in _NOT_PRINTED)


def plain(text: str) -> str:
    """A text from anywhere, safe to print on one line."""
    return " ".join(printable(text).split())
