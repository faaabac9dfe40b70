import re

import numpy as np
import pytest

from hawk_pipelines.errors import HawkError
from hawk_pipelines.evaluation.report import shown
from hawk_pipelines.evaluation.report.examples import worst_first
from hawk_pipelines.evaluation.report.pictures import ItemPictures
from hawk_pipelines.evaluation.report.shown import show
from tests.evaluation.made import said


def _pictures(item_id):
    if item_id == "broken":
        msg = "It cannot be read."
        raise HawkError(msg)
    if item_id == "missing":
        return None
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 256, (3, 48, 64, 3), dtype=np.uint8)
    return ItemPictures(frames, rng.random((3, 48, 64), dtype=np.float32), np.array([0.0, 0.5, 1.25]))


def _shown(own, others=(), names=None, pictures=_pictures, count=100):
    return show(worst_first(own, (), count), others, (), names or {}, pictures)


def test_an_item_has_its_frames_with_their_masks_and_times():
    (example,) = _shown([said("v1", "A dog.")], names={"v1": "v1.mp4"})["description"]
    assert example.name == "v1.mp4"
    assert [shot.time_s for shot in example.shots] == [0.0, 0.5, 1.25]
    pictures = [address for shot in example.shots for address in (shot.frame, shot.moving)]
    assert len(set(pictures)) == 6
    assert all(address.startswith("data:image/webp;base64,") for address in pictures)


@pytest.mark.parametrize(
    ("item", "reason"),
    [("broken", "No pictures: It cannot be read."), ("missing", "No pictures: no frames of this item are stored.")],
)
def test_where_there_are_no_pictures_the_reason_stands_and_the_answer_too(item, reason):
    (example,) = _shown([said(item, "A dog.")])["description"]
    assert (example.shots, example.without) == ([], reason)
    assert example.answered[0].said.pieces[0][0].startswith("A")


def test_the_pictures_of_a_page_are_limited_and_the_rest_says_so(monkeypatch):
    one = len(str(_shown([said("v1", "A dog.")])["description"][0].shots))
    monkeypatch.setattr(shown, "MOST_PICTURES", 2 * one)
    found = _shown([said(f"v{at}", "A dog.") for at in range(5)])["description"]
    assert [bool(example.shots) for example in found] == [True, True, True, False, False]
    assert "set" not in found[2].without
    assert all("No pictures: those of this page are limited" in example.without for example in found[3:])


def test_what_is_said_of_one_item_stands_together_in_the_order_of_the_worst():
    own = [said("v1", "A man.", "Who?", "A man."), said("v2", "A dog.", "Who?", "A cat."), said("v1", "Red.", "How?", "Fast.")]
    others = [said("v1", "A cat.", "How?", "Fast.", model="b"), said("v3", "A cat.", "How?", "Fast.", model="b")]
    found = _shown(own, others)["question"]
    assert [(example.item_id, [one.question for one in example.answered]) for example in found] == [
        ("v1", ["How?", "Who?"]),
        ("v2", ["Who?"]),
    ]
    assert [other.model for other in found[0].answered[0].others] == ["b"]
    assert found[0].answered[1].others == []
    assert found[0].answered[0].others[0].worth == "ROUGE-L 0.000"


def test_words_that_the_reference_has_not_got_are_told_apart():
    (example,) = _shown([said("v1", "A man walks,  slowly, away.", reference="a man: runs away")])["description"]
    assert example.answered[0].said.pieces == [
        ("A man ", False),
        ("walks,", True),
        ("  ", False),
        ("slowly,", True),
        (" away.", False),
    ]


def test_a_text_without_end_is_cut():
    (example,) = _shown([said("v1", "word " * 100_000, reference="é" * 2000)])["description"]
    answered = example.answered[0]
    assert "".join(piece for piece, _ in answered.said.pieces) == "word " * 300 + "… (498,500 more characters)"
    assert re.fullmatch(r"é{1500}… \(500 more characters\)", answered.reference)
