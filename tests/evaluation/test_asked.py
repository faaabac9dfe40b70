import pytest

from hawk_pipelines.evaluation.asked import asked
from hawk_pipelines.schema import DESCRIBE, Annotation, FrameSpan, Sample, Span, Video


def _sample(item_id, answer, question=DESCRIBE):
    task = "description" if question == DESCRIBE else "question"
    return Sample(item_id=item_id, task=task, question=question, answer=answer, motion_text="")


def _annotation(item_id, span=None):
    known = {"description": "A man runs.", "QA": [], "provider": "rules", "sources": [], "split": "test"}
    return Annotation(item_id=item_id, video_id="v", video="v.mp4", span=span, **known)


def _video(label="falling", *spans):
    known = {"source": "s", "path": "v.mp4", "frames": 90, "fps": 3, "width": 8, "height": 8, "duration_s": 30, "group": "g"}
    spans = [FrameSpan(start_s=a, end_s=b, start_frame=3 * a, end_frame=3 * b) for a, b in spans]
    return Video(id="v", name="v.mp4", label=label, spans=spans, split="test", split_by="seeded", **known)


def test_a_question_is_asked_once_and_where_its_answers_differ_that_is_said(caplog):
    items = [f"i{number}" for number in range(7)]
    samples = [_sample(item, answer, "Who?") for item in items for answer in ("A man.", "A man.")]
    samples += [_sample(item, "A man runs.") for item in items]
    annotations = [_annotation(item) for item in items]
    found = asked(samples, annotations, [_video()])
    assert [(one.item_id, one.kind, one.reference) for one in found[:1] + found[-1:]] == [
        ("i0", "who", "A man."),
        ("i6", "description", "A man runs."),
    ]
    assert (len(found), found[0].video, caplog.text) == (14, "g", "")
    again = asked([*samples, *(_sample(item, f"{n} men.", "Who?") for item in items for n in (2, 3))], annotations, [_video()])
    assert again == found
    assert "7 question(s) stand there more than once with different answers" in caplog.text
    assert "in item i0, i1, i2, i3, i4 and 2 more." in caplog.text


@pytest.mark.parametrize(
    ("video", "span", "normal"),
    [
        (_video("normal"), None, True),
        (_video("falling", (10, 20)), None, False),
        (_video("falling", (10, 20)), (0, 10), True),
        (_video("falling", (10, 20)), (19, 25), False),
        (_video("falling"), (0, 10), False),  # nobody knows when it happens
    ],
)
def test_a_stretch_without_an_anomaly_is_normal(video, span, normal):
    stretch = span and Span(start_s=span[0], end_s=span[1])
    (found,) = asked([_sample("i", "A man runs.")], [_annotation("i", stretch)], [video])
    assert found.normal == normal
