import numpy as np
import pytest

from hawk_pipelines.evaluation.baselines import CONSTANT, NEIGHBOUR, constant_answers, nearest_neighbour
from hawk_pipelines.evaluation.bleu import best_constant
from hawk_pipelines.schema import DESCRIBE, Prediction, Sample
from tests.evaluation.made import asked


def _sample(item_id, answer, question=DESCRIBE):
    task = "description" if question == DESCRIBE else "question"
    return Sample(item_id=item_id, task=task, question=question, answer=answer, motion_text="")


def test_the_constant_is_chosen_without_a_look_at_the_references():
    training = [_sample("a", "a man runs away"), _sample("b", "a man runs off"), _sample("c", "a red car stops at the light")]
    wanted = [asked(item, reference="a red car stops at the light") for item in ("x", "y")]
    found = constant_answers(wanted, training)
    assert found == [Prediction(**one.model_dump(), model=CONSTANT, answer="a man runs away") for one in wanted]
    peeking, _ = best_constant([sample.answer for sample in training], [one.reference for one in wanted])
    assert peeking == "a red car stops at the light"


def test_each_task_has_its_constant():
    training = [_sample("a", "A man runs."), _sample("a", "On the left.", "Where?"), _sample("b", "On the left.", "Where is it?")]
    found = constant_answers([asked("x", "Who?"), asked("x")], training)
    assert [one.answer for one in found] == ["On the left.", "A man runs."]
    assert constant_answers([asked("x", "Who?")], training[:1])[0].answer == ""
    assert constant_answers([], training) == []


@pytest.fixture
def training():
    return [
        _sample("north", "A man runs."),
        _sample("north", "Two men.", "Who is involved?"),
        _sample("north", "At night.", "When does it happen?"),
        _sample("east", "A car stops."),
    ]


VECTORS = {"north": np.array([0, 9.0]), "east": np.array([1.0, 0]), "south": np.array([0, -9.0]), "west": np.array([-1.0, 0])}
"""In the mean nothing; of south and west nothing is said."""


def test_the_neighbour_is_the_item_with_the_smallest_angle(training):
    tested = {"x": np.array([0.1, 0.2]), "y": np.array([30.0, 20.0])}  # y is nearer to north by length and to east by angle
    found = nearest_neighbour([asked("y"), asked("x")], training, VECTORS, tested)
    assert [(one.item_id, one.answer, one.model) for one in found] == [
        ("y", "A car stops.", NEIGHBOUR),
        ("x", "A man runs.", NEIGHBOUR),
    ]


def test_what_all_vectors_have_in_common_tells_nobody_apart(training):
    tested = {"x": np.array([0.1, 0.2]), "y": np.array([30.0, 20.0])}
    far = [{item: vector + np.array([500, -800]) for item, vector in vectors.items()} for vectors in (VECTORS, tested)]
    wanted = [asked("y"), asked("x")]
    assert nearest_neighbour(wanted, training, *far) == nearest_neighbour(wanted, training, VECTORS, tested)


def test_a_question_is_answered_by_the_one_that_is_worded_most_alike(training):
    tested = {"x": np.array([0.0, 1.0])}
    questions = ["When does something happen?", "Who is there?", "How does it begin?"]
    found = nearest_neighbour([asked("x", question) for question in questions], training, VECTORS, tested)
    assert [one.answer for one in found] == ["At night.", "Two men.", "At night."]


def test_where_the_nearest_item_was_asked_nothing_the_next_one_answers(training):
    (found,) = nearest_neighbour([asked("x", "Who?")], training, VECTORS, {"x": np.array([1.0, 0.0])})
    assert found.answer == "Two men."


def test_what_has_no_vector_is_neither_answered_nor_a_neighbour(training):
    tested = {"x": np.array([0.0, 1.0])}
    found = nearest_neighbour([asked("z"), asked("x")], training, {name: VECTORS[name] for name in ("east", "west")}, tested)
    assert [(one.item_id, one.answer) for one in found] == [("x", "A car stops.")]
    assert nearest_neighbour([asked("x")], training, {}, tested) == []
    assert nearest_neighbour([asked("x")], training, VECTORS, {}) == []


def test_vectors_of_zeros_are_nobodys_fault(training):
    (found,) = nearest_neighbour([asked("x")], training, VECTORS, {"x": np.zeros(2)})
    assert found.answer in ("A man runs.", "A car stops.")
