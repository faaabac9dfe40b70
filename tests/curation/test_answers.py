import json
from collections import Counter
from pathlib import Path

import pytest

from hawk_pipelines.curation.answers import kind_of, misses
from hawk_pipelines.language.questions import read_pool

POOL = Path(__file__).parents[2] / "conf" / "questions.yml"


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ("What unusual event happens in the video?", "what"),
        ("Who is involved?", "who"),
        ("In which part of the video does it begin?", "when"),
        ("How many people fall?", "how much"),
        ("How does it take place?", "how"),
        ("For how long does it last?", "how much"),
        ("Why is it unusual?", "why"),
        ("What is the cause of the sudden change?", "why"),
        ("Is there an anomaly?", "whether"),
        ("At what place does it happen?", "where"),
    ],
)
def test_what_a_question_asks_for(question, kind):
    assert kind_of(question) == kind


def test_the_questions_of_the_pool_are_taken_for_what_they_are():
    taken = Counter((question.kind, kind_of(question.text)) for question in read_pool(POOL).questions)
    right = sum(count for (kind, found), count in taken.items() if kind == found or found == "whether")
    assert right >= 0.9 * sum(taken.values()), taken


@pytest.mark.parametrize(
    ("question", "answer", "reason"),
    [
        ("When does it begin?", "In the middle of the video.", None),
        ("When does it begin?", "A man in red.", "tells no time"),
        ("Where is it?", "A man falls asleep quickly.", "tells no place"),
        ("Where is it?", "Parking lot.", None),
        ("Where does he go?", "He glides down a bank of snow.", None),
        ("Where is it?", "It is not said.", None),
        ("How many people fall?", "People fall.", "tells no number"),
        ("How many people fall?", "Two.", None),
        ("How much does it disturb others?", "Strongly.", None),
        ("Who falls?", "Yes.", "is a yes or a no to a question with `who`"),
        ("Is there an anomaly?", "Yes.", None),
        ("Who falls?", "who falls", "only repeats its question"),
    ],
)
def test_an_answer_that_cannot_be_one(question, answer, reason):
    assert misses(question, answer) == reason


def test_no_published_answer_but_the_refusal_is_refused(real_data):
    items = json.loads((real_data / "hawk_format/all_videos_all.json").read_text())
    missed = [(pair["q"], pair["a"]) for item in items for pair in item["QA"] if misses(pair["q"], pair["a"])]
    assert missed == []
