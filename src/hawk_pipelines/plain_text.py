"""Texts from anywhere, made safe to print."""

import unicodedata


def printable(text: str) -> str:
    """A text from anywhere, safe to print: without control characters and changes of writing direction; lines and tabs stay."""
    return "".join(c for c in text if c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cf", "Cs"))


def plain(text: str) -> str:
    """A text from anywhere, safe to print on one line."""
    return " ".join(printable(text).split())
