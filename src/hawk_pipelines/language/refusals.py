"""Recognising a language model that declined instead of answering."""

import re

_QUOTED = re.compile(r"[\"\u201c][^\"\u201d]*[\"\u201d]")
_REFUSAL = re.compile(
    r"\bas an? (?:[\w-]+ )?(?:ai\b|artificial intelligence|language model|llm\b)"
    r"|\bi(?:'m| am) (?:just |only )?an? (?:[\w-]+ )?(?:ai\b|language model)"
    r"|^\W*i(?:'m| am) (?:very )?sorry\b"
    r"|\bi(?: apologi[sz]e| cannot| can't|(?: am|'m) unable to|(?: am|'m) not able to| do not have| don't have) (?:\w+ ){0,3}?"
    r"(?:for|watch|view|see|access|analy[sz]e|provide|describe|determine|assist|help|answer|tell|say|enough|the ability)\b"
    r"|\bno (?:video|footage|image) (?:was|is|has been) (?:attached|provided|uploaded|included)\b"
    r"|\bplease (?:upload|attach|provide|share) (?:the|a|your) (?:actual )?(?:video|footage|file|image)\b"
    r"|\bi (?:lack|have no) (?:access|the ability)\b"
    r"|\bi (?:do not|don't|cannot|can't) see any (?:video|footage|image|attachment)\b"
    r"|^\W*can't (?:assist|help)\b"
    r"|\bit is (?:not possible|impossible) (?:for me )?to (?:provide|describe|determine|answer)\b",
    re.IGNORECASE,
)


def is_refusal(text: str) -> bool:
    """Whether a text is about what its writer, a language model, cannot do. Quoted speech does not count."""
    return _REFUSAL.search(_QUOTED.sub("", text.replace("\u2019", "'"))) is not None
