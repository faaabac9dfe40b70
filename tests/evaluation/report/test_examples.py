from hawk_pipelines.evaluation.report.examples import examples_table, ranked, worst_first
from hawk_pipelines.schema import Judgement
from tests.evaluation.made import said


def _judged(one, *scores):
    dimensions = ("reasonability", "detail", "consistency")
    return [
        Judgement(
            **one.model_dump(), dimension=name, score=score, outcome="judged" if score is not None else "refused", reason=None
        )
        for name, score in zip(dimensions, scores, strict=False)
    ]


def _items(found):
    return [one.prediction.item_id for one in found]


REFERENCE = "a man runs in the street"
ANSWERS = [
    said("half", "a man runs", reference=REFERENCE),
    said("refused", "a man", reference="I'm sorry, but I cannot help with that."),
    said("right", REFERENCE, reference=REFERENCE),
    said("empty", "", reference=REFERENCE),
    said("wrong", "two dogs", reference=REFERENCE),
]


def test_without_a_judge_rouge_l_decides_and_what_has_no_reference_comes_last():
    assert _items(worst_first(ANSWERS, (), 9)["description"]) == ["empty", "wrong", "half", "right", "refused"]


def test_the_judge_decides_where_it_has_a_score():
    by_id = {one.item_id: one for one in ANSWERS}
    judgements = _judged(by_id["right"], 0.1, None, 0.3) + _judged(by_id["wrong"], 0.9, 0.9, 0.9) + _judged(by_id["half"], None)
    assert _items(worst_first(ANSWERS, judgements, 9)["description"]) == ["empty", "right", "half", "wrong", "refused"]


def test_a_judgement_is_of_its_own_model():
    other = _judged(ANSWERS[2].model_copy(update={"model": "other"}), 0.0, 0.0, 0.0)
    assert ranked(ANSWERS, other)[2].judgements == []


def test_both_tasks_have_their_share_and_what_one_has_not_got_the_other_has():
    questions = [said(f"q{at}", "x", "Who?", REFERENCE) for at in range(20)]
    counts = {task: len(found) for task, found in worst_first([*ANSWERS, *questions], (), 8).items()}
    assert counts == {"description": 4, "question": 4}
    counts = {task: len(found) for task, found in worst_first([*ANSWERS, *questions], (), 14).items()}
    assert counts == {"description": 5, "question": 9}
    assert len(worst_first(questions, (), 14)["question"]) == 14
    assert worst_first([], (), 14) == {}


def test_the_table_has_the_worst_first_and_cells_that_stay_cells():
    own = [said("v1", "a man runs", reference="a man runs"), said("v2", "a | b\n<i>", reference="a man")]
    lines = examples_table(own, {"v1": "one.mp4"}, 5).splitlines()
    assert lines[2] == "| v2 | Describe the unusual event in the video. | a man | a \\| b &lt;i&gt; |"
    assert lines[3].startswith("| one.mp4 |")
    assert len(examples_table(own, {}, 1).splitlines()) == 3
