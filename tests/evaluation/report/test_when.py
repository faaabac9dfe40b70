import pytest

from hawk_pipelines.evaluation.report.when import OF_EACH, drawn
from hawk_pipelines.schema import AnomalyScore, FrameSpan, Video


def _video(name, *spans, label="falling"):
    known = {"source": "s", "path": name, "name": f"{name}.mp4", "width": 64, "height": 48, "split": "test", "split_by": "seeded"}
    spans = [FrameSpan(start_s=a / 10, end_s=b / 10, start_frame=a, end_frame=b) for a, b in spans]
    return Video(id=name, frames=20, fps=10.0, duration_s=2, label=label, spans=spans, **known)


def _along(video, scores, predicted=()):
    return AnomalyScore(video_id=video.id, video=video.name, raw=[0.5] * 20, smoothed=scores, predicted=list(predicted))


def test_the_worst_usual_ones_and_the_loudest_normal_ones_are_drawn():
    """In the n-th of nine videos, n of ten usual frames have a higher score than the unusual ones."""
    videos = [_video(f"v{n}", (10, 20)) for n in range(9)]
    scores = [_along(video, [0.9] * n + [0.1] * (10 - n) + [0.5] * 10) for n, video in enumerate(videos)]
    normal = [_video(f"n{n}", label="normal") for n in range(4)]
    loud = [_along(video, [0.2 * n] * 20) for n, video in enumerate(normal)]
    unknown = _video("u", label=None)
    found = drawn([*scores, *loud, _along(unknown, [1.0] * 20)], [*videos, *normal, unknown])
    assert [[line.title for line in few.timelines] for few in found] == [
        ["v8.mp4 (AUC 0.20)", "v7.mp4 (AUC 0.30)", "v6.mp4 (AUC 0.40)"],
        ["v4.mp4 (AUC 0.60)", "v3.mp4 (AUC 0.70)", "v2.mp4 (AUC 0.80)"],
        ["n3.mp4 (up to 0.60)", "n2.mp4 (up to 0.40)", "n1.mp4 (up to 0.20)"],
    ]
    assert OF_EACH == 3


def test_a_line_is_in_seconds_of_its_video():
    video = _video("v", (10, 20))
    span = FrameSpan(start_s=0.4, end_s=0.9, start_frame=4, end_frame=9)
    ((line,),) = (few.timelines for few in drawn([_along(video, [0.3] * 20, [span])], [video]))
    assert line.times_s[:3] == pytest.approx([0, 0.1, 0.2])
    assert (line.true, line.predicted) == ([(1.0, 2.0)], [(0.4, 0.9)])
    assert (line.raw[0], line.smoothed[0]) == (0.5, 0.3)


def test_nothing_is_drawn_where_nothing_was_scored():
    assert drawn([], []) == []
