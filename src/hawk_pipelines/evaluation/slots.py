"""Slot accuracy: does an answer name the right actor, action and place, and does it say rightly whether anything is unusual?

BLEU rewards the right sentence form; this asks what was seen. It needs the truth slot by slot, which rendered videos have.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from hawk_pipelines.schema import Prediction, Truth

NORMAL = "normal"
"""The slot that every video has: "unusual" or "nothing unusual"."""
DENIALS = {"nothing", "nobody", "no", "not", "none", "never", "neither", "nor", "cannot", "without", "hardly"}
REACH = 4
"""Words in front of "unusual" in which a denial counts: "there is nothing here that is unusual"."""


def slot_accuracy(predictions: Sequence[Prediction], truths: Sequence[Truth]) -> dict[str, dict[str, float]]:
    """Score descriptions against the truth.

    A slot is right when the answer names its true value and no other value of that slot. Slots other than `normal` are scored
    on anomalous videos only.

    Args:
        predictions: descriptions; other tasks are left out.
        truths: what is to be seen.

    Returns:
        For each slot `accuracy`, `chance` (the share of the most frequent value: the best constant answer) and `count`; for
        `normal` also `normal_share`, the share of videos in which nothing is unusual.
    """
    slots_of = {truth.video_id: truth.slots for truth in truths}
    values = _values(truths)
    right: dict[str, list[bool]] = defaultdict(list)
    seen: dict[str, Counter[str]] = defaultdict(Counter)
    for prediction in predictions:
        if prediction.task != "description" or prediction.item_id not in slots_of:
            continue
        for slot, true in slots_of[prediction.item_id].items():
            right[slot].append(
                _named(prediction.answer, values[slot]) == {true} if slot != NORMAL else _says(prediction.answer) == true
            )
            seen[slot][true] += 1
    scores = {
        slot: {
            "accuracy": sum(hits) / len(hits),
            "chance": max(seen[slot].values()) / len(hits),
            "count": float(len(hits)),
        }
        for slot, hits in sorted(right.items())
    }
    if NORMAL in scores:
        scores[NORMAL]["normal_share"] = seen[NORMAL]["nothing unusual"] / len(right[NORMAL])
    return scores


def _values(truths: Sequence[Truth]) -> Mapping[str, set[str]]:
    values: dict[str, set[str]] = defaultdict(set)
    for truth in truths:
        for slot, value in truth.slots.items():
            values[slot].add(value)
    return values


def _named(answer: str, values: set[str]) -> set[str]:
    return {value for value in values if f" {value} " in f" {_plain(answer)} "}


def _says(answer: str) -> str | None:
    """Which of the two an answer says; None where it says neither or both."""
    said = {_claim(words, at) for words in _clauses(answer) for at, word in enumerate(words) if word == "unusual"}
    return said.pop() if len(said) == 1 else None


def _clauses(text: str) -> list[list[str]]:
    """The words of its parts between punctuation; "isn't" is the word "isn't"."""
    return [re.findall(r"[\w']+", part.replace("\u2019", "'")) for part in re.split(r"[.,:;!?()\n]+", text.lower())]


def _claim(words: Sequence[str], at: int) -> str:
    """What the word "unusual" in a clause says: the contrary where one of the `REACH` words before it denies it."""
    before = words[max(0, at - REACH) : at]
    if before[-1:] == ["something"]:
        return "unusual"
    return "nothing unusual" if any(word in DENIALS or word.endswith("n't") for word in before) else "unusual"


def _plain(text: str) -> str:
    return " ".join("".join(c if c.isalnum() else " " for c in text.lower()).split())
