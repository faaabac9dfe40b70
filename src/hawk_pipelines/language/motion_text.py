"""The motion text: who does what to whom, and nothing else (HAWK, equation 7). It is what the motion branch learns to say.

The paper names its slots, not the labels of a parser. The rule `full` is our reading: subject = nsubj, nsubjpass; indirect
subject = the object of a passive's agent ("by a truck"); object = dobj, attr, the object of a preposition, which is kept;
indirect object = dative or its object; with the conjuncts of each. A verb joined to another by "and" and without a subject of
its own inherits the other's.

The rule `published` is the public code's: the direct children of a verb that are nsubj or nsubjpass, and those that are dobj,
pobj or obj.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from hawk_pipelines.language.parsing import parse

if TYPE_CHECKING:
    from spacy.tokens import Token

MotionTextRule = Literal["full", "published"]

MOTION_TEXT_VERSION = 1
"""Raised whenever the same text gives another motion text."""

SUBJECTS = {"nsubj", "nsubjpass"}
OBJECTS = {"dobj", "attr", "dative"}
PREPOSITIONS = {"prep", "dative", "agent"}
PUBLISHED_OBJECTS = {"dobj", "pobj", "obj"}


def motion_text(text: str, rule: MotionTextRule = "full") -> str:
    """The verbs of a text with their subjects and objects, as "subject verb object" phrases joined by commas.

    Args:
        text: English sentences.
        rule: `full`, or the public code's.

    Returns:
        For example "person runs, person falls on floor"; empty when the text has no verb.
    """
    phrase = _phrase if rule == "full" else _published_phrase
    return ", ".join(phrase(token) for token in parse(text) if token.pos_ == "VERB")


def _published_phrase(verb: Token) -> str:
    subjects = " and ".join(child.text for child in verb.children if child.dep_ in SUBJECTS)
    objects = " and ".join(child.text for child in verb.children if child.dep_ in PUBLISHED_OBJECTS)
    return " ".join(part for part in (subjects, verb.text, objects) if part)


def _phrase(verb: Token) -> str:
    return " ".join(part for part in (_subject(verb), verb.text, _objects(verb)) if part)


def _subject(verb: Token) -> str:
    subjects = [word for child in verb.children if child.dep_ in SUBJECTS for word in _with_conjuncts(child)]
    if verb.dep_ == "relcl" and {word.lower() for word in subjects} & {"who", "which", "that"}:
        return verb.head.text
    if not subjects and verb.dep_ == "conj" and verb.head.pos_ == "VERB":
        return _subject(verb.head)
    return " and ".join(subjects)


def _objects(verb: Token) -> str:
    phrases = []
    for child in verb.children:
        if child.dep_ in OBJECTS and child.pos_ != "ADP":
            phrases.append(" and ".join(_with_conjuncts(child)))
        elif child.dep_ in PREPOSITIONS:
            nouns = [word for noun in child.children if noun.dep_ == "pobj" for word in _with_conjuncts(noun)]
            if nouns:
                phrases.append(f"{child.text} {' and '.join(nouns)}")
    return " ".join(phrases)


def _with_conjuncts(token: Token) -> list[str]:
    return [token.text, *(conjunct.text for conjunct in token.conjuncts)]
