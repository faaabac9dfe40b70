import json

import pytest

from hawk_pipelines.language.motion_text import motion_text
from hawk_pipelines.model.published_prompt import cleaned_caption
from tests.model.golden import FOLDER


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("A person in red is running at the front of the plaza.", "person running at front"),
        ("A man knocks down another man.", "man knocks man"),
        ("The car was hit by a truck.", "car hit by truck"),  # indirect subject
        ("A man and a woman are walking across the street.", "man and woman walking across street"),
        ("The man pushes the woman and runs away.", "man pushes woman, man runs"),  # an inherited subject
        ("A thief gives his friend a bag.", "thief gives friend bag"),  # indirect object, then object
        ("She gave it to him.", "She gave it to him"),
        ("A dog chases a cat and a bird.", "dog chases cat and bird"),
        ("A police officer follows a boy who throws stones.", "officer follows boy, boy throws stones"),
        ("The window is broken by two men with a hammer.", "window broken by men with hammer"),
        ("Smoke at the back of the warehouse.", ""),
        ("Nothing.", ""),
        ("", ""),
    ],
)
def test_subjects_verbs_and_objects(sentence, expected):
    assert motion_text(sentence) == expected


OWN = json.loads((FOLDER / "f_motion_text.json").read_text())


def _same_as_the_reference(case):
    words = motion_text(case["input"], "published")
    assert words == case["output"]
    assert cleaned_caption(case["input"]) == case["caption_cleaned"]
    assert cleaned_caption(words) == case["motion_text_cleaned"]


@pytest.mark.parametrize("case", OWN, ids=lambda case: case["input"][:30])
def test_the_public_codes_rule_on_written_sentences(case):
    _same_as_the_reference(case)


def test_the_public_codes_rule_on_all_real_descriptions(golden):
    cases = json.loads((golden / "f_motion_language.json").read_text())["real_descriptions"]
    assert len(cases) == 80
    for case in cases:
        _same_as_the_reference(case)
