"""Recognising a language model that declined instead of answering."""

import html
import re
import unicodedata

_APOSTROPHES = str.maketrans(dict.fromkeys("\u2018\u2019\u201a\u201b\u2032\u02bc\u0060\u00b4\uff07", "'"))
_PLACES = (*range(0x2000, 0x3100), *range(0x1F650, 0x1F680))
_OTHER_QUOTES = {
    place: "'" if "SINGLE" in unicodedata.name(chr(place)) else '"'
    for place in _PLACES
    if unicodedata.category(chr(place)) in ("Pi", "Pf") or "QUOTATION MARK" in unicodedata.name(chr(place), "")
    if chr(place) not in "\u2039\u203a"  # which have their own pattern below
}
"""Every quotation mark of Unicode outside Latin-1, such as \u275d and \u301d, as a plain single or double one."""
_DOUBLE = '"\u201c\u201d\u201e\u201f\u301d\u301e\uff02'
_QUOTED = re.compile(
    rf"(?<![0-9])[{_DOUBLE}](?P<double>[^{_DOUBLE}]*)[{_DOUBLE}]"  # after a digit it is an inch; languages differ on which closes
    "|[\u00ab\u00bb](?P<guillemets>[^\u00ab\u00bb]*)[\u00ab\u00bb]|[\u2039\u203a](?P<single_guillemets>[^\u2039\u203a]*)[\u2039\u203a]"
    "|[\u300c\ufe41\uff62](?P<corners>[^\u300d\ufe42\uff63]*)[\u300d\ufe42\uff63]"
    "|[\u300e\ufe43](?P<white_corners>[^\u300f\ufe44]*)[\u300f\ufe44]|\u300a(?P<brackets>[^\u300b]*)\u300b"
    r"|(?<!\w)'(?=\S)(?P<single>(?:(?!\n\n).)+?)(?<=\S)'(?!\w)",  # what stands inside a word is an apostrophe
    re.DOTALL,
)
_LABEL = re.compile(
    r"\W*(?:(?:sure|certainly|of course|okay|ok)\W+)?(?:(?:here(?:'s| is)|this is)\W+)?(?:(?:a|an|the|my|your|our|its)\W+)?"
    r"(?:(?:[a-z]+\W+)?(?:answer|assistant|caption|description|output|reply|response)"
    r"(?:\W+(?:of|for|to|about)(?:\W+(?:the|this|your))?\W+(?:video|question|clip))?(?:\W+(?:is|was|reads|says))?\W*)?",
    re.IGNORECASE,
)
"""What may stand before a text that is quoted as a whole, such as `Answer:` or `Here is the answer:`."""
_FEW_WORDS = 3
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
    """Whether a text is about what its writer, a language model, cannot do.

    Quoted speech does not count, in any kind of quotation marks, unless the whole text is quoted.
    """
    text = html.unescape(text).replace("\\", "").translate(_APOSTROPHES).translate(_OTHER_QUOTES)
    text = text.replace("''", '"').replace("<<", "\u00ab").replace(">>", "\u00bb")
    unquoted = _QUOTED.sub(_quotation, text)
    if unquoted != text and _LABEL.fullmatch(_QUOTED.sub(" ", text)):
        return is_refusal(_LABEL.sub("", unquoted, count=1))
    return _REFUSAL.search(_QUOTED.sub(_without_speech, text)) is not None


def _quotation(quoted: re.Match[str]) -> str:
    """What is between the quotation marks."""
    return next(part for part in quoted.groups() if part is not None)


def _without_speech(quoted: re.Match[str]) -> str:
    """A few words in quotation marks are part of the sentence (`I cannot "see" it`); what is longer or a refusal is speech."""
    words = _quotation(quoted)
    return "" if len(words.split()) > _FEW_WORDS or _REFUSAL.search(words) else words
