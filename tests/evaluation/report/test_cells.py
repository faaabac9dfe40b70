import math

import pytest

from hawk_pipelines.evaluation.report.cells import (
    Cell,
    difference_cell,
    figure_cell,
    interval,
    metric_name,
    number,
    p_value,
    score_cell,
    signed,
    tone,
)
from hawk_pipelines.schema import EvaluationDifference, EvaluationScore


def _score(value, low, high, items, videos):
    known = {"model": "m", "task": "question", "part": "all", "metric": "bleu_1"}
    return EvaluationScore(**known, value=value, low=low, high=high, items=items, videos=videos)


def test_a_figure_has_its_interval_and_how_many_answers_it_is_of():
    assert score_cell(_score(0.5, 0.4, 0.6, 1200, 30)) == Cell("0.500", ("0.400 … 0.600", "n = 1,200", "30 videos"))
    assert score_cell(_score(0.5, 0.4, 0.6, 30, 30), 30) == Cell("0.500", ("0.400 … 0.600", "n = 30"))
    assert score_cell(_score(0.5, 0.4, 0.6, 30, 30), 1000) == Cell("0.500", ("0.400 … 0.600", "n = 30 of 1,000"))
    assert score_cell(_score(0.5, None, None, 3, 1)) == Cell("0.500", ("no interval", "n = 3", "1 video"))


def test_what_is_not_known_is_no_figure():
    assert score_cell(None) == Cell("–")
    assert score_cell(_score(None, None, None, 0, 0), 10) == Cell("–", ("n = 0 of 10",))
    assert figure_cell(None) == Cell("–")
    assert figure_cell({"value": None, "low": None, "high": None, "items": 0, "videos": 0, "p": None}) == Cell("–", ("n = 0",))


@pytest.mark.parametrize(
    ("low", "high", "expected"), [(0.1, 0.3, "better"), (-0.3, -0.1, "worse"), (-0.1, 0.3, ""), (0, 0.3, "")]
)
def test_a_difference_is_better_or_worse_only_where_its_interval_leaves_out_0(low, high, expected):
    known = {"first": "a", "second": "b", "task": "question", "part": "all", "metric": "rouge_l", "items": 9, "videos": 9}
    cell = difference_cell(EvaluationDifference(**known, value=0.2, low=low, high=high, p=0.04, only_first=2, only_second=1))
    assert cell == Cell(
        "+0.200", (f"{signed(low)} … {signed(high)}", "p = 0.040", "n = 9", "1 only here, 2 only there"), expected
    )
    assert tone(None, None) == ""


def test_a_difference_of_one_video_has_neither_interval_nor_p():
    known = {"first": "a", "second": "b", "task": "question", "part": "all", "metric": "rouge_l", "items": 2, "videos": 1}
    cell = difference_cell(EvaluationDifference(**known, value=-0.2, low=None, high=None, p=None, only_first=0, only_second=0))
    assert cell == Cell("−0.200", ("no interval", "n = 2", "1 video"))


def test_numbers():
    assert [number(value) for value in (0.12345, -1, None, math.nan)] == ["0.123", "−1.000", "–", "–"]
    assert [signed(value) for value in (0.12345, -1, 0)] == ["+0.123", "−1.000", "+0.000"]
    assert interval(0.1, None) == "no interval"
    assert [p_value(p) for p in (0.001, 0.002, 1)] == ["p ≤ 0.001", "p = 0.002", "p = 1.000"]
    names = ("bleu_4", "judge_detail", "slot_actor", "recall_0.5", "frame_auc_macro", "new_one")
    assert [metric_name(name) for name in names] == [
        "BLEU-4",
        "Detail",
        "actor (slot)",
        "recall at IoU 0.5",
        "AUC, averaged",
        "new_one",
    ]
