"""What a question asks for (5W2H), and whether an answer is about it."""

import re
from typing import Literal, get_args

QuestionKind = Literal["what", "who", "where", "when", "how", "how much", "why", "whether"]
KINDS: tuple[QuestionKind, ...] = get_args(QuestionKind)

_AMOUNT = re.compile(r"\bhow (?:much|many|long|often|far|large|big|fast|frequently|severe|serious)\b|\bfor how\b")
_ASKS = re.compile(r"\b(what|who|whose|whom|where|when|why|how|which)\b")
_CLOCK = re.compile(
    r"\b(?:at what|at which|what) (?:time|point|moment|second|part|stage)\b|\b(?:in|during) (?:what|which) part\b"
)
_PLACE = re.compile(r"\b(?:at|in|on) (?:what|which) (?:place|location|area|side|spot)\b|^what (?:place|location|area)\b")
_REASON = re.compile(r"\bwhat (?:makes|made|is the (?:reason|cause)|causes|caused)\b|\bfor what reason\b")
_PERSON = re.compile(r"\b(?:which|what) (?:person|people|persons|individuals?)\b")

_TIMES = re.compile(
    r"\d|\b(?:when|while|after|before|during|as|until|till|since|once|then|first|last|second|third|middle|beginning|begins?|"
    r"start(?:s|ed)?|end(?:s|ed)?|early|late|later|throughout|always|whole|entire|time|moment|immediately|suddenly|day|night|morning|afternoon|evening|noon|dawn|dusk|midnight|frame)\b"
)
_COUNTS = re.compile(
    r"\d|\b(?:an?|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|dozens?|hundreds?|once|twice|several|many|few|some|all|whole|most|half|part|none|no|about|"
    r"entire|throughout|until|brief(?:ly)?|short|long|single|both|couple|group|crowd|times?|seconds?|minutes?)\b"
)
_PLACES = re.compile(
    r"\b(?:at|in|on|near|by|behind|beside|under|over|along|across|outside|inside|into|onto|between|front|left|right|middle|centre|center|"
    r"top|bottom|corner|edge|side|around|down|up|away|off|past|here|there|everywhere|nowhere|above|below|through|from|to|towards|against)\b"
)
_NEGATIVE = re.compile(r"\b(?:no|not|nobody|nothing|none|never|nowhere|cannot|unknown|unclear|n't)\b|n't\b")
_BARE = re.compile(r"\W*(?:yes|no|yeah|yep|nope|true|false|ok(?:ay)?|maybe|sure)\W*")


def kind_of(question: str) -> QuestionKind:
    """What a question asks for; `whether` where it wants a yes or a no."""
    text = question.lower()
    if _AMOUNT.search(text):
        return "how much"
    for kind, pattern in (("when", _CLOCK), ("where", _PLACE), ("why", _REASON), ("who", _PERSON)):
        if pattern.search(text):
            return kind  # type: ignore[return-value]
    found = _ASKS.search(text)
    if found is None:
        return "whether"
    return {"whose": "who", "whom": "who", "which": "what"}.get(found[1], found[1])  # type: ignore[return-value]


def misses(question: str, answer: str) -> str | None:
    """Why an answer cannot be one to its question, or None. Only what is surely amiss is told.

    An answer that says that there is nothing, or that it is not known, is an answer to everything.
    """
    kind, said = kind_of(question), answer.lower()
    if re.sub(r"\W+", "", said) == re.sub(r"\W+", "", question.lower()):
        return "only repeats its question"
    if said.rstrip(" \"'").endswith("?"):
        return "is a question itself"
    if kind != "whether" and _BARE.fullmatch(said):
        return f"is a yes or a no to a question with `{kind}`"
    if _NEGATIVE.search(said):
        return None
    if kind == "when" and not _TIMES.search(said):
        return "tells no time"
    if kind == "where" and len(said.split()) > 3 and not _PLACES.search(said):  # "Parking lot." is a place
        return "tells no place"
    if kind == "how much" and re.search(r"how (?:many|long|often)", question.lower()) and not _COUNTS.search(said):
        return "tells no number"
    return None
