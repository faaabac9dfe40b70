import numpy as np
import pytest

from hawk_pipelines.perception.captioner import CaptionError
from hawk_pipelines.perception.motion import Parameters, describe
from hawk_pipelines.video.motion_signal import LookParameters, LookPlace, between, look_along, unpack_signal
from tests.perception.clips import moves, seen, still

RIGHT, LEFT, DOWN = (1.0, 0.0), (-1.0, 0.0), (0.0, 1.0)


def told(signal, of=None, **settings):
    return describe((of or seen())._replace(signal=signal), Parameters(**settings))


def texts(signal, of=None, **settings):
    return [said.text for said in told(signal, of, **settings)]


def test_nothing_moves():
    (said,) = told(still())
    assert (said.text, said.start_s, said.end_s, said.score) == ("Nothing moves.", 0.0, 8.0, 1.0)


def test_a_flicker_is_not_told_and_not_denied():
    assert texts(moves(still(), {5: (2, 2)}, RIGHT, share=0.06, speed=0.01)) == ["Almost nothing moves."]


def test_from_where_to_where_and_when():
    (said,) = told(moves(still(), {look: (5, look - 2) for look in range(2, 10)}, RIGHT))
    assert said.text == "Something moves from the lower left to the lower right of the picture."
    assert (said.start_s, said.end_s) == (1.0, 5.0)


@pytest.mark.parametrize(
    ("way", "speed", "share", "cells", "text"),
    [
        (LEFT, 0.02, 0.3, [(5, 7)], "Something small keeps moving slowly to the left in the lower right of the picture."),
        (DOWN, 0.5, 0.6, [(0, 3)], "Something keeps moving quickly downwards at the top of the picture."),
        ((0.0, 0.1), 0.1, 0.6, [(2, 3)], "Something keeps moving this way and that in the middle of the picture."),
        (
            (0.7, -0.7), 0.1, 1.0, [(row, column) for row in range(5) for column in range(6)],
            "Something very large keeps moving up and to the right in much of the picture.",
        ),
    ],
)  # fmt: skip
def test_size_speed_way_and_place_are_those_measured(way, speed, share, cells, text):
    signal = still()
    for cell in cells:
        moves(signal, dict.fromkeys(range(16), cell), way, speed, share)
    assert texts(signal) == [text]


def test_two_that_meet_are_told_apart_by_their_way():
    signal = moves(still(), {look: (3, look // 2) for look in range(16)}, RIGHT)
    moves(signal, {look: (2, 7 - look // 2) for look in range(16)}, LEFT)
    assert set(texts(signal)) == {
        "Something keeps moving from the left to the right of the picture.",
        "Something keeps moving from the right to the left of the picture.",
    }


def test_what_turns_back_after_a_moment_moves_to_and_fro():
    signal = moves(still(), dict.fromkeys(range(0, 16, 2), (3, 3)), RIGHT)
    assert texts(moves(signal, dict.fromkeys(range(1, 16, 2), (3, 3)), LEFT)) == [
        "Something keeps moving to and fro in the middle of the picture."
    ]


def test_the_camera_is_told_apart_from_what_is_before_it():
    turning = still()
    turning.moving[:6], turning.speed[:6], turning.direction[:6] = 0.9, 0.2, RIGHT
    (said,) = told(turning)
    assert said.text == "The whole picture moves to the right, as when the camera turns."
    assert (said.start_s, said.end_s) == (0.0, 3.0)
    driving = still()
    away = np.stack(np.meshgrid(np.arange(8) - 3.5, np.arange(6) - 2.5), axis=-1)
    driving.moving[:], driving.speed[:] = 0.9, 0.2
    driving.direction[:] = away / np.linalg.norm(away, axis=-1, keepdims=True)
    assert texts(driving) == ["The whole picture moves outwards from its middle, as when the camera moves forwards."]


def test_changes_of_view():
    signal = still()
    signal.shots[[0, 4]] = True
    (said,) = told(signal)
    assert (said.text, said.start_s, said.end_s) == ("The picture changes at once to another view.", 1.5, 2.0)


def test_never_more_than_three_and_never_one_twice():
    signal = still()
    for row, column in [(0, 0), (0, 4), (0, 7), (3, 0), (3, 7), (5, 2)]:
        moves(signal, dict.fromkeys(range(3), (row, column)), RIGHT)
        moves(signal, dict.fromkeys(range(8, 11), (row, column)), RIGHT)
    said = told(signal)
    assert len(said) == 3 == len({sentence.text for sentence in said})
    assert [sentence.start_s for sentence in said] == sorted(sentence.start_s for sentence in said)
    assert len(told(signal, sentences=1)) == 1
    again = moves(moves(still(), dict.fromkeys(range(3), (0, 0)), RIGHT), dict.fromkeys(range(8, 11), (0, 0)), RIGHT)
    assert texts(again)[1] == f"Once more, {texts(again)[0][0].lower()}{texts(again)[0][1:]}"


def test_a_clip_between_two_looks_is_refused():
    with pytest.raises(CaptionError, match="looks_per_s"):
        told(between(still(), 0.1, 0.2))


def test_real_cars(real_data):
    path, fps = real_data / "videos" / "intel" / "car-detection.mp4", 12.5
    signal = unpack_signal(look_along(LookPlace(path, fps), LookParameters())[0])
    for start_s, end_s, text in [
        (0, 4, "Nothing moves."),
        (24, 30, "Something large moves quickly from the top to the lower left of the picture."),
    ]:
        cut = seen(path, round(start_s * fps), round(end_s * fps), frames=377, fps=fps)
        assert texts(between(signal, start_s, end_s), cut) == [text]
