from collections import Counter

import mlflow
import pytest
import torch

from hawk_pipelines.model.prompting import Example
from hawk_pipelines.model.settings import TinyFrameEncoderSettings
from hawk_pipelines.schema import Sample
from hawk_pipelines.training.build import build_model, build_tokenizer
from hawk_pipelines.training.data import Draws, Tokens, TrainingError, usable_samples
from hawk_pipelines.training.parameters import FinetuneParameters, TinyModelParameters
from hawk_pipelines.training.trainer import train
from hawk_pipelines.video.streams import StreamParameters

ENCODER = TinyFrameEncoderSettings(size=32, grid=2, prototypes=6, position_width=4)


def _samples(items):
    texts = [("description", "Describe it.", "A person in {} is running."), ("question", "Who?", "A person in {}.")]
    return [
        Sample(item_id=item, task=task, question=question, answer=answer.format(item), motion_text="person running")
        for item in items
        for task, question, answer in texts
    ]


def _tokens(items):
    generator = torch.Generator().manual_seed(0)
    return {item: Tokens(*(torch.randn(2, 4, 4, ENCODER.width, generator=generator).half() for _ in range(2))) for item in items}


@pytest.fixture
def tracking(tmp_path):
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/mlflow.db")
    mlflow.set_experiment("test")
    with mlflow.start_run() as run:
        yield run.info.run_id
    mlflow.set_tracking_uri(None)


def _train(folder, seed=0, **changes):
    items = ["red", "blue"]
    sizes = TinyModelParameters(queries=2, qformer_width=16, decoder_width=32, heads=2, compression_width=4, vocabulary=400)
    settings = {"model": sizes, "steps": 60, "batch_size": 4, "learning_rate": 5e-3, "warmup_steps": 5, "log_every": 20} | changes
    parameters = FinetuneParameters(**settings)
    samples = _samples(items)
    tokenizer = build_tokenizer(samples, parameters)
    model = build_model(parameters, ENCODER, StreamParameters(frames=4), "soft", tokenizer, seed)
    train(model, tokenizer, samples, _tokens(items), parameters, seed, folder)
    return model


def test_every_term_is_logged_and_the_loss_falls(tracking, tmp_path):
    _train(tmp_path)
    client = mlflow.MlflowClient()
    for term in ("loss", "video_language_loss", "motion_language_loss"):
        history = [metric.value for metric in client.get_metric_history(tracking, term)]
        assert len(history) == 4
        assert history[-1] < history[0] / 2


@pytest.mark.usefixtures("tracking")
def test_the_same_seed_gives_the_same_weights(tmp_path):
    one, two, other = (_train(tmp_path, seed, steps=4) for seed in (1, 1, 2))
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


@pytest.mark.usefixtures("tracking")
def test_a_loss_that_is_no_number_stops_with_the_step(tmp_path):
    with pytest.raises(TrainingError, match=r"no number at step \d+ \(video_language_loss"):
        _train(tmp_path, learning_rate=1e30, max_gradient_norm=1e30, steps=20, warmup_steps=0)


@pytest.mark.usefixtures("tracking")
def test_an_answer_is_never_cut_silently(tmp_path):
    sizes = TinyModelParameters(queries=20, qformer_width=16, decoder_width=32, heads=2, vocabulary=400, context=64)
    with pytest.raises(TrainingError, match=r"4 of 4 samples are longer than `finetune.model.context` = 64"):
        _train(tmp_path, model=sizes)


def test_draws_take_every_item_in_turn_and_share_the_tasks():
    laid_out = [(sample, Example([n], [n], [])) for n, sample in enumerate(_samples(["a", "b", "c"]))]
    draws = Draws(laid_out, _tokens(["a", "b", "c"]), 0.5, 300, seed=0)
    drawn = [draws[number][0].input_ids[0] for number in range(len(draws))]
    assert all({n // 2 for n in drawn[start : start + 3]} == {0, 1, 2} for start in range(0, 300, 3))
    assert 110 < sum(n % 2 == 0 for n in drawn) < 190
    again = Draws(laid_out, _tokens(["a", "b", "c"]), 0.5, 300, seed=0)
    assert [again[number][0].input_ids[0] for number in range(300)] == drawn
    assert Counter(drawn) != Counter(
        [Draws(laid_out, _tokens(["a", "b", "c"]), 0.5, 300, seed=1)[n][0].input_ids[0] for n in range(300)]
    )


def test_items_without_features_are_left_out_and_named(caplog):
    assert {s.item_id for s in usable_samples(_samples(["a", "b"]), _tokens(["a"]))} == {"a"}
    assert "1 item(s) without features are left out, for example b" in caplog.text
    with pytest.raises(TrainingError, match="kedro run --pipelines=motion,encode"):
        usable_samples(_samples(["b"]), _tokens(["a"]))
