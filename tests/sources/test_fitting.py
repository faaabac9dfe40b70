from pathlib import Path

import pytest

from hawk_pipelines.schema import Span
from hawk_pipelines.sources.fitting import fit_labels
from hawk_pipelines.sources.reading import FoundVideo, TimedText

FACTS = {"frames": 100, "fps": 25.0, "width": 64, "height": 48, "duration_s": 4.0}


def _fit(facts=(), **says):
    return fit_labels(FoundVideo(Path("a.mp4"), "a.mp4", **says), FACTS | dict(facts))


@pytest.mark.parametrize(
    ("fps", "span", "frames"),
    [
        (25.0, (1.0, 2.0), (25, 50)),
        (30000 / 1001, (1.0, 2.0), (29, 60)),  # a frame that is shown in part belongs to it
        (12.5, (0.1, 0.17), (1, 3)),
        (25.0, (1 / 3, 2 / 3), (8, 17)),
        (25.0, (0.1 + 0.2, 0.6), (7, 15)),
        (25.0, (0.12000000001, 0.2), (3, 5)),
    ],
)
def test_seconds_become_the_frames_that_are_shown_then(fps, span, frames):
    fitted = _fit({"fps": fps, "duration_s": 100 / fps}, spans=[Span(start_s=span[0], end_s=span[1])])
    (one,) = fitted.spans
    assert (one.start_frame, one.end_frame) == frames
    assert (one.start_s, one.end_s) == (one.start_frame / fps, one.end_frame / fps)
    assert fitted.notes == []


def test_frames_become_seconds_at_the_videos_own_rate():
    fitted = _fit({"fps": 12.5, "duration_s": 8.0}, frame_spans=[(25, 50), (0, 1)])
    assert [(s.start_s, s.end_s) for s in fitted.spans] == [(0.0, 0.08), (2.0, 4.0)]


def test_an_open_span_lasts_to_the_end_and_one_past_it_is_named_as_it_was_written():
    fitted = _fit(open_spans=[2.0, 10800.0])
    assert [(span.start_frame, span.end_frame) for span in fitted.spans] == [(50, 100)]
    assert fitted.notes == [
        "The anomaly of a.mp4 is said to begin at 10800 s and to last to the end, but the video ends at 4.00 s; mend the label."
    ]


def test_spans_are_cut_merged_or_left_out_with_a_line():
    fitted = _fit(frame_spans=[(50, 400), (40, 60), (100, 120), (5, 5), (9, 3), (-1, 4), (99, 101)])
    assert [(s.start_frame, s.end_frame) for s in fitted.spans] == [(40, 100)]
    assert len(fitted.notes) == 5
    assert fitted.notes[0] == (
        "The anomaly of a.mp4 is said to be at frames 50 to 400 (2.00 to 16.00 s), but the video ends at 4.00 s; it is cut there."
    )


def test_captions_are_cut_or_left_out_with_a_line():
    captions = [
        TimedText(0.0, None, "whole"),
        TimedText(3.0, 4.4, "rounded"),
        TimedText(1.0, 9.0, "long"),
        TimedText(4.0, 5.0, "late"),
    ]
    fitted = _fit(captions=captions)
    assert fitted.captions == [(0.0, 4.0, "whole"), (3.0, 4.0, "rounded"), (1.0, 4.0, "long")]
    assert ["it is cut there" in note for note in fitted.notes] == [True, False]


@pytest.mark.parametrize(
    ("number", "base", "counted", "span"),
    [
        (0, 0, 100, (3, 9)),
        (0, 1, None, (3, 9)),  # numbered anew from 0
        (1, 0, None, (3, 9)),  # numbered anew from 1
        (1, 0, 100, (3, 9)),
        (7, 0, 100, (3, 9)),  # numbered anew, however oddly: as many as there should be
        (1, 0, 101, (2, 8)),
        (5, 0, 105, (0, 4)),
        (3, 1, None, (1, 7)),
        (2, 1, None, (2, 8)),
        (1, 0, 99, (3, 9)),  # from 1, and one more than the labels
        (199, 0, 101, (3, 9)),  # numbered otherwise: so many cannot be missing
    ],
)
def test_where_the_first_pictures_are_missing_the_times_move(number, base, counted, span):
    fitted = _fit({"first_number": number}, frame_spans=[(3, 9)], first_picture=base, label_frames=counted)
    assert [(s.start_frame, s.end_frame) for s in fitted.spans] == [span]
    assert ("moved accordingly" in "".join(fitted.notes)) == (span != (3, 9))
    assert len(fitted.notes) == (span != (3, 9)) + (counted in (99, 101) and span == (3, 9))


def test_an_anomaly_in_the_missing_pictures_leaves_a_video_of_which_nothing_is_known():
    fitted = _fit({"first_number": 50}, frame_spans=[(3, 9)], label_frames=150, label="anomaly")
    assert (fitted.label, fitted.spans) == (None, [])
    assert "lies in the pictures that are missing" in fitted.notes[-1]
    assert _fit({"first_number": 50}, frame_spans=[(3, 99)], label_frames=150, label="anomaly").label == "anomaly"


def test_masks_of_an_array_move_and_masks_by_number_do_not():
    masks = {"frames": 104, "spans": [[1, 9]], "size": None, "absent": [], "by_number": False}
    moved = _fit({"first_number": 4, "masks": masks}, label="anomaly")
    assert [(s.start_frame, s.end_frame) for s in moved.spans] == [(0, 5)]
    masks |= {"frames": 100, "by_number": True}
    by_number = _fit({"first_number": 5, "masks": masks}, label="anomaly", first_picture=1)
    assert [(s.start_frame, s.end_frame) for s in by_number.spans] == [(1, 9)]
    listed = _fit({"first_number": 5, "masks": masks}, label="anomaly", first_picture=1, frame_spans=[(5, 13)])
    assert [(s.start_frame, s.end_frame) for s in listed.spans] == [(1, 9)]
    assert len(listed.notes) == 1


def test_masks_are_held_against_what_else_is_said():
    masks = {"frames": 100, "spans": [[3, 9]], "size": [64, 48], "absent": [], "by_number": False}
    assert [(s.start_frame, s.end_frame) for s in _fit({"masks": masks}, label="anomaly").spans] == [(3, 9)]
    agreed = _fit({"masks": masks}, label="anomaly", frame_spans=[(3, 9)])
    assert (len(agreed.spans), agreed.notes) == (1, [])
    normal = _fit({"masks": masks}, label="normal")
    assert normal.spans == []
    assert "The masks of a.mp4 are at frames 3 to 9, its labels at none; the labels are used." in normal.notes
