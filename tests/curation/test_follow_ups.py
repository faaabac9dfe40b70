"""Short questions that only make sense after an earlier one."""

import pytest

from hawk_pipelines.curation.answers import kind_of
from hawk_pipelines.curation.follow_ups import (
    CHECKS,
    can_be_checked,
    checked_answer,
    is_yes_or_no,
    short_forms,
    without_reply,
    wordings,
)
from hawk_pipelines.language.questions import read_pool
from hawk_pipelines.language.rules import NORMAL_ANSWERS
from hawk_pipelines.schema import DESCRIBE, Sample
from tests.conftest import ROOT


def _sample(question: str, answer: str = "A man in red.", task: str = "question") -> Sample:
    return Sample(item_id="v", task=task, question=question, answer=answer, motion_text="")


WHO = _sample("Who is involved in the unusual event?")
WHERE = _sample("Where does the unusual event happen?", "In the middle of the car park.")


@pytest.mark.parametrize(
    ("question", "previous", "short"),
    [
        ("What unusual event happens in the video?", WHO, "What does that person do?"),
        ("What unusual event happens in the video?", WHERE, "And what happens?"),
        ("Where does the anomaly take place?", WHO, "And where?"),
        ("When does the anomaly stop?", WHO, "When is it over?"),
        ("From when to when does the unusual event take place?", WHO, "From when to when?"),
        ("At what point does the video stop being ordinary?", WHO, "When does it begin?"),
        ("How long does the unusual event last?", WHO, "For how long?"),
        ("Why is the event unusual?", WHO, "And why?"),
        ("What kind of anomaly does the video show?", WHO, "What would you call that?"),
        ("Who is involved in the unusual event?", WHERE, "Who is that?"),
    ],
)
def test_a_question_after_another_can_be_asked_in_short(question, previous, short):
    assert short_forms(_sample(question), previous)[0] == short


@pytest.mark.parametrize(
    "question",
    [
        "Who starts the unusual event, and who only responds to it?",
        "Where are the bystanders while the anomaly happens?",
        "How do the people nearby react to the anomaly?",
        "Why was the unusual event possible at all?",
        "What are the consequences of the unusual event?",
        "How many people are affected by the incident?",
        "What color is the car?",
        "Who wears a hat?",
    ],
)
def test_a_question_about_something_else_keeps_its_words(question):
    """ "And where?" after such a question would not ask what it asks."""
    assert short_forms(_sample(question), WHO) == ()


def test_nothing_is_short_at_the_beginning_and_a_yes_answers_no_short_question():
    assert short_forms(WHERE, None) == ()
    assert short_forms(_sample("What about this video, is anything unusual in it?", "Yes, a man falls."), WHO) == ()


def test_a_description_has_short_forms_of_its_own():
    assert "Put that together." in short_forms(_sample(DESCRIBE, "A man falls.", "description"), WHO)


def test_of_the_whole_pool_a_short_form_asks_what_its_question_asks():
    """The short form is of the kind of the full one; whatever people or language models alone can answer has none."""
    pool = read_pool(ROOT / "conf/questions.yml")
    with_forms = 0
    for question in pool.questions:
        forms = short_forms(_sample(question.text), WHERE if question.kind == "who" else WHO)
        with_forms += bool(forms)
        kinds = {kind_of(form) for form in forms}
        assert kinds <= {kind_of(question.text), "whether"}, question.text
        if question.asks in ("event", "actor", "place", "begin", "end", "span", "share", "duration", "count"):
            assert forms, question.text
    assert with_forms > 60


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("Yes, a man falls.", True),
        ("No, nothing unusual happens.", True),
        ("Nobody: nothing unusual happens.", False),
        ("No part of it: nothing unusual happens.", False),
        ("No time at all: nothing unusual happens.", False),
        ("A man in red.", False),
        ("Nothing unusual happens.", False),
        ("Yesterday's car.", False),
    ],
)
def test_a_yes_or_no_is_told_from_other_answers(answer, expected):
    assert is_yes_or_no(answer) == expected
    assert can_be_checked(_sample("Who?", answer)) != expected


def test_the_answers_of_rules_are_told_rightly():
    assert {answer for answer in NORMAL_ANSWERS.values() if is_yes_or_no(answer)} == {"No, nothing unusual happens."}


def test_a_reply_stands_before_the_answer_and_is_taken_away_again():
    for is_right in (True, False):
        reply = checked_answer("A man in red.", is_right)
        assert reply.endswith(" A man in red.")
        assert without_reply(reply) == "A man in red."
    assert checked_answer("x", is_right=True).startswith("Yes")
    assert checked_answer("x", is_right=False).startswith("No")
    assert without_reply("A man in red.") == "A man in red."


def test_a_vocabulary_gets_all_wordings():
    assert set(CHECKS) < set(wordings())
    assert {"And where?", "What does that person do?"} < set(wordings())
    assert len(set(wordings())) == len(wordings())
