"""ROUGE-L: how much of the reference an answer says in its order, in [0, 1]."""

import sys
from collections.abc import Sequence
from functools import lru_cache

from absl import logging as absl_logging
from rouge_score.rouge_scorer import RougeScorer

# absl, which comes with it, closes whatever stood for sys.stderr at its import when logging is configured anew; never this one.
absl_logging.get_absl_handler().python_handler.setStream(sys.__stderr__)

_SCORER = RougeScorer(["rougeL"], use_stemmer=False)


def rouge_l(answers: Sequence[str], references: Sequence[str]) -> list[float]:
    """The F-measure of the longest common subsequence of words of each pair, by the `rouge_score` package without stemming.

    Words are what it takes for words, a to z and digits: a text in another script has none, and is worth 0.

    Args:
        answers: what was generated.
        references: one for each answer.
    """
    return [_rouge_l(answer, reference) for answer, reference in zip(answers, references, strict=True)]


@lru_cache(maxsize=2**16)  # the page ranks by what the figures were made of, and the package looks for subsequences in Python
def _rouge_l(answer: str, reference: str) -> float:
    return float(_SCORER.score(target=reference, prediction=answer)["rougeL"].fmeasure)
