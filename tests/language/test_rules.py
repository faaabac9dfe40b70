import pytest

from hawk_pipelines.language.rules import QUESTIONS, NothingKnown, describe
from hawk_pipelines.schema import Caption, Span


def _caption(start_s, end_s, text):
    return Caption(clip_id="c", video_id="v", start_s=start_s, end_s=end_s, text=text, tool="source", score=1.0)


CALM = _caption(0, 10, "Three people are at the plaza by day.")
EVENT = _caption(4, 8, "A person in red is falling at the front of the plaza.")


def test_the_captions_that_fit_the_time_tell_what_happened():
    description, qa = describe("falling", [Span(start_s=4, end_s=8)], [CALM, EVENT], 10)
    answers = {pair.q: pair.a for pair in qa}
    assert description == "Something unusual happens: a person in red is falling at the front of the plaza."
    assert answers[QUESTIONS["who"]] == "A person in red."
    assert answers[QUESTIONS["where"]] == "At the front of the plaza."
    assert answers[QUESTIONS["when"]] == "In the middle of the video."
    assert answers[QUESTIONS["how much"]] == "About 4 tenths of it."
    assert "falling" in answers[QUESTIONS["why"]]


def test_of_a_normal_video_every_answer_says_that_nothing_is_unusual():
    description, qa = describe("normal", [], [CALM], 10)
    assert description == "Nothing unusual happens: three people are at the plaza by day."
    assert len(qa) == len(QUESTIONS)
    assert all("othing unusual happens" in pair.a for pair in qa)


def test_nothing_is_claimed_that_the_sources_do_not_hold():
    description, qa = describe("arson", [], [], 10)
    assert description == "Something unusual happens: the video is labelled as arson."
    asked = {pair.q for pair in qa}
    assert not asked & {QUESTIONS["who"], QUESTIONS["where"], QUESTIONS["when"], QUESTIONS["how much"]}


def test_without_a_label_only_the_captions_speak():
    description, qa = describe(None, [], [EVENT], 10)
    assert description == EVENT.text
    assert not any("unusual" in pair.q + pair.a for pair in qa)


def test_a_video_of_which_nothing_is_known():
    with pytest.raises(NothingKnown):
        describe(None, [], [_caption(0, 1, "  ")], 10)


def test_an_anomaly_whose_class_is_not_said_is_not_given_one():
    told = describe("anomaly", [Span(start_s=4, end_s=8)], [], 10)
    assert told.description == "Something unusual happens: the video is labelled as anomalous."
    assert [qa.q for qa in told.qa if "Why" in qa.q] == []
