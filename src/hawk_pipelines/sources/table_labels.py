"""Labels and names as people and programs write them: without marks that are not shown; refused where they may say nothing."""

import re
import unicodedata

NORMAL = "normal"
_QUOTES = "'\"`´‘’‚‛“”„‟«»‹›"
_JOINERS = "\u200c\u200d"
"""Not shown either, but part of the spelling of Persian and Indian words."""
_END_MARKS = ".,;:!?…"
_BLANKS = " \t\r\n\u00a0" + _JOINERS
_NO_CLASS = {
    "nan", "n/a", "n.a", "na", "nil", "none", "null", "unknown", "0", "1", "0.0", "1.0", "true", "false", "yes", "no",
}  # fmt: skip
_DENIED = re.compile(r"(no|non|not|without)(\b|_)[\W_]*(an[\W_]+|any[\W_]+)?anomal|nonanomal")


def without_marks(text: str) -> str:
    """A text without letters that are not shown (such as zero-width blanks), and without blanks and quotation marks around it."""
    shown = "".join(letter for letter in text if letter in _JOINERS or unicodedata.category(letter) != "Cf").strip(_BLANKS)
    inner = shown.strip(_QUOTES).strip(_BLANKS)
    is_quoted = shown[:1] in _QUOTES and shown[-1:] in _QUOTES and not set(_QUOTES) - {"'", "’"} & set(inner)
    return inner if inner and is_quoted else shown


def read_label(text: str) -> str:
    """A label, where its meaning is certain: `normal`, or the class of an anomaly.

    What differs from `normal` by quotation marks, capitals, blanks and marks at its end is `normal`.

    Args:
        text: a cell that is not empty.

    Raises:
        ValueError: it may mean that nothing is known, or that nothing unusual happens, or names no class.
    """
    label = without_marks(text)
    word = label.strip(_QUOTES + _END_MARKS + _BLANKS).casefold()
    if word == NORMAL:
        return NORMAL
    if word in _NO_CLASS or not re.search(r"\w", word) or _DENIED.match(word):
        msg = f"label: {label!r} names no class; write {NORMAL} or the class of the anomaly, or nothing where it is unknown"
        raise ValueError(msg)
    if NORMAL in re.split(r"[\W_]+", word):
        msg = f"label: whether {label!r} means {NORMAL} is not certain; write {NORMAL} alone, or the class of the anomaly"
        raise ValueError(msg)
    return label
