import math

import pytest
import torch
from mlflow import MlflowClient
from safetensors.torch import load_file
from transformers.models.llama.modeling_llama import LlamaMLP

from hawk_pipelines.model.checkpoint import load
from hawk_pipelines.model.settings import BranchSettings, LanguageModelSettings, LoraSettings, LossSettings, TinyDecoderSettings
from hawk_pipelines.training import checkpoints
from hawk_pipelines.training.errors import TrainingError
from hawk_pipelines.training.features import Features
from hawk_pipelines.training.parameters import FinetuneParameters
from hawk_pipelines.training.trainer import _schedule
from tests.training.made import MODEL, draws_of, facts, given, journal, layout_of, losses, small_parts, the_folder, tokens

TERMS = {"video_language_loss", "video_motion_loss", "motion_language_loss"}
ASIDE = {"cosine", "appearance_spread", "motion_spread"}
ALWAYS = {"step", "loss", "grad_norm", "learning_rate"}


@pytest.fixture(scope="module")
def plain(tmp_path_factory, database):
    """A training as it should be, in one process and one part."""
    made = given(tmp_path_factory.mktemp("plain"))
    return made, made.train(made.job(), database)


def _speaking(source, **changes):
    """Settings of the small model with a pretrained language model."""
    return MODEL.model_copy(update={"language_model": LanguageModelSettings(source=str(source), **changes)})


def _run_id(model):
    return checkpoints.facts_of(checkpoints.newest(model.parent))["mlflow_run_id"]


# --- what is learned and written down ------------------------------------------------------------------------------------


def test_every_term_of_every_step_is_in_mlflow_and_the_losses_fall(plain, database):
    model = plain[1]
    client, steps = MlflowClient(database), journal(model.parent)
    run = client.get_run(_run_id(model))
    assert run.info.status == "FINISHED"
    assert run.data.params["finetune.steps"] == "8"
    for name in TERMS | ASIDE | ALWAYS - {"step"}:
        history = client.get_metric_history(run.info.run_id, name)
        assert [one.step for one in history] == list(range(1, 9)), name
        assert [one.value for one in history] == [step[name] for step in steps], name
    for name in ("tokens_per_s", "samples_per_s", "memory_gb"):  # of the first step, every fifth and the last
        assert [one.step for one in client.get_metric_history(run.info.run_id, name)] == [1, 5, 8]
    for name in ("loss", "video_language_loss", "video_motion_loss", "motion_language_loss"):
        assert steps[-1][name] < 0.9 * steps[0][name], name
    assert {file.path for file in client.list_artifacts(run.info.run_id, "model")} >= {"model/model.safetensors"}
    assert load(model, "cpu").model.config.frames == 4


def test_the_loss_is_the_weighted_sum_of_the_terms(plain):
    weights = LossSettings()
    for step in journal(plain[1].parent):
        total = weights.video_language * step["video_language_loss"] + weights.video_motion * step["video_motion_loss"]
        assert step["loss"] == pytest.approx(total + weights.motion_language * step["motion_language_loss"], rel=1e-5)
        assert step["cosine"] == pytest.approx(1 - step["video_motion_loss"], abs=1e-5)


@pytest.mark.parametrize(
    ("motion", "weights", "logged"),
    [
        (True, {"motion_language": 0}, {"video_language_loss", "video_motion_loss"} | ASIDE),
        (True, {"video_language": 0, "video_motion": 0}, {"motion_language_loss"} | ASIDE),
        (False, {}, {"video_language_loss"}),
    ],
)
def test_what_is_not_learned_is_not_logged(made, database, motion, weights, logged):
    branches = BranchSettings(queries=2, width=16, heads=2, compression_width=4, motion=motion)
    model = MODEL.model_copy(update={"branches": branches})
    folder = made.train(made.job(model=model, losses=weights, steps=2), database).parent
    assert [set(step) for step in journal(folder)] == [ALWAYS | logged] * 2


def test_the_seed_alone_decides(plain, made, database):
    """Once more, with processes that read ahead: the same numbers to the last bit; another seed gives others."""
    again = made.train(made.job(loader_workers=2), database)
    assert journal(again.parent) == journal(plain[1].parent)
    assert (again / "model.safetensors").read_bytes() == (plain[1] / "model.safetensors").read_bytes()
    other = made.train(made.job(seed=2, steps=1), database, "other")
    assert losses(other.parent)[0] != losses(again.parent)[0]


# --- the learning rate ---------------------------------------------------------------------------------------------------


def test_the_published_schedule(made, database):
    """Linear from 1e-6 to 1e-5, then a cosine down to 1e-6."""
    rates = {"learning_rate": 1e-5, "warmup_learning_rate": 1e-6, "min_learning_rate": 1e-6}
    folder = made.train(made.job(steps=7, warmup_steps=3, batch_size=2, **rates), database).parent
    cosine = [1e-6 + 9e-6 * (1 + math.cos(math.pi * passed)) / 2 for passed in (0.25, 0.5, 0.75)]
    assert [step["learning_rate"] for step in journal(folder)] == pytest.approx([1e-6, 4e-6, 7e-6, 1e-5, *cosine])


def test_the_schedule_at_the_size_of_a_real_training():
    told = FinetuneParameters(
        steps=10_000, warmup_steps=1000, learning_rate=1e-5, warmup_learning_rate=1e-6, min_learning_rate=1e-6
    )
    share = _schedule(told)
    at = {0: 1e-6, 500: 5.5e-6, 1000: 1e-5, 5500: 5.5e-6, 10_000: 1e-6, 11_000: 1e-6}
    assert {step: 1e-5 * share(step) for step in at} == pytest.approx(at)
    falling = [share(step) for step in range(1000, 10_001, 100)]
    assert falling == sorted(falling, reverse=True)
    short = _schedule(told.model_copy(update={"steps": 10}))  # shorter than its warm-up
    assert [short(0), short(10)] == pytest.approx([0.1, 1])


# --- in other ways the same --------------------------------------------------------------------------------------------


def test_parts_of_a_batch_one_after_the_other_learn_what_the_whole_learns(plain, made, database):
    folder = made.train(made.job(accumulation=4), database).parent
    _insist_on_same_curves(folder, plain[1].parent, 1e-4)


def test_two_processes_learn_what_one_learns(plain, made, database):
    """Started by `torchrun`, each with half of the batch in two parts; one of them writes to MLflow."""
    model = made.train(made.job(accumulation=2, launch={"processes": 2, "device": "cpu"}), database)
    _insist_on_same_curves(model.parent, plain[1].parent, 1e-4)
    _insist_on_same_weights(model, plain[1])
    client = MlflowClient(database)
    history = client.get_metric_history(_run_id(model), "loss")
    assert [one.step for one in history] == list(range(1, 9))
    assert client.get_run(_run_id(model)).info.status == "FINISHED"


def _insist_on_same_curves(folder, other, tolerance, names=TERMS | {"loss", "grad_norm", "cosine"}):
    one, two = journal(folder), journal(other)
    for name in names:  # the spreads are those of a part of the batch
        assert [step[name] for step in one] == pytest.approx([step[name] for step in two], abs=tolerance), name


def _insist_on_same_weights(model, other):
    one, two = (load_file(folder / "model.safetensors") for folder in (model, other))
    assert one.keys() == two.keys()
    for name in one:
        assert torch.allclose(one[name], two[name], atol=1e-3), name


def test_activations_are_computed_twice_and_the_losses_are_the_same(made, database, llama, monkeypatch):
    """In a frozen language model, which stays in evaluation mode."""
    counted, forward = [], LlamaMLP.forward

    def counting(module, *arguments):
        counted.append(module.training)
        return forward(module, *arguments)

    monkeypatch.setattr(LlamaMLP, "forward", counting)
    kept = made.train(made.job(model=_speaking(llama), steps=3), database, "kept")
    once = list(counted)
    counted.clear()
    twice = made.train(made.job(model=_speaking(llama), steps=3, gradient_checkpointing=True), database, "computed again")
    assert len(once) == 3 * 2 * 2  # steps, layers, texts
    assert len(counted) == 2 * len(once)
    assert not any(once + counted)
    assert losses(twice.parent) == pytest.approx(losses(kept.parent), abs=1e-6)
    _insist_on_same_weights(twice, kept)


def test_activations_of_a_language_model_that_is_trained_are_computed_twice_too(plain, made, database, monkeypatch):
    counted, forward = [], LlamaMLP.forward

    def counting(module, *arguments):
        counted.append(module.training)
        return forward(module, *arguments)

    monkeypatch.setattr(LlamaMLP, "forward", counting)
    folder = made.train(made.job(gradient_checkpointing=True), database).parent
    assert counted == [True] * (8 * 2 * 2 * 2)
    _insist_on_same_curves(folder, plain[1].parent, 1e-4)


def test_half_precision_computes_about_the_same_and_keeps_whole_weights(plain, made, database):
    model = made.train(made.job(bf16=True), database)
    found, exact = losses(model.parent), losses(plain[1].parent)
    assert found == pytest.approx(exact, abs=0.05)
    assert found != exact
    assert {tensor.dtype for tensor in load_file(model / "model.safetensors").values()} == {torch.float32}


def test_adapters_in_a_frozen_language_model_are_trained_and_saved(made, database, llama):
    model = _speaking(llama, lora=LoraSettings(rank=2, alpha=4, dropout=0.0))
    folder = made.train(made.job(model=model, steps=4, warmup_steps=0, learning_rate=1e-2), database)
    saved = load_file(folder / "model.safetensors")
    adapters = [name for name in saved if name.startswith("language_model.")]
    assert adapters
    assert all("lora_" in name for name in adapters)  # nothing of what is frozen
    assert all(saved[name].abs().max() > 0 for name in adapters if "lora_B" in name)  # they begin at 0
    frozen, layer = load_file(llama / "model.safetensors"), "model.layers.0.self_attn.q_proj"
    loaded = load(folder, "cpu").model.language_model.state_dict()
    assert torch.equal(loaded[f"{layer}.base_layer.weight"], frozen[f"{layer}.weight"])
    assert losses(folder.parent)[-1] < losses(folder.parent)[0]


def test_an_item_with_fewer_frames_than_the_others_is_trained_on(made, database):
    _put(made, made.features[0], tokens(frames=2), frames=2)
    assert len(Features(made.features, made.store).read("v0").appearance) == 2
    assert len(losses(made.train(made.job(steps=2), database).parent)) == 2


# --- what goes wrong ---------------------------------------------------------------------------------------------------


def _poison(made, item):
    """Store numbers that are none."""
    (feature,) = (one for one in made.features if one.item_id == item)
    arrays = tokens(seed=made.features.index(feature))
    arrays["motion"][:] = float("nan")
    _put(made, feature, arrays)


def _put(made, feature, arrays, **told):
    """Store something else of an item."""
    made.store.pack(4, drop=[feature.key])
    made.store.write(feature.key, arrays, facts(**told))
    made.store.pack(4)


def _insist_on_last_good(made, job, uri, step, said):
    """The checkpoint before the step is whole, nothing half-written lies around, and the training goes on from there: into the
    same fault."""
    folder = the_folder(made)
    good = folder / f"checkpoint-{step - 1}"
    assert checkpoints.newest(folder) == good
    assert all(tensor.isfinite().all() for tensor in load_file(good / "model.safetensors").values())
    assert not (folder / "model").exists()
    before = {path: path.stat().st_mtime_ns for path in good.iterdir()}
    steps = journal(folder)
    assert [one["step"] for one in steps] == list(range(1, step))
    with pytest.raises(TrainingError, match=said):
        made.train(job, uri)
    assert {path: path.stat().st_mtime_ns for path in good.iterdir()} == before
    assert journal(folder) == steps


def test_a_loss_that_is_no_number_is_told_with_the_step_the_items_and_the_term_and_can_be_mended(tmp_path, database):
    made = given(tmp_path, items=40)
    job = made.job(steps=7, batch_size=4, group_by_length=False, description_share=1.0, checkpoints={"every": 1})
    features, parts = Features(made.features, made.store), small_parts(made.samples)
    draws = draws_of(tmp_path, made.samples, features, layout_of(parts), 7, 4, description_share=1, seed=1, group_by_length=False)
    bad, beside = draws[17].item_id, draws[18].item_id  # of the fifth step; no item came before in these
    _poison(made, bad)
    said = (
        rf"^The loss is no number at step 5: video_language_loss of {bad}; video_motion_loss of {bad}.*\. Look at what is stored"
    )
    with pytest.raises(TrainingError, match=said) as told:
        made.train(job, database)
    assert beside not in str(told.value)
    assert str(told.value).endswith("The checkpoint of step 4 is as it was.")
    client, folder = MlflowClient(database), the_folder(made)
    assert client.get_run(_run_id(folder / "model")).info.status == "FAILED"
    _insist_on_last_good(made, job, database, 5, said)
    _put(made, next(one for one in made.features if one.item_id == bad), tokens(seed=int(bad[1:])))
    assert made.train(job, database) == folder / "model"
    assert [one["step"] for one in journal(folder)] == list(range(1, 8))
    assert client.get_run(_run_id(folder / "model")).info.status == "FINISHED"


def test_one_bad_item_is_not_called_a_divergence_where_a_batch_is_one_item(tmp_path, database):
    made = given(tmp_path, items=1)
    _poison(made, "v0")
    with pytest.raises(TrainingError, match=r"step 1: .*of v0.*Look at what is stored of them.*No checkpoint was saved yet"):
        made.train(made.job(steps=4, batch_size=1), database)


def test_a_training_that_diverges_is_told_as_that(made, database):
    job = made.job(learning_rate=1e30, max_gradient_norm=1e30, warmup_steps=0, checkpoints={"every": 1})
    said = r"at step 2: .*\. All items of the batch: the training diverged; lower `learning_rate`\. The checkpoint of step 1"
    with pytest.raises(TrainingError, match=said):
        made.train(job, database)
    with pytest.raises(TrainingError, match=said):
        made.train(job, database)


def test_an_exploding_loss_ends_the_training_before_it_is_saved(made, database):
    rates = {"learning_rate": 10.0, "warmup_steps": 60, "exploding": 1.5, "max_gradient_norm": 1e9}
    job = made.job(steps=60, checkpoints={"every": 10}, **rates)
    said = (
        r"^The loss explodes at step 21: [\d.e+]+, where the median of the last 20 was [\d.e+]+; lower .* step 20 is as it was\.$"
    )
    with pytest.raises(TrainingError, match=said):
        made.train(job, database)
    _insist_on_last_good(made, job, database, 21, said)


def test_a_gradient_that_is_no_number_ends_the_training_before_it_is_saved(made, database):
    """A term so heavy that the loss is still a number, but the norm of its gradient is not."""
    heavy = {"video_language": 1e18, "video_motion": 0, "motion_language": 0}
    rates = {"learning_rate": 30.0, "warmup_steps": 22, "exploding": 1e9}
    job = made.job(losses=heavy, checkpoints={"every": 1}, steps=16, **rates)
    said = r"^The gradient is no number at step (\d+); lower `learning_rate`\. The checkpoint of step \d+ is as it was"
    with pytest.raises(TrainingError, match=said):
        made.train(job, database)
    step = len(losses(the_folder(made))) + 1
    assert step > 1
    _insist_on_last_good(made, job, database, step, f"gradient is no number at step {step};")


def test_answers_that_do_not_fit_are_not_cut(made, database):
    tiny = TinyDecoderSettings(width=32, heads=2, vocabulary=400, context=64)
    branches = BranchSettings(queries=20, width=16, heads=2, compression_width=4)
    model = MODEL.model_copy(update={"branches": branches, "language_model": LanguageModelSettings(tiny=tiny)})
    with pytest.raises(TrainingError, match="36 of 36 samples are longer than the language model's context of 64"):
        made.train(made.job(model=model), database)
