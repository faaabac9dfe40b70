"""BLEU, as this project means it: corpus level, cumulative, lower-cased, 13a tokens, no smoothing, in [0, 1]."""

import math
from collections import Counter
from collections.abc import Sequence

from sacrebleu.metrics import BLEU
from sacrebleu.tokenizers.tokenizer_13a import Tokenizer13a


def bleu(answers: Sequence[str], references: Sequence[str]) -> dict[str, float]:
    """BLEU-1 to BLEU-4 of a corpus; 0 where nothing of an order matches.

    Args:
        answers: what was generated, at least one.
        references: one for each answer.

    Returns:
        `bleu_1` … `bleu_4`.
    """
    scores = {}
    for order in range(1, 5):
        metric = BLEU(lowercase=True, tokenize="13a", smooth_method="none", max_ngram_order=order, effective_order=False)
        scores[f"bleu_{order}"] = metric.corpus_score(list(answers), [list(references)]).score / 100
    return scores


def best_constant(training_answers: Sequence[str], references: Sequence[str]) -> tuple[str, dict[str, float]]:
    """The single answer that does best when it is always given: what a model scores that sees nothing.

    Args:
        training_answers: where it may come from; every different one is tried. None gives the empty answer.
        references: what it is compared with, at least one.

    Returns:
        The answer of the highest BLEU-4 (BLEU-1 among equals), and its scores.
    """
    tokens_of = [_tokens(reference) for reference in references]
    length = sum(map(len, tokens_of)) / len(references)
    # How many references hold an n-gram at least j times. A constant answer's clipped matches over the whole corpus are sums of
    # these, so that thousands of answers are tried exactly in a second.
    holding = Counter((gram, j) for tokens in tokens_of for gram, n in _grams(tokens).items() for j in range(1, n + 1))

    def worth(answer: str) -> tuple[float, float]:
        tokens = _tokens(answer)
        shares = []
        for order in range(1, 5):
            grams = {gram: n for gram, n in _grams(tokens).items() if len(gram) == order}
            matches = sum(holding[gram, j] for gram, n in grams.items() for j in range(1, n + 1))
            shares.append(matches / (len(references) * max(1, sum(grams.values()))))
        brevity = math.exp(min(0.0, 1 - length / len(tokens))) if tokens else 0.0
        return brevity * math.prod(shares) ** 0.25, brevity * shares[0]

    best = max(sorted(set(training_answers)) or [""], key=worth)
    return best, bleu([best] * len(references), references)


def _tokens(text: str) -> list[str]:
    return Tokenizer13a()(text.lower()).split()


def _grams(tokens: list[str]) -> Counter[tuple[str, ...]]:
    return Counter(tuple(tokens[i : i + order]) for order in range(1, 5) for i in range(len(tokens) - order + 1))
