"""Texts from anywhere, made safe to show: on a terminal, in HTML and in Markdown."""

import html
import re
import unicodedata
from collections.abc import Iterable, Sequence

_NOT_PRINTED = ("Cc", "Cf", "Cs")
_SEPARATORS = "\u2028\u2029"
"""Of lines and paragraphs, which some programs take for a new line and others do not."""


def printable(text: str) -> str:
    """A text from anywhere, safe to print: without control characters and changes of writing direction; lines and tabs stay."""
    return "".join(" " if c in _SEPARATORS else c for c in text if c in "\n\t" or unicodedata.category(c) not in _NOT_PRINTED)


def plain(text: str) -> str:
    """A text from anywhere, safe to print on one line."""
    return " ".join(printable(text).split())


def html_text(text: str) -> str:
    """A text from anywhere as a page shows it: on one line, and nothing in it is markup."""
    return html.escape(plain(text))


def markdown(text: str) -> str:
    """A text from anywhere as Markdown shows it, also in a table: on one line; no link, no HTML, no emphasis, no heading."""
    escaped = re.sub(
        r"([\\`*\[\]|~$]|(?<!\w)_|_(?!\w))", r"\\\1", plain(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    )
    escaped = re.sub(r"(?i)\b(https?|ftp|mailto|xmpp|www)([:.])", r"\1\\\2", escaped.replace("@", r"\@"))
    return re.sub(r"^(\d*)([#+=.)-])", r"\1\\\2", escaped)  # headings, lists, rules


def markdown_code(text: str) -> str:
    """A text from anywhere between backticks; in a table, where a bar ends a cell also there, it is `markdown` that is used."""
    words = plain(text)
    longest = max(map(len, re.findall("`+", words)), default=0)
    fence, space = "`" * (longest + 1), " " if longest else ""
    return f"{fence}{space}{words}{space}{fence}"


def markdown_table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of Markdown.

    Args:
        titles: of its columns, in Markdown.
        rows: their cells, in Markdown: what comes from anywhere has gone through `markdown` or `markdown_code`.
    """
    lines = [titles, ["---"] * len(titles), *rows]
    return "\n".join("| " + " | ".join(plain(cell) for cell in line) + " |" for line in lines)
