import pytest

from hawk_pipelines.evaluation.slots import slot_accuracy
from hawk_pipelines.schema import Prediction, Truth

TRUTHS = [
    Truth(video_id="a", slots={"normal": "unusual", "actor": "person in red", "action": "is running"}),
    Truth(video_id="b", slots={"normal": "unusual", "actor": "person in blue", "action": "is falling"}),
    Truth(video_id="c", slots={"normal": "nothing unusual"}),
]


def _said(**answers):
    return [Prediction(item_id=i, task="description", question="", reference="", answer=text) for i, text in answers.items()]


def test_right_answers_score_one_and_chance_is_the_most_frequent_value():
    scores = slot_accuracy(
        _said(
            a="Something unusual: a person in red is running.",
            b="Something unusual! A person in blue, is falling",
            c="Nothing unusual happens.",
        ),
        TRUTHS,
    )
    assert scores["actor"] == {"accuracy": 1, "chance": 0.5, "count": 2}
    assert scores["normal"] == pytest.approx({"accuracy": 1, "chance": 2 / 3, "count": 3, "normal_share": 1 / 3})


def test_naming_every_value_is_not_naming_the_right_one():
    scores = slot_accuracy(_said(a="A person in red or a person in blue is running."), TRUTHS)
    assert scores["actor"]["accuracy"] == 0
    assert scores["action"]["accuracy"] == 1


def test_a_model_that_sees_nothing_gets_chance():
    scores = slot_accuracy(
        _said(a="Nothing unusual happens.", b="Nothing unusual happens.", c="Nothing unusual happens."), TRUTHS
    )
    assert scores["normal"]["accuracy"] == pytest.approx(1 / 3)
    assert scores["actor"]["accuracy"] == 0


@pytest.mark.parametrize("answer", ["", "of of the the", "Something unusual happens: nothing unusual happens."])
def test_an_answer_that_says_neither_or_both_is_wrong_on_either_side(answer):
    assert slot_accuracy(_said(a=answer, c=answer), TRUTHS)["normal"]["accuracy"] == 0


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ("Something unusual happens: a man does not stop.", "unusual"),
        ("A person in red is running. This is unusual.", "unusual"),
        ("There is something unusual: nobody moves.", "unusual"),
        ("After about 3 seconds, something unusual happens, labelled as fighting.", "unusual"),
        ("No, that is wrong: an unusual event takes place.", "unusual"),
        ("A man with no shirt does something unusual.", "unusual"),
        ("A man who does not stop at the red light is unusual.", "unusual"),
        ("UNUSUAL", "unusual"),
        ("Nothing unusual happens.", "nothing unusual"),
        ("Three people are at the plaza. There is nothing unusual.", "nothing unusual"),
        ("Nothing is unusual here.", "nothing unusual"),
        ("This isn't unusual at all.", "nothing unusual"),
        ("There isn\u2019t anything unusual.", "nothing unusual"),
        ("There is no really unusual event.", "nothing unusual"),
        ("It is not at all unusual.", "nothing unusual"),
        ("Something unusual happens, but then nothing unusual.", None),
        ("This is unusually calm.", None),
        ("A man runs.", None),
    ],
)
def test_what_an_answer_says_of_the_video(answer, says):
    truths = [Truth(video_id=one, slots={"normal": one}) for one in ("unusual", "nothing unusual")]
    for truth in truths:
        (said,) = [Prediction(item_id=truth.video_id, task="description", question="", reference="", answer=answer)]
        assert slot_accuracy([said], truths)["normal"]["accuracy"] == (truth.video_id == says)


def test_only_descriptions_of_known_videos_are_scored():
    question = Prediction(item_id="a", task="question", question="Who?", reference="", answer="A person in red.")
    assert slot_accuracy([question, *_said(unknown="A person in red.")], TRUTHS) == {}
