"""Slot accuracy: does an answer name the right actor, action and place, and does it say rightly whether anything is unusual?

BLEU rewards the right sentence form; this asks what was seen. It needs the truth slot by slot, which rendered videos have.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from hawk_pipelines.curation.answers import kind_of
from hawk_pipelines.curation.follow_ups import is_yes_or_no
from hawk_pipelines.schema import Asked, Prediction, Truth

NORMAL = "normal"
"""The slot that every video has: `UNUSUAL` or `NOTHING_UNUSUAL`."""
WHEN = "when"
"""What a question with "when" asks for."""
UNUSUAL, NOTHING_UNUSUAL = "unusual", "nothing unusual"
DENIALS = {"nothing", "nobody", "no", "not", "none", "never", "neither", "nor", "cannot", "without", "hardly"}
REACH = 4
"""Words in front of "unusual" in which a denial counts: "there is nothing here that is unusual"."""
_CLAIMED = re.compile(
    r"unusual|suspicious|abnormal|abnormally|abnormalit(?:y|ies)|anomalous|anomal(?:y|ies)|strange|irregular|irregularit(?:y|ies)"
)
_UNUSUALLY = re.compile(r"\bunusually(?=\s*(?:$|[.,:;!?()\n]|(?:in|on|at|and|as|while|for|near|by|with)\b))")
"""What is done unusually; what is "unusually calm" is calm."""
_EMPHASES = re.compile(
    r"\b(?:no doubt|without (?:a |any )?doubt|not (?:only|just)|(?:nobody|no one) (?:expects|expected|had expected)(?! any))\b"
)
"""They deny nothing of what follows them."""
_ALL_NORMAL = re.compile(
    r"(?<!not )\b(?:everything|all|the (?:scene|situation|video))(?: in [\w ]+?)? (?:is|are|was|seems|appears|looks|remains)"
    r"(?: to be)?(?: \w+ly)? (?:normal|ordinary|uneventful)\b"
)


def slot_hits(predictions: Sequence[Prediction], truths: Sequence[Truth]) -> dict[str, list[bool | None]]:
    """Whether each description is right, slot by slot.

    A slot is right when the answer names its true value and no other value of that slot. Slots other than `normal` are scored
    on anomalous videos only.

    Args:
        predictions: descriptions; other tasks are not scored.
        truths: what is to be seen.

    Returns:
        For each slot one for each prediction, None where it is not scored: it has no truth in that slot.
    """
    slots_of = {truth.video_id: truth.slots for truth in truths}
    values = slot_values(truths)
    hits: dict[str, list[bool | None]] = {}
    for at, prediction in enumerate(predictions):
        if prediction.task != "description":
            continue
        for slot, true in slots_of.get(prediction.item_id, {}).items():
            right = says(prediction.answer) == true if slot == NORMAL else _named(prediction.answer, values[slot]) == {true}
            hits.setdefault(slot, [None] * len(predictions))[at] = right
    return dict(sorted(hits.items()))


def asked_slot(question: Asked) -> str | None:
    """The slot that a question of an anomalous video asks for; `WHEN` has no truth but the reference. None: no slot."""
    if question.task == "description":
        return "action"
    if is_yes_or_no(question.reference):
        return NORMAL
    kind = kind_of(question.question)
    if kind in ("what", "how") and not re.search(r"\b(?:kind|category|call|move|movement)\b", question.question):
        return "action"
    return {"who": "actor", "where": "place", "when": WHEN}.get(kind)


def answers_slot(answer: str, question: Asked, truth: Mapping[str, str], values: Mapping[str, set[str]]) -> bool | None:
    """Whether an answer is right in the slot that its question asks for.

    Where nothing unusual happens, an answer is right that says so, whatever was asked.

    Args:
        answer: what is scored.
        question: what it answers, and the reference.
        truth: the video's slots.
        values: see `slot_values`.

    Returns:
        None where the question asks for no slot, or the truth has none of it.
    """
    denies = says(answer) == NOTHING_UNUSUAL or re.match(r"\W*no\b", answer, re.IGNORECASE) is not None
    if truth.get(NORMAL) == NOTHING_UNUSUAL:
        return denies
    slot = asked_slot(question)
    if slot == NORMAL:
        return not denies
    if slot == WHEN:
        return _plain(answer) == _plain(question.reference)
    if slot is None or slot not in truth:
        return None
    return _named(answer, values[slot]) == {truth[slot]}


def slot_accuracy(predictions: Sequence[Prediction], truths: Sequence[Truth]) -> dict[str, dict[str, float]]:
    """Score descriptions against the truth, as `slot_hits` does.

    Returns:
        For each slot `accuracy`, `chance` (the share of the most frequent value: the best constant answer) and `count`; for
        `normal` also `normal_share`, the share of videos in which nothing is unusual.
    """
    slots_of = {truth.video_id: truth.slots for truth in truths}
    scores: dict[str, dict[str, float]] = {}
    for slot, hits in slot_hits(predictions, truths).items():
        scored = [at for at, hit in enumerate(hits) if hit is not None]
        true = Counter(slots_of[predictions[at].item_id][slot] for at in scored)
        scores[slot] = {
            "accuracy": sum(bool(hits[at]) for at in scored) / len(scored),
            "chance": max(true.values()) / len(scored),
            "count": float(len(scored)),
        }
        if slot == NORMAL:
            scores[slot]["normal_share"] = true[NOTHING_UNUSUAL] / len(scored)
    return scores


def slot_values(truths: Sequence[Truth]) -> Mapping[str, set[str]]:
    """All values that each slot has anywhere."""
    values: dict[str, set[str]] = defaultdict(set)
    for truth in truths:
        for slot, value in truth.slots.items():
            values[slot].add(value)
    return values


def _named(answer: str, values: set[str]) -> set[str]:
    return {value for value in values if f" {value} " in f" {_plain(answer)} "}


def says(answer: str) -> str | None:
    """What an answer says of its video, in so many words: `UNUSUAL` or `NOTHING_UNUSUAL`; None where it says neither or both.

    An answer that only tells what happens ("a man falls") says neither. That all is normal counts where nothing else is said:
    what "seems normal at first" is not normal to the end.
    """
    clauses = _clauses(answer)
    # What begins with "or" is the end of a list, whose denial is in another clause.
    told = [words for words in clauses if words[:1] != ["or"]]
    said = {_claim(words, at) for words in told for at, word in enumerate(words) if _CLAIMED.fullmatch(word)}
    if not said and any(_ALL_NORMAL.search(" ".join(words)) for words in clauses):
        return NOTHING_UNUSUAL
    return said.pop() if len(said) == 1 else None


def _clauses(text: str) -> list[list[str]]:
    """The words of its parts between punctuation; "isn't" is the word "isn't"."""
    text = text.lower().replace("\u2019", "'").replace("out of the ordinary", UNUSUAL)
    text = _EMPHASES.sub("", _UNUSUALLY.sub(UNUSUAL, text))
    return [re.findall(r"[\w']+", part) for part in re.split(r"[.,:;!?()\n]+", text)]


def _claim(words: Sequence[str], at: int) -> str:
    """What such a word in a clause says: the contrary where one of the `REACH` words before it denies it.

    After "or" it is one of twice as many: "without any signs of a collision or unusual event".
    """
    reach = 2 * REACH if "or" in words[max(0, at - 2) : at] else REACH
    before = words[max(0, at - reach) : at]
    if before[-1:] == ["something"]:
        return UNUSUAL
    return NOTHING_UNUSUAL if any(word in DENIALS or word.endswith("n't") for word in before) else UNUSUAL


def _plain(text: str) -> str:
    return " ".join("".join(c if c.isalnum() else " " for c in text.lower()).split())
