import math

import numpy as np
import pytest

from hawk_pipelines.evaluation.bleu import bleu_of, bleu_statistics
from hawk_pipelines.evaluation.statistics import difference, figure, mean, weights


def _means(values):
    return np.stack([np.asarray(values, dtype=float), np.ones(len(values))], axis=1)


@pytest.fixture
def alike():
    """300 items of 60 videos; what comes from a video is nearly the same."""
    rng = np.random.default_rng(5)
    videos = [f"v{number % 60}" for number in range(300)]
    of_video = dict(zip(sorted(set(videos)), rng.normal(size=60), strict=True))
    return np.array([of_video[video] for video in videos]) + rng.normal(scale=0.1, size=300), videos


def test_the_interval_is_that_of_drawing_videos_one_by_one(alike):
    """Against a loop that draws videos with the same weights and scores what was drawn; and about as the theory of means says."""
    values, videos = alike
    found = figure(_means(values), videos, mean)
    names = sorted(set(videos))
    members = {name: [value for value, video in zip(values, videos, strict=True) if video == name] for name in names}
    drawn = [
        np.mean([value for name, times in zip(names, row, strict=True) for value in members[name] * int(times)])
        for row in weights(videos)
    ]
    assert found.value == pytest.approx(values.mean())
    assert (found.low, found.high) == pytest.approx(tuple(np.percentile(drawn, [2.5, 97.5])))
    assert (found.items, found.videos) == (300, 60)
    expected = 2 * 1.96 * np.std([np.mean(member) for member in members.values()], ddof=1) / math.sqrt(60)
    assert found.high - found.low == pytest.approx(expected, rel=0.1)


def test_items_of_one_video_are_no_evidence_of_their_own(alike):
    values, videos = alike
    clustered = figure(_means(values), videos, mean)
    as_if_independent = figure(_means(values), [str(number) for number in range(300)], mean)
    assert clustered.high - clustered.low > 1.8 * (as_if_independent.high - as_if_independent.low)


def test_ninety_five_of_a_hundred_intervals_hold_the_truth():
    rng = np.random.default_rng(0)
    videos = [str(number // 3) for number in range(240)]
    held = []
    for _ in range(200):
        values = np.repeat(rng.exponential(size=80), 3) + rng.normal(size=240)
        found = figure(_means(values), videos, mean, draws=500)
        held.append(found.low <= 1 <= found.high)
    assert 0.9 <= np.mean(held) <= 0.98


def test_a_corpus_figure_is_resampled_as_a_corpus():
    """BLEU is no mean of items: every resampled corpus is scored anew."""
    pairs = [
        ("a man runs here", "a man runs there"),
        ("a car", "a car stops at the light"),
        ("", "a dog"),
        ("the end", "the end"),
    ]
    statistics = np.stack([bleu_statistics(*pair) for pair in pairs])
    videos = ["b", "a", "b", "c"]
    resampled = []
    for a, b, c in weights(videos, draws=300, seed=3):
        rows = [1] * int(a) + [0, 2] * int(b) + [3] * int(c)
        resampled.append(float(bleu_of(2)(statistics[rows].sum(axis=0))))
    found = figure(statistics, videos, bleu_of(2), draws=300, seed=3)
    assert (found.low, found.high) == pytest.approx(tuple(np.percentile(resampled, [2.5, 97.5])))
    assert found.low < found.value < found.high


def test_a_paired_difference_is_surer_than_its_parts(alike):
    values, videos = alike
    better = values + 0.05 + np.random.default_rng(1).normal(scale=0.1, size=300)
    found = difference(_means(values), _means(better), videos, mean)
    assert found.value == pytest.approx((better - values).mean())
    assert 0 < found.low < found.value < found.high < 0.1
    assert found.p < 0.01
    assert figure(_means(values), videos, mean).high > figure(_means(better), videos, mean).low  # apart they say nothing
    back = difference(_means(better), _means(values), videos, mean)
    assert (back.value, back.low, back.high, back.p) == pytest.approx((-found.value, -found.high, -found.low, found.p))


def test_p_is_small_as_often_as_it_says_where_there_is_no_difference():
    rng = np.random.default_rng(2)
    videos = [str(number // 2) for number in range(200)]
    found = [
        difference(_means(first), _means(first + rng.normal(size=200)), videos, mean, draws=400).p
        for first in rng.normal(size=(200, 200))
    ]
    assert np.mean(np.array(found) < 0.05) < 0.1
    assert np.mean(np.array(found) < 0.5) == pytest.approx(0.5, abs=0.12)


def test_the_same_runs_differ_by_nothing(alike):
    values, videos = alike
    assert difference(_means(values), _means(values), videos, mean)[:4] == (0, 0, 0, 1)


def test_what_so_many_videos_could_have_shown_shrinks_with_their_number():
    rng = np.random.default_rng(4)
    first, second = rng.normal(size=(2, 1600))
    videos = [str(number) for number in range(1600)]
    few = difference(_means(first[:100]), _means(second[:100]), videos[:100], mean).detectable
    many = difference(_means(first), _means(second), videos, mean).detectable
    assert few == pytest.approx(1.96 * math.sqrt(2) / 10, rel=0.2)
    assert few / many == pytest.approx(4, rel=0.25)


def test_within_strata_each_is_drawn_as_often_as_it_is_large():
    """Two seeds that are far apart: drawn from one bag, their shares would move and the interval with them."""
    rng = np.random.default_rng(6)
    first = rng.normal(size=100)
    second = first + np.repeat([0.0, 10.0], 50) + rng.normal(scale=0.1, size=100)
    videos, seeds = [str(number % 50) for number in range(100)], ["one"] * 50 + ["two"] * 50
    found = difference(_means(first), _means(second), videos, mean, strata=seeds)
    assert (found.items, found.videos) == (100, 100)  # a video that two seeds share is drawn for each
    assert found.value == pytest.approx(5, abs=0.1)
    assert found.high - found.low < 0.1
    bag = difference(_means(first), _means(second), [f"{seed} {video}" for seed, video in zip(seeds, videos, strict=True)], mean)
    assert bag.high - bag.low > 1


def test_strata_are_drawn_independently():
    """What one seed gains on a video and another loses on it would cancel out if both were drawn alike."""
    gain = np.random.default_rng(7).normal(size=50)
    first, second = np.zeros(100), np.concatenate([gain, -gain])
    videos, seeds = [str(number % 50) for number in range(100)], ["one"] * 50 + ["two"] * 50
    found = difference(_means(first), _means(second), videos, mean, strata=seeds)
    assert found.high - found.low == pytest.approx(2 * 1.96 * gain.std() / 10, rel=0.2)


def test_of_one_video_there_is_no_interval_and_of_nothing_no_value():
    one = figure(_means([1, 2, 3]), ["v"] * 3, mean)
    assert (one.value, one.items, one.videos) == (2, 3, 1)
    assert math.isnan(one.low)
    assert math.isnan(one.high)
    none = figure(np.zeros((0, 2)), [], mean)
    assert math.isnan(none.value)
    assert (none.items, none.videos) == (0, 0)
    alone = difference(_means([1]), _means([3]), ["v"], mean)
    assert alone.value == 2
    assert all(map(math.isnan, (alone.low, alone.high, alone.p)))
    assert math.isnan(difference(_means([1]), _means([3]), ["v"], mean).detectable)
    assert math.isnan(difference(np.zeros((0, 2)), np.zeros((0, 2)), [], mean).value)


def test_the_order_of_items_changes_nothing(alike):
    values, videos = alike
    found, turned = (figure(_means(v), c, mean) for v, c in ((values, videos), (values[::-1], videos[::-1])))
    assert found == pytest.approx(turned)


def test_statistics_without_videos_are_a_mistake():
    with pytest.raises(ValueError, match="statistics of 2 items and videos of 1"):
        figure(_means([1, 2]), ["v"], mean)


def test_a_mean_of_nothing_is_nan():
    assert mean(np.array([[3.0, 2.0], [0.0, 0.0]])) == pytest.approx([1.5, math.nan], nan_ok=True)


def test_of_few_videos_no_difference_is_sure():
    """Two videos that both gain are no more than two coins on one side."""
    two = difference(_means([0.1, 0.2]), _means([0.2, 0.4]), ["a", "b"], mean)
    assert two.low > 0
    assert two.p == 0.5
    five = difference(_means(np.zeros(5)), _means(np.ones(5)), list("abcde"), mean)
    assert five.p == 1 / 16
