import pytest

from hawk_pipelines.language.motion_text import motion_text


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("A person in red is running at the front of the plaza.", "person running at front"),
        ("A man knocks down another man.", "man knocks man"),
        ("The car was hit by a truck.", "car hit by truck"),
        ("A man and a woman are walking across the street.", "man and woman walking across street"),
        ("The man pushes the woman and runs away.", "man pushes woman, man runs"),
        ("Nothing.", ""),
        ("", ""),
    ],
)
def test_subjects_verbs_and_objects(sentence, expected):
    assert motion_text(sentence) == expected
