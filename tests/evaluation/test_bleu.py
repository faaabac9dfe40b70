import json
import math
import random
from pathlib import Path

import numpy as np
import pytest
from sacrebleu.metrics import BLEU

from hawk_pipelines.evaluation.bleu import ORDERS, best_constant, bleu, bleu_of, bleu_statistics

GOLDEN = Path(__file__).parents[1] / "golden"


@pytest.fixture(scope="module")
def golden():
    """1,000 pairs and what pycocoevalcap makes of them."""
    with np.load(GOLDEN / "h_bleu.npz") as stored:
        arrays = dict(stored)
    assert len(arrays["answers"]) == 1000
    pairs = zip(arrays["answers"].tolist(), arrays["references"].tolist(), strict=True)
    return arrays | {"statistics": np.stack([bleu_statistics(*pair) for pair in pairs])}


@pytest.mark.parametrize("order", ORDERS)
def test_it_is_pycocoevalcaps_for_every_pair_and_for_the_corpus(golden, order):
    tolerance = json.loads((GOLDEN / "manifest.json").read_text())["entries"]["h_bleu"]["tolerance_abs"]
    assert tolerance == {"pairs": 1e-6, "corpus": 1e-6}
    each = bleu_of(order)(golden["statistics"])
    assert np.abs(each - golden["pairs"][:, order - 1]).max() <= tolerance["pairs"]
    assert bleu_of(order)(golden["statistics"].sum(axis=0)) == pytest.approx(golden["corpus"][order - 1], abs=tolerance["corpus"])


def test_the_golden_pairs_are_of_all_sorts(golden):
    """Empty answers, single words, exact matches, short and long ones, of which some score 0 and some 1."""
    _, two, _, four, *_, said, wanted = golden["statistics"].T
    assert (said == 0).sum() >= 40
    assert (said == 1).sum() >= 40
    assert (golden["answers"] == golden["references"]).sum() >= 80
    assert (said < wanted).sum() > 200
    assert (said > wanted).sum() > 200
    assert (four == 0).sum() > 100
    assert (two > 20).sum() > 50


def test_a_corpus_in_which_something_matches_is_also_sacrebleus(golden):
    answers, references = golden["answers"].tolist()[:200], golden["references"].tolist()[:200]
    for order in ORDERS:
        metric = BLEU(lowercase=True, tokenize="13a", smooth_method="none", max_ngram_order=order, effective_order=False)
        score = metric.corpus_score(answers, [references]).score / 100
        assert bleu(answers, references)[f"bleu_{order}"] == pytest.approx(score, abs=1e-6)


def test_the_same_text_scores_one_whatever_its_case():
    scores = bleu(["A man runs across the street."], ["a man runs ACROSS the street."])
    assert scores == pytest.approx({f"bleu_{n}": 1.0 for n in range(1, 5)})


def test_a_score_worked_out_by_hand():
    """4 of 5 words, 3 of 4 pairs, 2 of 3 triples, 1 of 2 fours match; nothing is short."""
    scores = bleu(["the cat sat on mats"], ["the cat sat on rugs"])
    assert scores["bleu_1"] == pytest.approx(4 / 5)
    assert scores["bleu_2"] == pytest.approx(math.sqrt(4 / 5 * 3 / 4))
    assert scores["bleu_4"] == pytest.approx((4 / 5 * 3 / 4 * 2 / 3 * 1 / 2) ** 0.25)


def test_a_short_answer_pays_the_brevity_penalty():
    assert bleu(["the cat"], ["the cat sat on the mat"])["bleu_1"] == pytest.approx(math.exp(1 - 6 / 2))


def test_nothing_is_smoothed():
    assert bleu(["dog"], ["cat"])["bleu_1"] == pytest.approx(0, abs=1e-12)
    assert bleu(["the dog"], ["the cat"])["bleu_2"] == pytest.approx(0, abs=1e-6)


def test_an_empty_answer_is_worth_nothing():
    assert bleu([""], ["the cat"]) == pytest.approx({f"bleu_{n}": 0 for n in ORDERS}, abs=1e-12)
    assert bleu(["", "the cat sat down"], ["the cat sat up", "the cat sat down"])["bleu_1"] == pytest.approx(math.exp(-1))


def test_the_corpus_is_scored_as_one():
    pairs = [("a b c d", "a b c d"), ("x", "y")]
    assert bleu(*map(list, zip(*pairs, strict=True)))["bleu_1"] == pytest.approx(4 / 5)


def test_every_training_answer_is_tried_exactly():
    """The best constant is what trying all of them with sacrebleu finds, also where it is rare."""
    rng = random.Random(0)
    words = ["a", "man", "car", "runs", "falls", "here", "there", "now", "the", "red"]
    references = [" ".join(rng.choices(words, k=8)) for _ in range(30)]
    answers = [" ".join(rng.choices(words, k=rng.randint(4, 9))) for _ in range(60)] + ["a man runs"] * 40
    tried = {answer: bleu([answer] * 30, references) for answer in answers}
    best = max(tried, key=lambda answer: (tried[answer]["bleu_4"], tried[answer]["bleu_1"]))
    assert best_constant(answers, references) == (best, tried[best])
    assert tried[best]["bleu_4"] > 1e-3


def test_without_training_answers_the_constant_is_empty():
    assert best_constant([], ["a man runs"])[0] == ""
    assert best_constant([""], [""])[0] == ""


def test_a_word_that_is_repeated_matches_no_oftener_than_the_reference_has_it():
    """Tried exactly, too: "the the the the" would win if every "the" counted."""
    references = ["the cat and the dog", "the dog", "a dog"]
    answers = ["the the the the", "the dog", "dog dog"]
    tried = {answer: bleu([answer] * 3, references) for answer in answers}
    best = max(tried, key=lambda answer: (tried[answer]["bleu_4"], tried[answer]["bleu_1"]))
    assert best_constant(answers, references) == (best, tried[best])


def test_the_best_constant_answer_is_the_one_that_scores_highest():
    answer, scores = best_constant(
        ["rare words here now", "a man runs away", "a man runs away"], ["a man runs home", "a man runs off"]
    )
    assert answer == "a man runs away"
    assert scores["bleu_1"] == pytest.approx(3 / 4)
