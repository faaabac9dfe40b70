import pytest

from hawk_pipelines.evaluation.slots import says, slot_accuracy, slot_hits
from hawk_pipelines.schema import Truth
from tests.evaluation.made import said

TRUTHS = [
    Truth(video_id="a", slots={"normal": "unusual", "actor": "person in red", "action": "is running"}),
    Truth(video_id="b", slots={"normal": "unusual", "actor": "person in blue", "action": "is falling"}),
    Truth(video_id="c", slots={"normal": "nothing unusual"}),
]


def _said(**answers):
    return [said(item, text) for item, text in answers.items()]


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
    ("answer", "claim"),
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
        ("No signs of any abnormal activity are visible.", "nothing unusual"),
        ("I see no anomalies.", "nothing unusual"),
        ("There is nothing out of the ordinary.", "nothing unusual"),
        ("An anomaly exists, specifically named Animal Abuse.", "unusual"),
        ("Two men behave in a suspicious way.", "unusual"),
        ("The key abnormality centers around the officer.", "unusual"),
        ("That is something out of the ordinary.", "unusual"),
        ("Everything seems normal.", "nothing unusual"),
        ("The scene appears to be completely normal.", "nothing unusual"),
        ("Everything in the video is normal, people walk.", "nothing unusual"),
        ("Everything seems normal. Then an abnormal event unfolds.", "unusual"),
        ("Not everything is normal here.", None),
        ("A normal street, on which a man falls.", None),
        ("This is unusually calm.", None),
        ("A man runs.", None),
        ("No doubt this is unusual.", "unusual"),
        ("There is no doubt that nothing is unusual.", "nothing unusual"),
        ("Without a doubt, or without doubt, unusual.", "unusual"),
        ("Not only is it unusual, it is dangerous.", "unusual"),
        ("This is not just strange.", "unusual"),
        ("No one expected the unusual fall.", "unusual"),
        ("Nobody expected the anomaly.", "unusual"),
        ("Nobody expected anything unusual.", "nothing unusual"),
        ("A car drives abnormally fast.", "unusual"),
        ("A man behaves unusually in the street.", "unusual"),
        ("Nobody behaves unusually.", "nothing unusual"),
        ("His gait is irregular.", "unusual"),
        ("There are no irregularities.", "nothing unusual"),
        ("Nothing strange happens.", "nothing unusual"),
        ("A stranger walks by.", None),
        ("A calm street without any signs of a collision or irregular behaviour.", "nothing unusual"),
        ("No signs of violence, chaos, or any unusual event.", None),
        ("Nothing unusual happens: no violence, chaos, or strange behaviour.", "nothing unusual"),
    ],
)
def test_what_an_answer_says_of_the_video(answer, claim):
    assert says(answer) == claim
    truths = [Truth(video_id=one, slots={"normal": one}) for one in ("unusual", "nothing unusual")]
    for truth in truths:
        scores = slot_accuracy([said(truth.video_id, answer)], truths)
        assert scores["normal"]["accuracy"] == (truth.video_id == claim)


def test_only_descriptions_of_known_videos_are_scored():
    question = said("a", "A person in red.", "Who?")
    assert slot_accuracy([question, *_said(unknown="A person in red.")], TRUTHS) == {}


def test_hits_stand_where_their_answers_stand():
    answers = [said("a", "A person in red.", "Who?"), *_said(c="Nothing unusual.", b="A person in red is falling.")]
    assert slot_hits(answers, TRUTHS) == {
        "action": [None, None, True],
        "actor": [None, None, False],
        "normal": [None, True, False],
    }
