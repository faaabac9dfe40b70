"""A video of 25 frames a second and then one a second, through every step: seconds are everywhere those of its time stamps."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hawk_pipelines.engine.run import EngineParameters
from hawk_pipelines.engine.store import ItemStore
from hawk_pipelines.evaluation import when
from hawk_pipelines.evaluation.localisation import auc, frame_labels
from hawk_pipelines.evaluation.report.when import drawn
from hawk_pipelines.evaluation.windows import Windows, looks_in, parts_of, windows_of
from hawk_pipelines.language.questions import Pool, Question
from hawk_pipelines.language.rules import Known, describe
from hawk_pipelines.perception import existing, motion
from hawk_pipelines.perception.captioner import Seen
from hawk_pipelines.perception.frames import read_squares
from hawk_pipelines.pipelines.evaluate.when import WhenParameters, sample_windows
from hawk_pipelines.pipelines.split.nodes import cut_clips, look_along_videos
from hawk_pipelines.schema import SourceCaption, Span, WindowScore
from hawk_pipelines.serving.hawk import Hawk
from hawk_pipelines.sources import folder
from hawk_pipelines.sources.listing import ListingParameters, list_videos
from hawk_pipelines.sources.reading import FoundVideo, TimedText
from hawk_pipelines.video.cutting import SplitParameters
from hawk_pipelines.video.motion_signal import between, unpack_signal
from hawk_pipelines.video.streams import StreamParameters
from tests.pipelines.test_when import ASKED, ENCODE, _saved
from tests.video.clocks import fast_then_slow

ENGINE = EngineParameters(workers=0, shards=4)
FRAMES, DURATION_S = 300, 60.0
TIMES = np.array([0.04 * n for n in range(250)] + [10.0 + n for n in range(50)])


@pytest.fixture(scope="module", params=["made.mp4", "made.mkv", "reported vfr.mp4", "reported vfr.mkv"])
def path(request, tmp_path_factory):
    kind = request.param.split()
    if kind[0] == "reported":
        return request.getfixturevalue("real_data") / "reported/variable_rate" / kind[1]
    return fast_then_slow(tmp_path_factory.mktemp("varied") / kind[0], 250, 50)


def _listed(path, tmp_path, **said):
    found = FoundVideo(path, path.name, label="falling", spans=[Span(start_s=4, end_s=8)], split="test", source="s")
    return list_videos([replace(found, **said)], ListingParameters(), 0, ItemStore(tmp_path / "probes"), ENGINE)


@pytest.fixture(scope="module")
def video(path, tmp_path_factory):
    ((video, _),) = _listed(path, tmp_path_factory.mktemp("listed")).videos
    return video


def test_labels_in_seconds_become_the_frames_of_these_seconds(path, tmp_path):
    captions = [TimedText(20.0, None, "Nothing moves."), TimedText(61.0, 62.0, "Too late.")]
    listing = _listed(path, tmp_path, captions=captions, spans=[Span(start_s=4, end_s=8), Span(start_s=20, end_s=70)])
    ((video, found),) = listing.videos
    assert (video.frames, video.duration_s) == (FRAMES, DURATION_S)
    first, second = video.spans
    assert (first.start_frame, first.end_frame, first.start_s, first.end_s) == (100, 200, 4.0, 8.0)
    assert (second.start_frame, second.end_frame, second.start_s, second.end_s) == (260, 300, 20.0, 60.0)
    assert found.captions == [(20.0, 60.0, "Nothing moves.")]
    assert [rejection.reason.rpartition(", ")[2] for rejection in listing.rejections] == [
        "but the video ends at 60.00 s; it is cut there.",
        "but the video ends at 60.00 s; mend it.",
    ]


def test_labels_in_frames_become_the_seconds_of_these_frames(path, tmp_path):
    ((video, _),) = _listed(path, tmp_path, spans=[], frame_spans=[(100, 200), (260, 300)]).videos
    assert [(span.start_s, span.end_s) for span in video.spans] == [(4.0, 8.0), (20.0, 60.0)]


@pytest.fixture(scope="module")
def looked(video, tmp_path_factory):
    store = ItemStore(tmp_path_factory.mktemp("signals"))
    rows, rejected = look_along_videos([video], SplitParameters(), ENGINE, store)
    assert rejected == []
    return store, rows


def test_the_dense_look_is_told_in_true_seconds(video, looked):
    store, (row,) = looked
    signal = unpack_signal(store.read(row.key))
    assert signal.times_s == pytest.approx(TIMES[signal.frames])
    assert row.looks == len(signal.frames) == 90  # four a second for ten seconds, and then every frame
    assert between(signal, 20.0, 23.0).frames.tolist() == [260, 261, 262]


@pytest.mark.parametrize("by", ["motion", "shots", "stride"])
def test_clips_are_cut_by_true_seconds(video, looked, by):
    store, rows = looked
    clips = cut_clips([video], rows, SplitParameters(by=by, stride_s=8), store)
    assert (clips[0].start_frame, clips[-1].end_frame) == (0, FRAMES)
    assert [clip.start_frame for clip in clips[1:]] == [clip.end_frame for clip in clips[:-1]]
    edges = np.append(TIMES, DURATION_S)
    assert [clip.start_s for clip in clips] == pytest.approx([edges[clip.start_frame] for clip in clips])
    assert [clip.end_s for clip in clips] == pytest.approx([edges[clip.end_frame] for clip in clips])
    lengths = [clip.end_s - clip.start_s for clip in clips]
    if by == "stride":
        assert [clip.start_frame for clip in clips] == [0, 200, 256, 264, 272, 280, 288, 296]
    else:
        assert min(lengths) >= 2.0
        assert max(lengths) <= 16.0 + 1e-3


def test_captions_are_timed_by_true_seconds(video, looked):
    store, (row,) = looked
    clips = cut_clips([video], [row], SplitParameters(by="stride", stride_s=10), store)
    assert [clip.start_s for clip in clips] == [0, 10, 20, 30, 40, 50]
    squares = read_squares(Seen(clips[2], video), 5, 32)
    assert squares.times_s == [20, 22, 24, 26, 28]
    signal = between(unpack_signal(store.read(row.key)), clips[2].start_s, clips[2].end_s)
    for sentence in motion.describe(Seen(clips[2], video, signal=signal), motion.Parameters()):
        assert 20 <= sentence.start_s < sentence.end_s <= 30
    sentences = [SourceCaption(video_id=video.id, start_s=s, end_s=s + 2, text=f"At {s}.") for s in (5, 22, 55)]
    assigned, homeless = existing.assign(clips, sentences)
    assert homeless == []
    assert [assigned[clips[place].id][0].text for place in (0, 2, 5)] == ["At 5.", "At 22.", "At 55."]


def test_a_draft_says_when(video):
    asks = ("begin", "end", "span"), ("duration", "share")
    kinds = [("when", one) for one in asks[0]] + [("how much", one) for one in asks[1]]
    pool = Pool(tuple(Question(f"{kind} {one}?", kind, one) for kind, one in kinds), "")
    answers = {pair.q: pair.a for pair in describe(Known("v", "falling", video.spans, [], video.duration_s), pool, 0, 9).qa}
    assert answers["when span?"] == "From second 4 to second 8."
    assert answers["how much duration?"] == "About 4 seconds."
    assert answers["how much share?"] == "About a tenth of it."  # 4 s of 60 s, not a third of its frames


LAID = Windows([0.4, 4.0], 0.5, 500)


@pytest.mark.parametrize("laid", [LAID, Windows([0.4, 4.0], 1.0, 7), Windows([99.0], 0.5, 9), Windows([1.0, 1.0, 1.1], 0.5, 500)])
def test_windows_last_as_long_as_is_said(video, laid):
    windows = windows_of(video, laid)
    assert len({window.item_id for window in windows}) == len(windows)
    edges = np.append(TIMES, DURATION_S)
    for window in windows:
        assert (window.start_s, window.end_s) == pytest.approx((edges[window.start_frame], edges[window.end_frame]))
        assert window.end_frame - window.start_frame >= 2
    starts = [place for place, window in enumerate(windows) if window.start_frame == 0]
    for first, last in zip(starts, [*starts[1:], len(windows)], strict=True):
        covered = {frame for window in windows[first:last] for frame in range(window.start_frame, window.end_frame)}
        assert covered == set(range(FRAMES))
        assert last - first <= laid.most
    if laid is LAID:
        fast = [window for window in windows[: starts[1]] if window.end_s <= 10]
        slow = [window for window in windows[starts[1] :] if window.start_s >= 10]
        assert {window.end_frame - window.start_frame for window in fast} == {10}
        assert {window.end_frame - window.start_frame for window in slow} == {4}


@pytest.mark.parametrize("count", [1, 4, 8])
def test_every_window_is_sampled(video, tmp_path, count):
    """From the file itself, so that seconds lead to the frames that were meant."""
    parameters = WhenParameters(window_s=[0.4, 4.0])
    store = ItemStore(tmp_path / "frames")
    parts, kept, rejected = sample_windows(ASKED, [video], parameters, StreamParameters(frames=count), ENCODE, ENGINE, store)
    assert rejected == []
    assert parts == parts_of(video, parameters.windows, count)
    seen = [store.facts(item.key)["indices"][0] for item in kept]
    for part, frames in zip(parts, seen, strict=True):
        assert len(frames) == part.looks
        assert part.start_frame <= frames[0] <= frames[-1] < part.end_frame
    looks = [when_look(frame) for frames in seen for frame in frames]
    for window in windows_of(video, parameters.windows):
        there = window.end_frame - window.start_frame - (window.start_frame == 0)
        assert min(there, count) - 1 <= len(looks_in(window, looks, count)) <= count
        assert looks_in(window, looks, count)


def when_look(frame):
    from hawk_pipelines.evaluation.windows import Look

    return Look(frame, "", 0)


def test_frames_are_scored_against_the_labels_of_their_own_seconds(video):
    labels = frame_labels(video)
    assert np.flatnonzero(labels).tolist() == list(range(100, 200))

    def score(window):  # of something that knows when it happens, in seconds
        return max(0.0, min(window.end_s, 8.0) - max(window.start_s, 4.0)) / (window.end_s - window.start_s)

    scored = [
        WindowScore(**window.model_dump(), score=score(window), share=1.0, flow=0.1, peak_flow=0.1)
        for window in windows_of(video, Windows([0.4, 1.0], 0.25, 500))
    ]
    found = when.curves({video.id: video}, scored, 0.1)
    assert auc(labels, found["score"][video.id]) > 0.99
    (kept,) = when.anomaly_scores({video.id: video}, found, 0.5)
    (span,) = kept.predicted
    assert (span.start_s, span.end_s) == pytest.approx((4.0, 8.0), abs=0.3)
    (timeline,) = drawn([kept], [video])[0].timelines
    assert timeline.times_s == pytest.approx(TIMES)
    assert timeline.true == [(4.0, 8.0)]


def test_smoothing_reaches_over_seconds_not_frames(video):
    scores = np.zeros(FRAMES)
    scores[249:251] = 1.0  # at 9.96 s and 10 s
    smooth = when.smoothed(scores, 0.5, when.clock_of(video))
    assert smooth[237] > 0.01  # half a second before
    assert smooth[252] < 0.01  # two seconds after


@pytest.fixture(scope="module")
def hawk(tmp_path_factory):
    return Hawk.from_folder(_saved(tmp_path_factory.mktemp("model") / "0", 3))


@pytest.mark.parametrize(
    ("span", "times_s"),
    [((4.0, 8.0), [4, 5, 6, 7]), ((20.0, 24.0), [20, 21, 22, 23]), ((30.2, 30.8), [30]), (None, [0.04, 3.0, 6.0, 9.0])],
)
def test_a_question_about_a_span_is_about_its_own_frames(path, hawk, span, times_s):
    assert hawk.watch(path, span)._times_s == pytest.approx(times_s)


def test_a_table_of_a_folder_is_read_with_true_seconds(real_data, tmp_path):
    """The reported case from its own `captions.csv`."""
    reading = folder.read(folder.Parameters(path=Path(real_data / "reported/variable_rate")))
    found = [replace(one, source="folder", split=one.split or "train") for one in reading.videos]
    listing = list_videos(found, ListingParameters(), 0, ItemStore(tmp_path / "probes"), ENGINE)
    assert [(video.spans[0].start_frame, video.spans[0].end_frame) for video, _ in listing.videos] == [(100, 200)] * 2
    assert listing.rejections == []
