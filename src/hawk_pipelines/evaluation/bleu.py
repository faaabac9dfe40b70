"""BLEU, as this project means it: corpus level, cumulative, lower-cased, 13a tokens, no smoothing, in [0, 1]."""

from collections.abc import Sequence

from sacrebleu.metrics import BLEU


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


def best_constant(
    training_answers: Sequence[str], references: Sequence[str], candidates: int = 20
) -> tuple[str, dict[str, float]]:
    """The single answer that does best when it is always given: what a model scores that sees nothing.

    Args:
        training_answers: where it may come from; the most frequent ones are tried.
        references: what it is compared with.
        candidates: how many are tried.

    Returns:
        The answer of the highest BLEU-4 (BLEU-1 among equals), and its scores.
    """
    counts: dict[str, int] = {}
    for answer in training_answers:
        counts[answer] = counts.get(answer, 0) + 1
    frequent = sorted(counts, key=lambda answer: (-counts[answer], answer))[:candidates]
    scored = [(answer, bleu([answer] * len(references), references)) for answer in frequent]
    return max(scored, key=lambda pair: (pair[1]["bleu_4"], pair[1]["bleu_1"]))
