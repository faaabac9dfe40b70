import json

import numpy as np
import pytest

from hawk_pipelines.evaluation import when
from hawk_pipelines.evaluation.windows import Windows, windows_of
from hawk_pipelines.schema import WindowScore
from tests.evaluation.test_localisation import video

VIDEOS = {
    one.id: one
    for one in [
        *(video(f"anomaly{number}", 40, spans=[(10 + number, 30)]) for number in range(4)),
        *(video(f"normal{number}", 30, "normal") for number in range(3)),
        video("unknown", 50),
        video("unlabelled", 50, None),
    ]
}


def _scored(score, flow):
    """Windows of two lengths, whose score and flow depend on the share of their frames that are unusual."""
    for one in VIDEOS.values():
        truth = np.zeros(one.frames)
        for span in one.spans:
            truth[span.start_frame : span.end_frame] = 1
        for window in windows_of(one, Windows([0.2, 9.0], 0.5, 500)):
            share = truth[window.start_frame : window.end_frame].mean()
            yield WindowScore(**window.model_dump(), score=score(share), share=1.0, flow=flow(share), peak_flow=2 * flow(share))


def _told(score, flow=lambda _: 0.1, smoothing_s=0.0, threshold=0.5):
    found = when.curves(VIDEOS, list(_scored(score, flow)), smoothing_s)
    told = when.metrics(list(VIDEOS.values()), found, threshold)
    values = {(row["scored"], row["metric"]): row["value"] for row in told["figures"]}
    return found, json.loads(json.dumps(told, allow_nan=False)), values


def test_videos_of_unknown_labels_are_scored_and_counted_but_behind_no_figure():
    found, told, values = _told(lambda share: share)
    assert set(found["score"]) == set(VIDEOS)
    assert told["videos"] == {"scored": 9, "labelled": 7, "both": 4, "frames": 250, "unusual_frames": 74}
    items = {(row["scored"], row["metric"]): (row["items"], row["videos"]) for row in told["figures"]}
    assert items["score", "frame_auc"] == (250, 7)
    assert items["score", "frame_auc_macro"] == (4, 4)
    assert items["score", "miou"] == (4, 4)
    assert items["score", "false_alarms"] == (3, 3)
    assert values["score", "false_alarms"] == 0


def test_what_knows_everything_is_perfect_and_what_knows_nothing_is_chance():
    _, told, values = _told(lambda share: share)
    assert values["score", "frame_auc"] == pytest.approx(1, abs=0.01)  # a window at the edge has a part of both
    assert values["score", "frame_auc_macro"] == pytest.approx(1, abs=0.02)
    assert values["flow", "frame_auc"] == values["peak_flow", "frame_auc"] == values["flow", "frame_auc_macro"] == 0.5
    assert values["whole_video", "miou"] == pytest.approx(np.mean([20, 19, 18, 17]) / 40)
    assert values["whole_video", "false_alarms"] == 1
    over = {(row["over"], row["metric"]): (row["value"], row["low"]) for row in told["differences"]}
    assert over["flow", "frame_auc"] == (pytest.approx(0.5, abs=0.01), pytest.approx(0.5, abs=0.03))
    assert set(over) == {
        (other, metric)
        for other in ("flow", "peak_flow")
        for metric in ("frame_auc", "frame_ap", "frame_auc_macro", "frame_ap_macro")
    }


def test_all_but_the_raw_score_are_smoothed_alike():
    rough = lambda share: float(share > 0.6)  # noqa: E731
    found, _, values = _told(rough, flow=rough, smoothing_s=2.0)
    plain, _, others = _told(rough, flow=rough)
    for video_id, raw in plain["raw"].items():
        assert (found["raw"][video_id] == raw).all()
        assert found["score"][video_id] == pytest.approx(found["flow"][video_id])
        assert found["score"][video_id] == pytest.approx(found["peak_flow"][video_id] / 2)
    assert not np.allclose(found["score"]["anomaly0"], plain["score"]["anomaly0"])
    assert values["raw", "frame_ap"] == others["score", "frame_ap"] != values["score", "frame_ap"]


def test_spans_are_where_the_smoothed_score_reaches_the_threshold():
    found, _, _ = _told(lambda share: share, smoothing_s=0.0)
    kept = {one.video_id: one for one in when.anomaly_scores(VIDEOS, found, 0.5)}
    ((first,), ()) = kept["anomaly2"].predicted, kept["normal0"].predicted
    assert abs(first.start_frame - 12) <= 1
    assert abs(first.end_frame - 30) <= 1
    assert first.end_s == first.end_frame / 10
    assert len(kept["anomaly2"].raw) == len(kept["anomaly2"].smoothed) == 40
    assert kept["anomaly2"].video == "anomaly2.mp4"


def test_mlflow_is_told_numbers_by_name():
    _, told, values = _told(lambda share: share)
    flat = when.flat(told)
    assert flat["when.frame_auc"] == values["score", "frame_auc"]
    assert flat["when.whole_video.miou"] == values["whole_video", "miou"]
    assert flat["when.peak_flow.frame_ap_macro"] == values["peak_flow", "frame_ap_macro"]
    assert len(flat) == len(told["figures"])
    nothing = when.metrics([], when.curves({}, [], 0), 0.5)
    assert when.flat(nothing) == {}
    assert {row["items"] for row in nothing["figures"]} == {0}
