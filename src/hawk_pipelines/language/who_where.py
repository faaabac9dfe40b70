"""Who does it, and where: read off a sentence, or not at all.

Captions by people are long and often badly written, and a parser errs in them. So only what is sure is read: the subject of the
first sentence's main verb, where it is a noun phrase in front of the verb; and a place that this module knows to be one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hawk_pipelines.language.parsing import parse

if TYPE_CHECKING:
    from spacy.tokens import Span, Token


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


LONGEST_ACTOR, LONGEST_PLACE = 14, 9
"""Words. Longer phrases are mostly parsed wrongly."""
LONGEST_SENTENCE = 60
"""Words. Of a longer sentence nothing is read."""

DETERMINERS = _words("a an the this that another one two three four five six seven eight nine ten several some many few both")
"""What actors and places begin with; it also tells that the sentence is English."""
NO_ACTORS = _words(
    "video clip scene picture screen image camera lens footage surveillance monitor view time moment second minute process "
    "situation event incident beginning end side part front back rest way place light lights hand hands head face foot feet leg "
    "legs arm arms body eye eyes hair movement action attitude expression voice sound reason result number door doors window gate"
)
"""Nouns that take no part in an event, or only as a part of somebody."""
SCREEN = _words("video clip picture screen image camera lens footage surveillance monitor view frame foreground background")

PREPOSITIONS = _words("in on at near behind beside along outside inside")
GROUNDS = _words(
    "plaza square street road roadside lane highway motorway freeway intersection crossroads crossing crosswalk sidewalk "
    "pavement walkway path alley bridge tunnel park yard courtyard garden lawn grass field beach river lake forest playground "
    "station platform airport parking lot garage driveway building house home apartment room bedroom kitchen bathroom toilet "
    "office corridor hallway lobby hall stairs staircase stairwell elevator lift shop store supermarket mall market pharmacy "
    "restaurant bar cafe hotel bank school classroom hospital ward prison cell warehouse factory workshop gym church museum "
    "library venue ground floor roof balcony porch doorway entrance exit gate aisle counter checkout cashier reception curb kerb "
    "bus train subway carriage cabin container cage"
)
"""Nouns at, in or on which something can happen."""
REGIONS = _words("front back middle center centre side left right corner edge end top bottom rear entrance exit")
"""Nouns that tell a place when followed by "of" and a place."""
NOT_TOGETHER = {("on", "counter"), ("on", "cashier"), ("on", "reception"), ("on", "checkout")}
"""Where things lie."""
TOWARDS = _words(
    "look stare glance point aim shoot fire throw hurl toss kick knock put place set lay hang pour push press drop enter get "
    "go come arrive return step jump climb break rush insert pull drag take move turn start begin appear hit crash smash bump "
    "leave shout yell wave bark gesture"
)
"""Verbs whose "at", "in" or "on" tells whither and not where, or has another sense."""


def actor(text: str) -> str | None:
    """The subject of a text's first sentence, without a full stop ("A person in red"); None where that is not sure."""
    sentence = _first(text)
    if sentence is None:
        return None
    subjects = _subjects(sentence.root)
    if len(subjects) != 1 or sentence.root.pos_ not in ("VERB", "AUX"):
        return None
    (noun,) = subjects
    phrase = [token for token in noun.subtree if not token.is_space]
    if noun.i >= sentence.root.i or not _noun_phrase(phrase, sentence) or not _can_act(noun):
        return None
    return _text(phrase)


def place(text: str) -> str | None:
    """Where the first sentence says that it happens, without a full stop ("At the front of the plaza"); None where not sure."""
    sentence = _first(text)
    if sentence is None:
        return None
    verbs = [sentence.root, *(verb for verb in sentence.root.conjuncts if not _subjects(verb))]
    for token in sentence:
        if token.dep_ == "prep" and token.lower_ in PREPOSITIONS and _tells_where(token, verbs):
            phrase = [word for word in token.subtree if not word.is_space]
            nouns = [word for word in token.children if word.dep_ == "pobj"]
            clauses = any(word.dep_ in ("acl", "relcl") or word.lower_ in ("to", "from") for word in phrase)
            english = len(phrase) > 1 and phrase[1].lower_ in {*DETERMINERS, "front"}
            if (
                english
                and len(nouns) == 1
                and len(phrase) <= LONGEST_PLACE
                and _plain(phrase)
                and not clauses
                and _is_place(nouns[0])
            ):
                return _text(phrase)
    return None


def _first(text: str) -> Span | None:
    sentence = next(parse(text).sents, None)
    return sentence if sentence is not None and len(sentence) <= LONGEST_SENTENCE else None


def _subjects(verb: Token) -> list[Token]:
    return [token for token in verb.children if token.dep_ in ("nsubj", "nsubjpass", "expl")]


def _noun_phrase(phrase: list[Token], sentence: Span) -> bool:
    """Whether it opens the sentence and looks like an English noun phrase without clauses of its own."""
    words = [token for token in sentence if not token.is_space]
    after = words[len(phrase)].lower_ if len(phrase) < len(words) else ""
    return (
        len(phrase) <= LONGEST_ACTOR
        and words[: len(phrase)] == phrase
        and after not in ("can", "in")  # "the trash can leaves"; "a man in black" torn apart
        and phrase[0].lower_ in DETERMINERS
        and phrase[-1].pos_ not in ("ADP", "ADV", "DET", "CCONJ")
        and not SCREEN & {token.lower_ for token in phrase}
        and _plain(phrase)
    )


def _plain(phrase: list[Token]) -> bool:
    """Without punctuation, pronouns and finite verbs, which in a phrase are mostly the parser's mistakes."""
    return not any(
        token.pos_ in ("AUX", "PRON", "INTJ", "X", "SYM", "SCONJ")
        or (token.is_punct and token.text != "-")
        or token.tag_ in ("VBD", "VBP", "VBZ", "VB", "MD", "POS")
        for token in phrase
    )


def _can_act(noun: Token) -> bool:
    nouns = [noun, *noun.conjuncts]
    return all(one.pos_ in ("NOUN", "PROPN") and one.lower_ not in NO_ACTORS for one in nouns)


def _tells_where(preposition: Token, verbs: list[Token]) -> bool:
    """Whether it opens the sentence, or tells where the sentence's subject does it, or where the verb's object is."""
    head = preposition.head
    verb = head.head if head.dep_ == "dobj" and preposition.lower_ in ("in", "inside", "outside") else head
    if verb not in verbs or verb.lemma_.lower() in TOWARDS:
        return False
    if preposition.i == preposition.sent.start:
        return True
    whither = any(
        token.lower_ in ("to", "into", "onto", "towards", "toward", "from", "in")
        for token in verb.children
        if token.dep_ in ("prep", "prt") and token.i < preposition.i
    )
    return preposition.i > verb.i and not whither


def _is_place(noun: Token) -> bool:
    if noun.lower_ in REGIONS:
        of = [token for token in noun.children if token.dep_ == "prep" and token.lower_ == "of"]
        inner = [token for preposition in of for token in preposition.children if token.dep_ == "pobj"]
        return len(inner) == 1 and _is_place(inner[0])
    return noun.lower_ in GROUNDS and (noun.head.lower_, noun.lower_) not in NOT_TOGETHER


def _text(phrase: list[Token]) -> str:
    text = "".join(token.text_with_ws for token in phrase).strip()
    return f"{text[:1].upper()}{text[1:]}"
