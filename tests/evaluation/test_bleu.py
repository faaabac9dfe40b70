import math
import random

import pytest

from hawk_pipelines.evaluation.bleu import best_constant, bleu


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
    assert bleu(["dog"], ["cat"])["bleu_1"] == 0
    assert bleu(["the dog"], ["the cat"])["bleu_2"] == 0


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
    assert tried[best]["bleu_4"] > 0


def test_without_training_answers_the_constant_is_empty():
    assert best_constant([], ["a man runs"])[0] == ""


def test_the_best_constant_answer_is_the_one_that_scores_highest():
    answer, scores = best_constant(
        ["rare words here now", "a man runs away", "a man runs away"], ["a man runs home", "a man runs off"]
    )
    assert answer == "a man runs away"
    assert scores["bleu_1"] == pytest.approx(3 / 4)
