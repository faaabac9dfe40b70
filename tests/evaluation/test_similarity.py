import math

import pytest

from hawk_pipelines.evaluation.similarity import TfidfCosine

TRAINING = ["a man runs", "a man falls", "a car stops", "a dog"]


def test_a_cosine_worked_out_by_hand():
    """scikit-learn's smooth weights: ln((1 + texts) / (1 + texts with the word)) + 1."""
    a, man, rare = 1.0, math.log(5 / 3) + 1, math.log(5 / 2) + 1
    length = math.sqrt(a**2 + man**2 + rare**2)
    (found,) = TfidfCosine(TRAINING).of(["A man falls."], ["a man runs"])
    assert found == pytest.approx((a**2 + man**2) / length**2)


def test_rare_words_count_more_than_frequent_ones():
    shares_rare, shares_frequent = TfidfCosine(TRAINING).of(["dog stops", "a man"], ["dog runs", "a car"])
    assert shares_rare > shares_frequent > 0


def test_the_same_words_are_worth_one_in_whatever_order():
    assert TfidfCosine(TRAINING).of(["man! A runs", "a man a man"], ["a man runs", "man man a a"]) == pytest.approx([1, 1])


def test_what_has_no_known_word_is_worth_nothing():
    similarity = TfidfCosine(TRAINING)
    assert similarity.knows_words
    assert similarity.of(["", "zebra", "a man"], ["a man", "zebra", ""]) == [0, 0, 0]
    assert similarity.of([], []) == []


@pytest.mark.parametrize("texts", [[], ["", "…"]])
def test_without_training_answers_no_word_is_known(texts):
    similarity = TfidfCosine(texts)
    assert not similarity.knows_words
    assert similarity.of(["a man"], ["a man"]) == [0]
