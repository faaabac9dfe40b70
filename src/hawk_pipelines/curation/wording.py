"""What one text can have against it by itself, whatever it is about."""

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

LONGEST = 4000
"""Characters of a description or an answer; the longest published description has under 3,000."""
SHORTEST = 3
"""Words of a description."""
LONGEST_QUESTION = 300
"""Characters of a question."""
LONGEST_REFERENCE = 12
"""Words that a text may share in one run with what its writer was told."""

_TAG = re.compile(
    r"</?[a-z!][^<>]*>|<\s*/?\s*(?:script|img|iframe|svg|style|object|embed|a|body|html|div|span)\b|&(?:[a-z]{2,8}|#x?[0-9a-f]{1,6});"
    r"|\]\(\s*(?:javascript|data|https?):",
    re.IGNORECASE,
)
_JSON = re.compile(r"[{}]|\[\s*\"|\"\s*:\s*[\"\[{\d]|\b[a-z]+_[a-z][a-z_]*\b")  # and names of fields, such as anomaly_s
_BEGINS = r"(?:^|[.!?:;,\"'(\n]\s*|\b(?:please|now|and|then|but|instead)\s+)"
"""Where a sentence that gives an order may begin."""
_DROP = r"(?:ignore|disregard|forget|override|bypass|skip|(?:do not|don't|stop) follow(?:ing)?)"
_INSTRUCTION = re.compile(
    rf"\b{_DROP}\W+(?:(?:all|everything|anything|any|the|of|text|what|is|was|said)\W+){{0,5}}above\b"
    rf"|\b{_DROP}\b(?:\W+\w+){{0,4}}?\W+(?:previous|prior|preceding|earlier)\W+(?:\w+\W+)?"
    r"(?:texts?|lines?|sentences?|captions?|contents?|words)\b"
    rf"|\b{_DROP}\b[^.!?]{{0,40}}?\b(?:instructions?|prompts?|guidelines)\b"
    rf"|{_BEGINS}{_DROP}\b[^.!?]{{0,40}}?\b(?:messages?|rules|captions?|everything|text)\b"
    r"|\b(?:new|real|actual|next) (?:task|instructions?|orders?)\s*(?::|is\b|are\b)"
    r"|\binstead of (?:describing|answering|captioning|writing|summari[sz]ing)\b"
    r"|\byou (?:must|should|have to|are to|will|shall) (?:now |only |always )?"
    r"(?:answer|say|write|reply|respond|output|describe|return|state|report|ignore|pretend)\b"
    rf"|{_BEGINS}(?:say|write|answer|state|output|report|claim|reply|respond)(?: only| just| always)? (?:that|with|null|as)\b"
    rf"|{_BEGINS}(?:system|assistant|user)\s*:"
    r"|\b(?:reply|respond|answer) (?:only )?with\b|\bsystem prompt\b"
    r"|\b(?:you are|act as|pretend to be) (?:now )?(?:an? )?(?:ai|assistant|chatbot|language model)\b"
    r"|<\|?(?:im_start|im_end|system|user|assistant|endoftext)\|?>|\[/?INST\]"
    r"|\bignor\w*\b[^.!?]{0,40}?\b(?:anweisung|instrucci|instruction|istruzion|instru\u00e7)\w*",
    re.IGNORECASE,
)
_TWO_ALPHABETS = re.compile(r"[a-z][\u0370-\u052f]|[\u0370-\u052f][a-z]", re.IGNORECASE)
"""Letters that look alike, to hide a word."""
_NOTHING = re.compile(
    r"\b(?:nothing|no|not|nobody|without)\b[^.!?]{0,20}?\b(?:unusual|abnormal|anomal\w+|suspicious|out of the ordinary)\b"
    r"|\b(?:everything|all|the (?:scene|video|situation)) (?:is|was|seems|looks|appears|remains) (?:\w+ )?(?:normal|usual)\b",
    re.IGNORECASE,
)
_SOMETHING = re.compile(
    r"\b(?:something|an?|the|this is|it is|are) (?:\w+ )?(?:unusual|abnormal|anomal\w+|suspicious)\b", re.IGNORECASE
)
_SECOND_HAND = re.compile(
    r"\b(?:based on|from|in|given|per|according to|follow(?:s|ing)) (?:the|this|your) (?:[\w-]+ ){0,2}?"
    r"(?:description|captions?|text)\b"
    r"|\b(?:the|this|brief|dense|detailed) (?:description|captions?) "
    r"(?:provided|given|indicates?|suggests?|says?|states?|mentions?)\b"
    r"|\bwithout (?:the ability|being able|having access|access) to\b.{0,40}\b(?:video|footage|content)\b"
    r"|\bthe described (?:video|scene|event)\b|\bas an? analyst\b|\bconceptual analysis\b"
    r"|\b(?:in|from|by) the data\b|\b(?:answer|question)s? (?:to |number |no\. ?)?(?:question )?\d",
    re.IGNORECASE,
)
_SUPPOSED = re.compile(
    r"^(?:perhaps|possibly|maybe)\b|\b(?:could|might|may) (?:be(?! (?:seen|heard|observed))|have|involve|include|"
    r"indicate|suggest|potentially|"
    r"possibly)\b|\bhypothetical(?:ly)?\b",
    re.IGNORECASE,
)
_SENTENCE_END = re.compile(r"[.!?](?:\s|$)")
_SECONDS = re.compile(
    r"\bseconds?\s+(?P<from>\d+(?:\.\d+)?)(?:\s*(?:to|and|-|–|until)\s*(?:second\s+)?(?P<to>\d+(?:\.\d+)?))?"
    r"|(?<![\d.:])(?P<plain>\d+(?:\.\d+)?)(?:(?:st|nd|rd|th)?[\s-]?(?:secs?|seconds?)|\ss|(?<!\d0)s)\b",  # not "his 20s"
    re.IGNORECASE,
)
_MINUTES = re.compile(r"(?<![\d.:])(\d+(?:\.\d+)?)[\s-]?(?:min|mins|minutes?)\b|\bminute\s+(\d+)", re.IGNORECASE)
_HOURS = re.compile(r"(?<![\d.:])(\d+(?:\.\d+)?)[\s-]?hours?\b", re.IGNORECASE)
_STAMP = re.compile(r"\b(?:at|from|to|until|till|after|by) 0?(\d):([0-5]\d)\b(?!:|\s?[ap]\.?m\b)", re.IGNORECASE)
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_NUMBERS = {
    word: str(number)
    for number, word in [
        *enumerate(("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")),
        *((10 * tens, word) for tens, word in enumerate(_TENS, start=2)),
        (15, "fifteen"),
        (100, "hundred"),
    ]
}
_NUMBER = re.compile(
    rf"\b({'|'.join(_NUMBERS)})(?=[\s-](?:seconds?|minutes?|hours?)\b)|\ban?(?= (?:minute|hour)\b)", re.IGNORECASE
)
_FRAMES = re.compile(r"\bframes?\s+(\d+)(?:\s*(?:to|and|-|–|until)\s*(\d+))?", re.IGNORECASE)
_ENGLISH = frozenset(
    """
    the are and with his from that which this while their then into who two he she her him they there walked walks white black red
    blue car woman people street road door front out up down back something unusual happens
    nothing
    """.split()  # noqa: SIM905
)
_FOREIGN_RUN = 3
"""Letters in a row that are not Latin; a name on a sign has fewer, or stands in quotes."""
_NOT_LATIN = re.compile(rf"[^\W\d_a-zA-Z\u00c0-\u024f]{{{_FOREIGN_RUN}}}")
_PIECES = re.compile(r"[.!?:;\n\u3002]+")
_ROUNDING_S = 0.5
_UNSEEN = {"Cc", "Cf", "Co", "Cs"}
_ALLOWED = "\n\r\t\u200d\ufeff"  # line ends, and what joins emoji


def unprintable(text: str) -> str | None:
    """What a text holds that is no writing: markup, pieces of JSON, or characters that no one can see."""
    if tag := _TAG.search(text):
        return f"markup ({tag[0][:40]!r})"
    if piece := _JSON.search(text):
        return f"a piece of JSON ({piece[0][:40]!r})"
    hidden = next((c for c in text if unicodedata.category(c) in _UNSEEN and c not in _ALLOWED), None)
    return f"the control character U+{ord(hidden):04X}" if hidden else None


def instruction(text: str) -> str | None:
    """The part of a text that speaks to a language model instead of telling what is to be seen.

    Orders in common forms are found, also with characters between that no one sees; not every order is.
    """
    text = "".join(c for c in unicodedata.normalize("NFKC", text) if unicodedata.category(c) != "Cf")
    found = _INSTRUCTION.search(text) or _TWO_ALPHABETS.search(text)
    return found[0].strip() if found else None


def contradiction(text: str, label: str | None) -> str | None:
    """Where a text says that nothing unusual happens, or that something does, and the label does not say so."""
    nothing = _NOTHING.search(text)
    if label == "normal":
        something = None if nothing else _SOMETHING.search(text)
        return something[0] if something else None
    return nothing[0] if nothing else None


def second_hand(text: str) -> str | None:
    """Where a text speaks of the description that it was written from, or of not having seen the video."""
    found = _SECOND_HAND.search(text)
    return found[0] if found else None


def supposed(text: str) -> str | None:
    """Where the first sentence of a text supposes what may have happened instead of telling what did."""
    found = _SUPPOSED.search(_SENTENCE_END.split(text.strip(), maxsplit=1)[0])
    return found[0] if found else None


def foreign_language(text: str) -> str | None:
    """The language of a text or of a sentence in it, where it is surely not English; shorter ones than four words may pass.

    A thousandth of real English captions is not recognised as English, but none of them with the certainty asked for here.
    Sentences are judged one by one, because one in another language may stand within English words.
    """
    if _NOT_LATIN.search(text):
        return "a script that is not Latin"
    for piece in _PIECES.split(text[:LONGEST]):
        words = piece.lower().split()
        if len(words) < 4 or len(_ENGLISH & set(words)) >= 2:
            continue  # most end here, which is quicker than asking
        language, certainty = _identifier().classify(piece)
        if language not in ("en", "pcm", "zxx") and certainty > 0.6:  # zxx: none at all
            return f"the language `{language}`"
    return None


@lru_cache(maxsize=1)
def _identifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)


def time_outside(text: str, duration_s: float, frames: int) -> str | None:
    """A time or a frame that a text speaks of and that the video does not have.

    Args:
        text: read are seconds ("second 3", "12.5 s", "twenty seconds"), minutes and hours, "at 0:45" and frame numbers; times of
            a clock on the wall are not.
        duration_s: of the video.
        frames: of the video.
    """
    text = re.sub(r"(?<=\d),(?=\d{3}\b)", "", text)
    text = _NUMBER.sub(lambda found: _NUMBERS.get(found[0].lower(), "1"), text)
    for found in _SECONDS.finditer(text):
        if max(float(value) for value in found.groups() if value) > duration_s + _ROUNDING_S:
            return found[0].strip()
    for found in _STAMP.finditer(text):
        if 60 * int(found[1]) + int(found[2]) > duration_s + _ROUNDING_S:
            return found[0]
    for found in _HOURS.finditer(text):
        if 3600 * float(found[1]) > duration_s + 1800:
            return found[0].strip()
    for found in _MINUTES.finditer(text):
        if 60 * float(found[1] or found[2]) > duration_s + 30:
            return found[0].strip()
    for found in _FRAMES.finditer(text):
        if max(int(value) for value in found.groups() if value) > frames:
            return found[0].strip()
    return None


def copied(text: str, prompts: Iterable[str]) -> str | None:
    """The run of words that a text has from what its writer was told or asked, where that is most of it."""
    words = _words(text)
    for prompt in prompts:
        given = _words(prompt)
        if words and words == given:
            return " ".join(words)
        if len(given) < LONGEST_REFERENCE or len(words) < LONGEST_REFERENCE:
            continue
        runs = {tuple(given[i : i + LONGEST_REFERENCE]) for i in range(len(given) - LONGEST_REFERENCE + 1)}
        starts = [i for i in range(len(words) - LONGEST_REFERENCE + 1) if tuple(words[i : i + LONGEST_REFERENCE]) in runs]
        covered = {i + k for i in starts for k in range(LONGEST_REFERENCE)}
        if len(covered) > len(words) / 2:
            return " ".join(words[starts[0] : starts[0] + LONGEST_REFERENCE])
    return None


def _words(text: str) -> list[str]:
    return re.findall(r"[\w']+", text.lower())
