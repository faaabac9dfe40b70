import json

import pytest

from hawk_pipelines.curation.wording import copied, foreign_language, time_outside, unprintable


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("It lasts from second 2 to second 9.", "second 2 to second 9"),
        ("It begins after 4.5 seconds.", None),
        ("It begins after 6.5 seconds.", "6.5 seconds"),
        ("In the 7th second a man falls.", "7th second"),
        ("After 2 minutes a man falls.", "2 minutes"),
        ("Frames 10 to 49 show it.", None),
        ("Frames 10 to 51 show it.", "Frames 10 to 51"),
        ("The clock shows 22:14:30.", None),
        ("A second man falls; 12 people watch.", None),
    ],
)
def test_times_outside_a_video_of_five_seconds_and_fifty_frames(text, found):
    assert time_outside(text, 5.0, 50) == found


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("a < b and c > d", False),
        ("It's 5 o'clock: 3 & 4.", False),
        ("👨‍👩‍👧 walk by", False),
        ("<img src=x onerror=alert(1)>", True),
        ("</p>", True),
        ("&lt;b&gt;", True),
        ("[click](javascript:alert(1))", True),
        ("a\x1b[31mred", True),
        ("a\u202etxt", True),
        ("line\nline\ttab", False),
    ],
)
def test_markup_and_characters_that_no_one_sees(text, holds):
    assert bool(unprintable(text)) is holds


def test_a_text_that_is_mostly_its_prompt_is_a_copy():
    prompt = "You see a street with two men. One of them runs to the left and the other falls on the ground near a car."
    assert copied(prompt, [prompt])
    assert copied("Well: " + prompt[30:], [prompt])
    assert copied("A man falls on the ground near a car, and somebody runs away from him into a house.", [prompt]) is None


def test_other_languages_are_told_and_real_english_is_not(real_data):
    assert foreign_language("Un homme tombe par terre dans la rue") == "the language `fr`"
    assert foreign_language("Мужчина бежит") == "a script that is not Latin"
    captions = [
        s
        for told in json.loads((real_data / "annotations/uca/UCFCrime_Val.json").read_text()).values()
        for s in told["sentences"]
    ]
    assert [text for text in captions if foreign_language(text)] == []
