"""BLEU, as this project means it: corpus level, cumulative, lower-cased, 13a tokens, no smoothing, in [0, 1].

It is the Bleu of pycocoevalcap, by which captions of images and videos are scored, on sacrebleu's 13a tokens: the same to 1e-6
for a corpus and for a single pair. Two small constants keep that one from dividing by 0, and leave a little where there should be
nothing: BLEU-2 of "the dog" for "the cat" is 2e-8, and BLEU-4 of a right answer of one word, which has no four, is 3e-5.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from sacrebleu.tokenizers.tokenizer_13a import Tokenizer13a

ORDERS = (1, 2, 3, 4)
TINY, SMALL = 1e-15, 1e-9
"""pycocoevalcap's."""

_tokenizer = Tokenizer13a()


def bleu(answers: Sequence[str], references: Sequence[str]) -> dict[str, float]:
    """BLEU-1 to BLEU-4 of a corpus.

    Args:
        answers: what was generated, at least one.
        references: one for each answer.

    Returns:
        `bleu_1` … `bleu_4`.
    """
    sums = np.sum([bleu_statistics(answer, wanted) for answer, wanted in zip(answers, references, strict=True)], axis=0)
    return _scores(sums)


def bleu_statistics(answer: str, reference: str) -> NDArray:
    """What a pair adds to a corpus.

    Returns:
        [10]: how many n-grams of the answer the reference holds, then how many the answer has, for n from 1 to 4 each; words of
        the answer; words of the reference. `bleu_of` scores their sum over pairs.
    """
    said, wanted = tokens_of(answer), tokens_of(reference)
    shared = _grams(said) & _grams(wanted)
    matches = Counter[int]()
    for gram, times in shared.items():
        matches[len(gram)] += times
    counts = [matches[order] for order in ORDERS] + [max(0, len(said) - order + 1) for order in ORDERS]
    return np.array([*counts, len(said), len(wanted)], dtype=np.float64)


def bleu_of(order: int) -> Callable[[NDArray], NDArray]:
    """What turns sums of statistics [..., 10] into BLEU of an order [...]."""

    def score(sums: NDArray) -> NDArray:
        precisions = (sums[..., :order] + TINY) / (sums[..., 4 : 4 + order] + SMALL)
        ratio = (sums[..., 8] + TINY) / (sums[..., 9] + SMALL)
        return precisions.prod(axis=-1) ** (1 / order) * np.exp(np.minimum(0, 1 - 1 / ratio))

    return score


def best_constant(training_answers: Sequence[str], references: Sequence[str]) -> tuple[str, dict[str, float]]:
    """The single answer that does best when it is always given: the most that a model scores that sees nothing.

    It is chosen by the references that it is compared with, as no model can: what does not beat it need not see anything.
    The constant that is chosen on the training split alone is `baselines.constant_answers`.

    Args:
        training_answers: where it may come from; every different one is tried. None gives the empty answer.
        references: what it is compared with, at least one.

    Returns:
        The answer of the highest BLEU-4 (BLEU-1 among equals, then the first by its letters), and its scores.
    """
    best, sums = _best_constant(tuple(sorted(set(training_answers))) or ("",), tuple(references))
    return best, _scores(sums)


@lru_cache(maxsize=8)  # several models are compared with the same references
def _best_constant(candidates: tuple[str, ...], references: tuple[str, ...]) -> tuple[str, NDArray]:
    tokens = [tokens_of(text) for text in (*candidates, *references)]
    lengths = np.array([len(one) for one in tokens])
    own, wanted = lengths[: len(candidates)], lengths[len(candidates) :]
    matches = _matches(tokens, len(candidates))
    totals = [len(references) * np.maximum(0, own - order + 1) for order in ORDERS]
    all_wanted = np.full(len(candidates), wanted.sum())
    sums = np.stack([*matches, *totals, len(references) * own, all_wanted], axis=1).astype(np.float64)
    best = int(np.lexsort([-bleu_of(1)(sums), -bleu_of(4)(sums)])[0])
    return candidates[best], sums[best]


def _matches(tokens: Sequence[Sequence[str]], candidates: int) -> list[NDArray]:
    """How many n-grams of each candidate the references hold, in all of them together, for n from 1 to 4.

    A candidate that has an n-gram m times matches it m times at most in each reference: with as many references as hold it once,
    and as hold it twice, up to m times. Those are counted once for all candidates, which are thousands.

    Args:
        tokens: of the candidates, then of the references.
        candidates: how many they are.
    """
    numbers: dict[str, int] = {}
    words = np.array([numbers.setdefault(word, len(numbers)) for one in tokens for word in one], dtype=np.int64)
    text = np.repeat(np.arange(len(tokens)), [len(one) for one in tokens])
    grams, found = words, []
    for order in ORDERS:
        if order > 1:  # an n-gram is one that is shorter by a word, and the next word
            grams = np.unique(grams[:-1] * len(numbers) + words[order - 1 :], return_inverse=True)[1]
        inside = text[: len(grams)] == text[order - 1 :]
        different = int(grams.max(initial=-1)) + 1
        pairs, times = np.unique(text[: len(grams)][inside] * different + grams[inside], return_counts=True)
        of_text, gram = np.divmod(pairs, max(1, different))
        matches = np.zeros(candidates)
        for least in range(1, int(times[of_text < candidates].max(initial=0)) + 1):
            often = times >= least
            mine, theirs = often & (of_text < candidates), often & (of_text >= candidates)
            holding = np.bincount(gram[theirs], minlength=different)
            matches += np.bincount(of_text[mine], weights=holding[gram[mine]], minlength=candidates)
        found.append(matches)
    return found


def _scores(sums: NDArray) -> dict[str, float]:
    return {f"bleu_{order}": float(bleu_of(order)(sums)) for order in ORDERS}


def tokens_of(text: str) -> list[str]:
    """Its words as they are compared."""
    return _tokenizer(text.lower()).split()


def _grams(tokens: list[str]) -> Counter[tuple[str, ...]]:
    return Counter(tuple(tokens[at : at + order]) for order in ORDERS for at in range(len(tokens) - order + 1))
