"""How alike the words of answer and reference are, weighted by how rare they are; it needs no server.

It is no judge: it knows neither synonyms nor what a sentence says, and "unusual" for "nothing unusual" costs little. It stands
under its own name, `tfidf_cosine`, and never in the place of a judge's score.
"""

from collections.abc import Sequence

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer

WORD = r"(?u)\b\w+\b"
"""Words of one letter too."""


class TfidfCosine:
    """Cosine of TF-IDF vectors, in [0, 1], with the weights of a fixed set of texts."""

    def __init__(self, texts: Sequence[str]) -> None:
        """Args:
        texts: what words are counted in: the training answers. A word that is in none of them counts for nothing.
        """
        self._vectors = TfidfVectorizer(token_pattern=WORD)
        self.knows_words = any(map(self._vectors.build_analyzer(), texts))
        if self.knows_words:
            self._vectors.fit(texts)

    def of(self, answers: Sequence[str], references: Sequence[str]) -> list[float]:
        """The cosine of each pair; 0 where one of them has no known word."""
        if not self.knows_words or not answers:
            return [0.0] * len(answers)
        pairs = self._vectors.transform(answers).multiply(self._vectors.transform(references))
        return [min(1.0, float(value)) for value in np.asarray(pairs.sum(axis=1)).ravel()]
