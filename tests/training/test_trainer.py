from collections import Counter

import mlflow
import pytest
import torch

from hawk_pipelines.model.batch import FrameTokens
from hawk_pipelines.model.checkpoint import FeatureFacts, Parts
from hawk_pipelines.model.prompting import Example
from hawk_pipelines.model.settings import (
    BranchSettings,
    LanguageModelSettings,
    LossSettings,
    ModelSettings,
    PromptSettings,
    TinyDecoderSettings,
    TinyFrameEncoderSettings,
)
from hawk_pipelines.schema import Sample
from hawk_pipelines.training.build import build_model, build_tokenizer
from hawk_pipelines.training.data import Draws, LaidOut, TrainingError, usable_samples
from hawk_pipelines.training.parameters import FinetuneParameters
from hawk_pipelines.training.trainer import lay_out, train

FACTS = FeatureFacts(TinyFrameEncoderSettings(size=32, grid=2, prototypes=6, position_width=4), None, "soft", 4, "farneback")
WIDTH = 16
BRANCHES = BranchSettings(queries=2, width=16, heads=2, compression_width=4)
DECODER = TinyDecoderSettings(width=32, heads=2, vocabulary=400)


def _samples(items):
    texts = [("description", "Describe it.", "A person in {} is running."), ("question", "Who?", "A person in {}.")]
    return [
        Sample(item_id=item, task=task, question=question, answer=answer.format(item), motion_text="person running")
        for item in items
        for task, question, answer in texts
    ]


def _tokens(items):
    """Two samplings of each item, the second half a second later."""
    generator = torch.Generator().manual_seed(0)
    return {
        item: [
            FrameTokens(
                *(torch.randn(4, 4, WIDTH, generator=generator).half() for _ in range(2)), (late, 1 + late, 2 + late, 3 + late)
            )
            for late in (0.0, 0.5)
        ]
        for item in items
    }


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    """Runs are kept here; making the tables takes longer than the training of a test."""
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path_factory.mktemp('mlflow')}/mlflow.db")
    mlflow.set_experiment("test")
    yield
    mlflow.set_tracking_uri(None)


@pytest.fixture
def tracking(database):
    with mlflow.start_run() as run:
        yield run.info.run_id


def _parts(samples, seed=0, prompt=None, queries=2, **changes):
    decoder = DECODER.model_copy(update=changes)
    settings = ModelSettings(
        branches=BRANCHES.model_copy(update={"queries": queries}),
        language_model=LanguageModelSettings(tiny=decoder),
        prompt=prompt or PromptSettings(),
    )
    tokenizer = build_tokenizer(samples, settings)
    return Parts(build_model(settings, LossSettings(), FACTS, WIDTH, tokenizer, seed), tokenizer)


def _train(folder, seed=0, tokens=None, save_every=0, queries=2, context=2048, **changes):
    items = ["red", "blue"]
    settings = {"steps": 60, "batch_size": 4, "learning_rate": 5e-3, "warmup_steps": 5, "log_every": 20} | changes
    samples = _samples(items)
    parts = _parts(samples, seed, queries=queries, context=context)
    train(parts, samples, tokens or _tokens(items), FinetuneParameters(**settings), seed, folder, save_every)
    return parts.model


def test_every_term_is_logged_and_the_loss_falls(tracking, tmp_path):
    _train(tmp_path)
    client = mlflow.MlflowClient()
    for term in ("loss", "video_language_loss", "motion_language_loss"):
        history = [metric.value for metric in client.get_metric_history(tracking, term)]
        assert len(history) == 4
        assert history[-1] < history[0] / 2
    for term in ("video_motion_loss", "cosine", "appearance_spread", "motion_spread"):
        assert len(client.get_metric_history(tracking, term)) == 4


def test_a_term_that_is_switched_off_is_not_logged(tracking, tmp_path):
    samples = _samples(["red", "blue"])
    parts = _parts(samples)
    parts.model.config.motion_language_weight = 0.0
    train(parts, samples, _tokens(["red", "blue"]), FinetuneParameters(steps=2, batch_size=2, log_every=1), 0, tmp_path)
    logged = mlflow.MlflowClient().get_run(tracking).data.metrics
    assert "motion_language_loss" not in logged
    assert {"video_language_loss", "video_motion_loss", "cosine"} <= set(logged)


@pytest.mark.usefixtures("tracking")
def test_the_same_seed_gives_the_same_weights(tmp_path):
    one, two, other = (_train(tmp_path, seed, steps=4) for seed in (1, 1, 2))
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


@pytest.mark.usefixtures("tracking")
def test_a_training_that_was_stopped_goes_on_where_it_was(tmp_path, monkeypatch):
    """Stopped in the middle of its second half, and started anew: the same weights as without a stop."""
    from transformers import TrainerCallback

    from hawk_pipelines.training import trainer

    class Stop(trainer._Report):
        def on_step_end(self, args, state, control, **kwargs):
            if state.global_step == 7:
                raise KeyboardInterrupt

    whole = _train(tmp_path / "whole", steps=10, save_every=4)
    with monkeypatch.context() as patched:
        patched.setattr(trainer, "_Report", Stop)
        with pytest.raises(KeyboardInterrupt):
            _train(tmp_path / "stopped", steps=10, save_every=4)
    assert issubclass(Stop, TrainerCallback)
    again = _train(tmp_path / "stopped", steps=10, save_every=4)
    assert all(torch.equal(a, b) for a, b in zip(whole.parameters(), again.parameters(), strict=True))


@pytest.mark.usefixtures("tracking")
def test_a_loss_that_is_no_number_stops_with_the_step_the_items_and_the_term(tmp_path):
    tokens = _tokens(["red", "blue"])
    for sampling in tokens["blue"]:
        sampling.motion[:] = torch.nan
    with pytest.raises(
        TrainingError, match=r"no number at step 1: video_language_loss of blue.*; motion_language_loss of blue"
    ) as told:
        _train(tmp_path, tokens=tokens, steps=20)
    assert "of red" not in str(told.value)
    with pytest.raises(TrainingError, match=r"no number at step \d+: .*the training diverged; lower `finetune.learning_rate`"):
        _train(tmp_path, learning_rate=1e30, max_gradient_norm=1e30, steps=20, warmup_steps=0)


@pytest.mark.usefixtures("tracking")
def test_one_bad_item_is_not_called_a_divergence_where_a_batch_is_one_item(tmp_path):
    tokens = _tokens(["red", "blue"])
    for sampling in tokens["blue"]:
        sampling.motion[:] = torch.nan
    with pytest.raises(TrainingError, match=r"of blue.*Look at what is stored of them"):
        _train(tmp_path, tokens=tokens, steps=4, batch_size=1)


@pytest.mark.usefixtures("tracking")
def test_an_answer_is_never_cut_silently(tmp_path):
    with pytest.raises(TrainingError, match=r"4 of 4 samples are longer than the language model's context of 64"):
        _train(tmp_path, queries=20, context=64)


@pytest.mark.usefixtures("tracking")
def test_an_item_with_fewer_frames_than_the_others_is_trained_on(tmp_path):
    tokens = _tokens(["red", "blue"])
    tokens["blue"] = [FrameTokens(one.appearance[:2], one.motion[:2], one.times_s[:2]) for one in tokens["blue"]]
    _train(tmp_path, tokens=tokens, steps=2)


def test_the_times_of_the_sampling_that_is_drawn_are_told():
    samples, tokens = _samples(["red"]), _tokens(["red"])
    told = lay_out(_parts(samples, prompt=PromptSettings(tell_times=True)), samples[0], tokens["red"])
    untold = lay_out(_parts(samples), samples[0], tokens["red"])
    assert (len(told.examples), len(untold.examples)) == (2, 1)
    parts = _parts(samples, prompt=PromptSettings(tell_times=True))
    draws = Draws([told], tokens, 1.0, 40, seed=0)
    for number in range(40):
        drawn = draws[number]
        assert f"at {drawn.video.times_s[0]:.1f}," in parts.tokenizer.decode(drawn.example.input_ids)
    assert {draws[number].video.times_s[0] for number in range(40)} == {0.0, 0.5}


def test_draws_take_every_item_in_turn_and_share_the_tasks():
    laid_out = [LaidOut(sample, [Example([n], [n], [], [])]) for n, sample in enumerate(_samples(["a", "b", "c"]))]
    draws = Draws(laid_out, _tokens(["a", "b", "c"]), 0.5, 300, seed=0)
    drawn = [draws[number].example.input_ids[0] for number in range(len(draws))]
    assert all({n // 2 for n in drawn[start : start + 3]} == {0, 1, 2} for start in range(0, 300, 3))
    assert 110 < sum(n % 2 == 0 for n in drawn) < 190
    again = Draws(laid_out, _tokens(["a", "b", "c"]), 0.5, 300, seed=0)
    assert [again[number].example.input_ids[0] for number in range(300)] == drawn
    assert Counter(drawn) != Counter(
        [Draws(laid_out, _tokens(["a", "b", "c"]), 0.5, 300, seed=1)[n].example.input_ids[0] for n in range(300)]
    )


def test_items_without_features_are_left_out_and_named(caplog):
    assert {s.item_id for s in usable_samples(_samples(["a", "b"]), _tokens(["a"]))} == {"a"}
    assert "1 item(s) without features are left out, for example b" in caplog.text
    with pytest.raises(TrainingError, match="kedro run --pipelines=motion,encode"):
        usable_samples(_samples(["b"]), _tokens(["a"]))
    with pytest.raises(TrainingError, match="There is no sample: this split has no annotation"):
        usable_samples([], _tokens(["a"]))
