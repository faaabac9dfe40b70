"""Seconds as people and spreadsheet programs write them."""

import re

FORMS = "write seconds (65.5) or hours, minutes and seconds (0:01:05.5)"
_PLAIN = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]+)?", re.IGNORECASE)
_WITH_COMMA = re.compile(r"([0-9]*),([0-9]+)")
_CLOCK = re.compile(r"(?:([0-9]{1,3}):([0-5]?[0-9])|([0-9]{1,4})):([0-5]?[0-9])([.,][0-9]+)?")
_UNIT = re.compile(r"(?<=[0-9])\s*(s|secs?|seconds?)\.?$", re.IGNORECASE)


def is_number(text: str) -> bool:
    """Whether a cell looks like a time, be it readable or not: digits and the marks of times, with a unit or without."""
    return re.fullmatch(r"[+-]?[0-9.,:]*[0-9][0-9.,:]*(e[+-]?[0-9]+)?", _UNIT.sub("", text), re.IGNORECASE) is not None


def read_seconds(text: str, *, decimal_comma: bool) -> float:
    """Seconds, where the meaning is certain.

    Args:
        text: such as `3`, `3.5`, `3,5`, `3.5 s`, `0:01:05,5` (h:mm:ss) or `1:05.5` (m:ss with a fraction).
        decimal_comma: whether a comma is known to stand before decimals, as in tables with semicolons, which programs write for
            that reason. Elsewhere `1,000` may be a thousand.

    Raises:
        ValueError: it is no finite number of at least 0, or may mean several.
    """
    number = _UNIT.sub("", text)
    if _PLAIN.fullmatch(number):
        seconds = float(number)
    elif comma := _WITH_COMMA.fullmatch(number):
        if not decimal_comma and len(comma[2]) == 3 and comma[1].strip("0"):
            msg = f"{text!r} may mean thousands or a fraction; {FORMS}"
            raise ValueError(msg)
        seconds = float(f"{comma[1] or 0}.{comma[2]}")
    elif clock := _CLOCK.fullmatch(number):
        if clock[1] is None and clock[5] is None:
            msg = f"{text!r} may mean minutes and seconds or hours and minutes; {FORMS}"
            raise ValueError(msg)
        hours, minutes = (int(clock[1]), int(clock[2])) if clock[1] is not None else (0, int(clock[3]))
        seconds = hours * 3600 + minutes * 60 + int(clock[4]) + float((clock[5] or "0").replace(",", "."))
    else:
        msg = f"{text!r} is no time; {FORMS}"
        raise ValueError(msg)
    if not 0 <= seconds < float("inf"):
        msg = f"{text!r} is no time from 0 s on; {FORMS}"
        raise ValueError(msg)
    return seconds
