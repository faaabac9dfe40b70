import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from hawk_pipelines.evaluation import localisation
from hawk_pipelines.evaluation.localisation import (
    Labelled,
    auc,
    average_precision,
    frame_differences,
    frame_figures,
    frame_labels,
    overlap,
    span_figures,
)
from hawk_pipelines.schema import FrameSpan, Video

FILES = ("frame_labels_avenue", "frame_labels_ped2", "frame_labels_shanghai")


def span(start, end):
    return FrameSpan(start_frame=start, end_frame=end, start_s=start / 10, end_s=end / 10)


def video(name, frames=100, label="falling", spans=(), group=None):
    return Video(
        id=name, source="s", path=f"{name}.mp4", name=f"{name}.mp4", group=group, frames=frames, fps=10, width=96, height=96,
        duration_s=frames / 10, label=label, spans=[span(*one) for one in spans], split="test", split_by="official",
    )  # fmt: skip


def labelled(*labels, sources=None):
    return Labelled([np.array(one, bool) for one in labels], sources or [f"v{number}" for number in range(len(labels))])


def arrays(*scores):
    return [np.array(one, float) for one in scores]


@pytest.fixture(params=FILES)
def real_labels(request, real_data):
    """The frames of a published test set, all videos in a row."""
    return np.load(real_data / "annotations" / "frame_labels" / f"{request.param}.npy").squeeze() != 0


@pytest.mark.parametrize("digits", [16, 2])
def test_figures_of_real_labels_are_those_of_scikit_learn(real_labels, digits):
    """Also where scores have two digits, so that hundreds of frames have the same one."""
    scores = np.random.default_rng(7).beta(2, 3, len(real_labels)).round(digits)
    scores += 0.1 * real_labels
    assert auc(real_labels, scores) == pytest.approx(roc_auc_score(real_labels, scores), abs=1e-12)
    assert average_precision(real_labels, scores) == pytest.approx(average_precision_score(real_labels, scores), abs=1e-12)


def test_a_perfect_score_of_real_labels_is_one_and_a_constant_is_a_half(real_labels):
    assert auc(real_labels, real_labels.astype(float)) == average_precision(real_labels, real_labels.astype(float)) == 1.0
    assert auc(real_labels, np.full(len(real_labels), 0.3)) == 0.5
    assert auc(real_labels, -real_labels.astype(float)) == 0.0


def test_frames_are_pooled_and_videos_averaged():
    """Scores that are right within each video, but higher in the second one whatever happens."""
    videos = labelled([0, 1], [0, 1], [0, 0])
    found = frame_figures(videos, arrays([0.1, 0.2], [0.8, 0.9], [0.3, 0.3]))
    assert {name: round(figure.value, 4) for name, figure in found.items()} == {
        "frame_auc": 0.625,  # 5 of the 8 pairs
        "frame_ap": 0.7,  # 1/1 and 2/5
        "frame_auc_macro": 1.0,
        "frame_ap_macro": 1.0,
    }
    assert [(found[name].items, found[name].videos) for name in ("frame_auc", "frame_auc_macro")] == [(6, 3), (2, 2)]


def test_figures_are_of_every_frame_and_their_intervals_of_whole_source_videos():
    rng = np.random.default_rng(0)
    truth = [rng.random(60) < 0.4 for _ in range(24)]
    scores = [one * 0.6 + rng.random(60) for one in truth]
    apart = frame_figures(Labelled(truth, [f"v{number}" for number in range(24)]), scores)
    together = frame_figures(Labelled(truth, [f"v{number // 12}" for number in range(24)]), scores)
    alone = frame_figures(Labelled(truth, ["v"] * 24), scores)
    for name, figure in apart.items():
        assert figure.value == pytest.approx(together[name].value) == alone[name].value
        assert figure.low < figure.value < figure.high
        assert (figure.videos, together[name].videos, alone[name].videos) == (24, 2, 1)
        assert np.isnan(alone[name].low)
        assert (together[name].low, together[name].high) != (figure.low, figure.high)
    assert apart["frame_auc"].value == pytest.approx(roc_auc_score(np.concatenate(truth), np.concatenate(scores)), abs=1e-12)
    assert apart["frame_auc"].high - apart["frame_auc"].low < 0.1


def test_levels_of_scores_hardly_move_what_is_resampled(monkeypatch):
    rng = np.random.default_rng(1)
    truth = [rng.random(200) < 0.3 for _ in range(20)]
    scores = [one * 0.5 + rng.random(200) for one in truth]
    videos = Labelled(truth, [f"v{number}" for number in range(20)])
    coarse = frame_figures(videos, scores)
    monkeypatch.setattr(localisation, "LEVELS", None)
    exact = frame_figures(videos, scores)
    for name, figure in coarse.items():
        assert figure == pytest.approx(exact[name], abs=2e-3)
    assert coarse["frame_auc"].low != exact["frame_auc"].low  # there were fewer levels


def test_intervals_hold_their_figures_where_hardly_a_frame_is_unusual():
    """Two of a thousand frames, in a tenth of the videos; usual frames with high scores are ten times as many."""
    rng = np.random.default_rng(0)
    truth = [np.arange(1500) < 30 * (number % 10 == 0) for number in range(200)]
    plain, better = ([rng.beta(1, 8, 1500) + gain * one * rng.random(1500) ** 0.2 for one in truth] for gain in (0.5, 0.6))
    videos = Labelled(truth, [f"v{number}" for number in range(200)])
    assert np.concatenate(truth).mean() == 0.002
    before, after = frame_figures(videos, plain), frame_figures(videos, better)
    assert before["frame_ap"].value < 0.5 < after["frame_ap"].value
    for name, figure in (before | {f"{name}, better": figure for name, figure in after.items()}).items():
        below, above = figure.value - figure.low, figure.high - figure.value
        assert 0.4 < below / above < 2.5, name  # it lies well within
    for name, difference in frame_differences(videos, plain, better).items():
        assert difference.value == after[name].value - before[name].value
        assert 0 < difference.low < difference.value < difference.high
    levels = localisation._by_level(truth, plain, localisation.LEVELS)
    assert levels.shape[1] <= 2 * localisation.LEVELS
    assert localisation.average_precision_of(levels.sum(axis=0)) == pytest.approx(before["frame_ap"].value, abs=3e-3)


def test_one_kind_of_frames_has_no_figure():
    found = frame_figures(labelled([0, 0], [0]), arrays([0.1, 0.2], [0.3]))
    assert all(np.isnan(figure.value) for figure in found.values())
    assert (found["frame_auc"].items, found["frame_auc_macro"].items) == (3, 0)
    assert all(np.isnan(figure.value) and figure.items == 0 for figure in frame_figures(labelled(), []).values())


def test_differences_are_paired_by_video():
    rng = np.random.default_rng(2)
    truth = [rng.random(80) < 0.4 for _ in range(30)]
    hard = rng.random(30) * 2  # how hard a video is, for both
    noise = [rng.random(80) * much for much in hard]
    worse, better = ([one * gain + off for one, off in zip(truth, noise, strict=True)] for gain in (0.4, 0.5))
    videos = Labelled(truth, [f"v{number}" for number in range(30)])
    found = frame_differences(videos, worse, better)
    before, after = frame_figures(videos, worse), frame_figures(videos, better)
    for name, difference in found.items():
        assert difference.value == pytest.approx(after[name].value - before[name].value, abs=1e-12)
        assert 0 < difference.low < difference.high < after[name].high - before[name].low
        assert difference.items == after[name].items
    same = frame_differences(videos, worse, worse)["frame_auc"]
    assert (same.value, same.low, same.high, same.p) == (0, 0, 0, 1)


def test_labels_are_known_of_normal_videos_and_where_there_are_spans():
    assert frame_labels(video("a", 5, "normal")).tolist() == [False] * 5
    assert frame_labels(video("b", 6, spans=[(1, 3), (4, 6)])).tolist() == [False, True, True, False, True, True]
    assert frame_labels(video("c", 5)) is None
    assert frame_labels(video("d", 5, label=None)) is None


def test_overlap_is_of_frames():
    assert overlap(span(0, 10), span(5, 15)) == pytest.approx(1 / 3)
    assert overlap(span(0, 10), span(10, 20)) == 0
    assert overlap(span(3, 7), span(3, 7)) == 1


def test_spans_are_matched_one_to_one_so_that_their_overlaps_are_largest():
    """The second true span overlaps with the first guess alone, which the first true span comes before."""
    videos = [
        video("a", spans=[(0, 40), (30, 100)]),
        video("b", spans=[(50, 100)]),
        video("c", label="normal"),
        video("d", label="normal"),
    ]
    guesses = [[span(10, 60), span(0, 30)], [], [span(0, 1), span(5, 6)], []]
    found = {name: (figure.value, figure.items, figure.videos) for name, figure in span_figures(videos, guesses).items()}
    ious = [30 / 40, 30 / 90, 0]
    assert found["miou"] == (pytest.approx(sum(ious) / 3), 3, 2)
    assert [found[f"recall_{least}"][0] for least in (0.3, 0.5, 0.7)] == pytest.approx([2 / 3, 1 / 3, 1 / 3])
    assert [found[f"precision_{least}"][0] for least in (0.3, 0.5, 0.7)] == pytest.approx([2 / 4, 1 / 4, 1 / 4])
    assert found["precision_0.3"][1:] == (4, 2)
    assert found["false_alarms"] == (0.5, 2, 2)


def test_cut_spans_do_not_count_twice():
    """A span that is guessed in two halves is found once at most, and spans of one source video are resampled together."""
    whole, halves = ([[span(0, 100)]] * 2, [[span(0, 50), span(50, 100)]] * 2)
    videos = [video("a", spans=[(0, 100)], group="g"), video("b", spans=[(0, 100)], group="g")]
    assert span_figures(videos, whole)["recall_0.7"].value == 1
    found = span_figures(videos, halves)
    assert (found["recall_0.5"].value, found["recall_0.7"].value, found["precision_0.5"].value) == (1, 0, 0.5)
    assert found["miou"].videos == 1
    assert np.isnan(found["miou"].low)
