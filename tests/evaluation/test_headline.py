from itertools import pairwise

import pytest
from sklearn.metrics import roc_auc_score

from hawk_pipelines.evaluation.headline import FIGURES, headline, roc_curve, turn_curve
from hawk_pipelines.schema import AnomalyScore, ConversationScore
from tests.evaluation.test_localisation import video

METRICS = {
    "tasks": {"description": {"bleu_4": 0.5, "rouge_l": 0.6}, "question": {"bleu_4": 0.7}},
    "slots": {name: {"accuracy": 0.8} for name in ("action", "actor", "place", "normal")},
    "conversation": {"full_later": {"accuracy": 0.9}, "short_later": {"accuracy": None}},
}
WHEN = {
    "figures": [
        {"scored": "flow", "metric": "frame_auc", "value": 0.1},
        {"scored": "score", "metric": "frame_ap", "value": 0.2},
        {"scored": "score", "metric": "frame_auc", "value": 0.95},
    ]
}


def test_the_headline_has_what_is_known_of_ten_figures():
    known = headline(METRICS, WHEN)
    assert [*known] == [name for name in FIGURES if name != "follow_ups_accuracy"] + ["frame_auc"]
    assert known["question_bleu_4"] == 0.7
    assert known["later_turns_accuracy"] == 0.9
    assert known["frame_auc"] == 0.95
    assert len(FIGURES) == 9


def test_where_nothing_is_known_nothing_is_claimed():
    assert headline({"tasks": {"description": {"bleu_4": 0.5, "rouge_l": None}}, "slots": {}, "conversation": {}}, {}) == {
        "description_bleu_4": 0.5
    }


def test_the_curve_of_turns_has_full_questions_turn_by_turn():
    facts = {"metric": "bleu_4", "low": None, "high": None, "items": 1, "videos": 1}
    scores = [
        ConversationScore(form="full", turn=1, value=0.5, alone=0.5, **facts),
        ConversationScore(form="full", turn=2, value=0.25, alone=0.5, **facts),
        ConversationScore(form="full", turn=None, value=0.25, alone=0.5, **facts),
        ConversationScore(form="short", turn=2, value=0.125, alone=0.5, **facts),
        ConversationScore(form="full", turn=2, value=1.0, alone=1.0, **facts | {"metric": "accuracy"}),
    ]
    assert turn_curve(scores) == [{"turn": 1, "in_turn": 0.5, "alone": 0.5}, {"turn": 2, "in_turn": 0.25, "alone": 0.5}]
    assert turn_curve([]) == []


def _scores(name, *smoothed):
    return AnomalyScore(video_id=name, video=name, raw=[0.0] * len(smoothed), smoothed=smoothed, predicted=[])


def test_the_roc_is_that_of_labelled_frames():
    videos = [video("a", frames=4, spans=[(2, 4)]), video("b", frames=2, label="normal"), video("c", frames=1)]
    curve = roc_curve([_scores("a", 0.1, 0.6, 0.7, 0.5), _scores("b", 0.2, 0.2), _scores("c", 0.9)], videos)
    rates = [(point["false_positive_rate"], point["true_positive_rate"]) for point in curve]
    assert rates == [(0, 0), (0, 0.5), (0.25, 0.5), (0.25, 1), (0.75, 1), (1, 1)]


def test_frames_of_one_kind_have_no_roc():
    assert roc_curve([_scores("b", 0.2, 0.2)], [video("b", frames=2, label="normal")]) == []
    assert roc_curve([], []) == []


@pytest.mark.parametrize("frames", [50, 5000])
def test_the_roc_of_many_frames_has_at_most_200_points_and_the_area_of_them_all(frames):
    videos = [video("a", frames=frames, spans=[(0, frames // 4)])]
    scores = [_scores("a", *[(number * 7919 % frames) / frames + (number < frames // 4) / 3 for number in range(frames)])]
    curve = roc_curve(scores, videos)
    rates = [(point["false_positive_rate"], point["true_positive_rate"]) for point in curve]
    area = sum((x - a) * (y + b) / 2 for (a, b), (x, y) in pairwise(rates))
    assert len(rates) <= 200
    assert area == pytest.approx(roc_auc_score([number < frames // 4 for number in range(frames)], scores[0].smoothed), abs=1e-3)
