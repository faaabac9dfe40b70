"""The nodes over small real files: what is looked at, what is encoded again, and what becomes of a broken video."""

import logging
from pathlib import Path

import numpy as np
import pytest

from hawk_pipelines.engine.run import EngineParameters
from hawk_pipelines.engine.store import ItemStore
from hawk_pipelines.evaluation.likelihood import log_likelihoods, unusual
from hawk_pipelines.model.answering import watch
from hawk_pipelines.model.batch import FrameTokens
from hawk_pipelines.model.checkpoint import Parts, load, load_frame_encoder, save
from hawk_pipelines.model.errors import CheckpointError
from hawk_pipelines.model.frame_encoders.streams import encode_streams
from hawk_pipelines.pipelines.encode.parameters import EncodeParameters
from hawk_pipelines.pipelines.evaluate.when import WhenParameters, encode_windows, sample_windows, score_windows
from hawk_pipelines.schema import Asked, Video
from hawk_pipelines.training.errors import TrainingError
from hawk_pipelines.video.content import content_id
from hawk_pipelines.video.streams import StreamParameters, read_streams
from tests.engine.test_run import files
from tests.evaluation.test_localisation import span
from tests.training.made import ENCODER, MODEL, sentences, small_parts
from tests.video.numbered import write

FRAMES = 150
"""Of the longest video: more than one part of it."""
WHEN = WhenParameters(window_s=[0.4, 99.0], question="Who is it?", unusual=["A person"], usual=["A car", "Q"], batch_size=5)
MOTION, ENCODE = StreamParameters(frames=4), EncodeParameters(frame_encoder=ENCODER)
ASKED = [
    Asked(
        item_id="a",
        task="question",
        question="Who?",
        reference="A cyclist.",
        kind="who",
        source="made",
        video="a",
        normal=False,
    )
]


def _saved(folder, seed):
    model = MODEL.model_copy(deep=True)
    model.branches.initializer_range = 1.0  # so that an untrained model says something else of every video
    parts = small_parts(sentences([f"v{number}" for number in range(5)]), model, seed)
    save(folder, *Parts(parts.model.eval(), parts.tokenizer))
    return folder


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Two models that never learned anything."""
    return [_saved(tmp_path_factory.mktemp("model") / str(seed), seed) for seed in (3, 4)]


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    """Two labelled test videos, one without label, one to train on, and one that is cut off."""
    folder = tmp_path_factory.mktemp("videos")
    made = []
    for name, frames, label in (("fall", FRAMES, "falling"), ("calm", 9, "normal"), ("some", 5, None), ("train", 8, "normal")):
        path = write(folder / f"{name}.mp4", frames, first=len(made))
        made.append((name, path, frames, label))
    broken = folder / "broken.avi"
    whole = write(folder / "whole.avi", 300, codec="mjpeg", pix_fmt="yuvj420p").read_bytes()
    broken.write_bytes(whole[: len(whole) // 2])
    made.append(("broken", broken, 300, "normal"))
    return [
        Video(
            id=content_id(path), source="s", path=str(path), name=path.name, frames=frames, fps=10, width=96, height=96,
            duration_s=frames / 10, label=label, spans=[span(40, 90)] if label == "falling" else [],
            split="train" if name == "train" else "test", split_by="official",
        )
        for name, path, frames, label in made
    ]  # fmt: skip


@pytest.fixture
def run(tmp_path, videos, models):
    """Run the three nodes, with stores that stay."""
    frames, features = ItemStore(tmp_path / "frames"), ItemStore(tmp_path / "features")
    engine = EngineParameters(workers=0, shards=4)

    def start(parameters=WHEN, model=models[0], videos=videos, encode=ENCODE, motion=MOTION):
        parts, sampled, unread = sample_windows(ASKED, videos, parameters, motion, encode, engine, frames)
        encoded, unencoded = encode_windows(sampled, frames, encode, engine, features)
        given = (videos, parts, sampled, frames, encoded, features, unread, unencoded, parameters, motion, encode, 0)
        return score_windows(model, *given)

    start.stores = frames, features
    return start


def test_a_window_has_the_score_that_its_own_frames_give(run, videos, models):
    scored, along, told = run()
    parts = load(models[0], "cpu")
    encoder = load_frame_encoder(parts.model, "cpu")
    (whole,) = (window for window in scored if window.end_frame == FRAMES and window.start_frame == 0)
    for window in (scored[0], scored[40], whole, scored[-1]):
        (video,) = (one for one in videos if one.id == window.video_id)
        between = ((window.start_frame - 0.5) / 10, (window.end_frame - 0.5) / 10)
        streams = read_streams(Path(video.path), MOTION, ENCODER.size, (max(0, between[0]), between[1]))
        appearance, motion = encode_streams(encoder, streams.frames, streams.magnitude, "soft")
        seen = FrameTokens(appearance[0], motion[0], tuple(streams.times_s[0]))
        likely = log_likelihoods(parts, watch(parts.model, [seen]), "Who is it?", [seen.times_s], ["A person", "A car", "Q"])
        (score,), (share,) = unusual(likely, 1)
        assert (window.score, window.share) == pytest.approx((score, share), rel=1e-3)
        assert window.flow == pytest.approx(streams.magnitude.mean(), rel=1e-5)
        assert window.peak_flow == pytest.approx(streams.magnitude.max(axis=(2, 3)).mean(), rel=1e-5)
    assert len({round(window.score, 6) for window in scored}) > 20
    assert [one.video for one in along] == ["fall.mp4", "calm.mp4", "some.mp4"]
    assert [len(one.raw) for one in along] == [FRAMES, 9, 5]
    assert told["windows"] == len(scored)


def test_a_broken_video_is_named_and_counted_and_the_rest_is_scored(run, caplog):
    with caplog.at_level(logging.WARNING):
        scored, _, told = run()
    assert [one["video"] for one in told["left_out"]] == ["broken.avi"]
    assert "broken.avi" in told["left_out"][0]["reason"]
    assert "broken.avi has no anomaly score." in caplog.text
    assert told["videos"] == {"tested": 4, "scored": 3, "labelled": 2, "both": 1, "frames": 159, "unusual_frames": 50}
    assert told["convention"]["window_s"] == [0.4, 99.0]
    assert len({window.video_id for window in scored}) == 3


def test_another_model_question_or_stride_encodes_nothing_again(run, models):
    first, _, _ = run()
    before = [files(store.root) for store in run.stores]
    second, _, _ = run(model=models[1])
    denser, _, _ = run(WHEN.model_copy(update={"stride": 0.25, "question": "Where is it?", "window_s": [0.4, 0.8, 2.0]}))
    viewed, _, _ = run(encode=ENCODE.model_copy(update={"views": 3}), motion=MOTION.model_copy(update={"phases": 2}))
    assert viewed == first  # a window is looked at once, as a whole, however training looks
    assert [files(store.root) for store in run.stores] == before
    assert [one.item_id for one in first] == [one.item_id for one in second]
    assert not np.allclose([one.score for one in first], [one.score for one in second])
    assert len(denser) > 2 * len(first)


@pytest.mark.parametrize("lacking", ["frames", "features"])
def test_a_part_that_is_gone_leaves_its_video_out(run, videos, models, lacking):
    frames, features = run.stores
    engine = EngineParameters(workers=0, shards=4)
    parts, sampled, unread = sample_windows(ASKED, videos, WHEN, MOTION, ENCODE, engine, frames)
    assert sum(part.video_id == videos[0].id for part in parts) > 1
    gone = [item for item in sampled if item.item_id != parts[1].item_id]
    encoded, unencoded = encode_windows(gone, frames, ENCODE, engine, features)
    given = (videos, parts, gone if lacking == "frames" else sampled, frames, encoded, features, unread, unencoded)
    _, along, told = score_windows(models[0], *given, WHEN, MOTION, ENCODE, 0)
    assert [one["video"] for one in told["left_out"]] == ["fall.mp4", "broken.avi"]
    assert "Nothing says why" in told["left_out"][0]["reason"]
    assert [one.video for one in along] == ["calm.mp4", "some.mp4"]


def test_without_windows_nothing_is_scored(run, videos):
    for told in (run(WHEN.model_copy(update={"window_s": []}))[2], run(videos=videos[3:4])[2]):
        assert told["windows"] == told["videos"]["scored"] == 0
        assert told["share"] is None
        assert {row["value"] for row in told["figures"]} == {None}


def test_what_a_model_never_says_is_told(run, caplog):
    with caplog.at_level(logging.WARNING):
        run(WHEN.model_copy(update={"unusual": ["zebra zebra zebra"], "usual": ["quiz quiz quiz"]}))
    assert "of the model's answers to “Who is it?” begin with zebra zebra zebra or quiz quiz quiz" in caplog.text


def test_another_encoder_than_the_models_is_refused(run):
    with pytest.raises((CheckpointError, TrainingError), match="mask"):
        run(encode=ENCODE.model_copy(update={"mask": "hard"}))
    with pytest.raises(CheckpointError, match="frames was 4, now 8"):
        run(motion=StreamParameters(frames=8))


def test_where_nothing_is_asked_no_video_is_opened(tmp_path):
    store = ItemStore(tmp_path / "frames")
    assert sample_windows([], [], WHEN, MOTION, ENCODE, EngineParameters(), store) == ([], [], [])
    assert not store.root.exists()
