"""ROUGE-L: how much of the reference an answer says in its order, in [0, 1]."""

import sys
from collections.abc import Sequence

from absl import logging as absl_logging
from rouge_score.rouge_scorer import RougeScorer

# absl, which comes with it, closes whatever stood for sys.stderr at its import when logging is configured anew; never this one.
absl_logging.get_absl_handler().python_handler.setStream(sys.__stderr__)


def rouge_l(answers: Sequence[str], references: Sequence[str]) -> list[float]:
    """The F-measure of the longest common subsequence of words of each pair, by the `rouge_score` package without stemming.

    Words are what it takes for words, a to z and digits: a text in another script has none, and is worth 0.

    Args:
        answers: what was generated.
        references: one for each answer.
    """
    scorer = RougeScorer(["rougeL"], use_stemmer=False)
    return [
        float(scorer.score(target=reference, prediction=answer)["rougeL"].fmeasure)
        for answer, reference in zip(answers, references, strict=True)
    ]
