import json
import logging
import shutil
from collections import Counter
from pathlib import Path

import pytest
import torch
from mlflow import MlflowClient
from safetensors.torch import load_file

from hawk_pipelines.training import checkpoints
from hawk_pipelines.training.data import Collator
from hawk_pipelines.training.features import Features
from hawk_pipelines.training.inputs import held_out
from hawk_pipelines.training.samples import SampleFile
from hawk_pipelines.training.validation import Validation
from tests.training.made import given, journal, layout_of, losses, small_parts, tracked

# --- which items -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("videos", [1, 2, 3, 10, 101])
@pytest.mark.parametrize("share", [0.01, 0.2, 0.5, 0.99])
def test_whole_source_videos_are_held_out_as_near_to_the_share_as_can_be_and_never_all(videos, share):
    groups = {f"v{number}": f"g{number % videos}" for number in range(3 * videos)}
    out = held_out(groups, share, seed=0)
    chosen = {groups[item] for item in out}
    assert out == {item for item, group in groups.items() if group in chosen}
    assert len(chosen) == min(max(1, round(share * videos)), videos - 1)
    assert held_out(dict(reversed(groups.items())), share, seed=0) == out


def test_the_seed_decides_which_and_other_videos_change_little():
    groups = {f"v{number}": f"g{number}" for number in range(100)}
    draws = [frozenset(held_out(groups, 0.1, seed)) for seed in range(50)]
    assert len(set(draws)) == 50
    assert max(Counter(item for draw in draws for item in draw).values()) < 20  # of 5 each
    more = held_out(groups | {"new": "new"}, 0.1, seed=0)
    assert len(more & draws[0]) >= 9


# --- their losses ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def watched(made):
    """A small model and what watches it, in so many processes with batches of such a size."""
    parts, features = small_parts(made.samples), Features(made.features, made.store)
    layout = layout_of(parts)

    def build(batch_size, processes=(0, 1), samples=made.samples[:20], generated=2):
        return Validation(samples, features, layout, Collator(0), batch_size, generated, processes)

    return parts.model, build


def test_the_mean_is_over_tokens_in_whatever_batches(watched):
    model, build = watched
    whole = build(20).losses(model)
    assert not model.training
    for size in (1, 3, 7, 50):
        assert build(size).losses(model) == pytest.approx(whole, abs=1e-5)
    one_by_one = build(1)
    alone = [build(1, samples=[sample]).losses(model) for sample in one_by_one._samples]
    learned = [one_by_one._drawn(sample).learned for sample in one_by_one._samples]
    assert len({one.answer for one in learned}) > 3
    assert 0 < sum(one.motion_text > 0 for one in learned) < 20
    for place, name in enumerate(("video_language_loss", "video_motion_loss", "motion_language_loss")):
        summed = sum(one[place] * losses.get(name, 0) for one, losses in zip(learned, alone, strict=True))
        assert summed / sum(one[place] for one in learned) == pytest.approx(whole[name], abs=1e-5)
    weighted = whole["video_language_loss"] + 0.1 * whole["video_motion_loss"] + 0.1 * whole["motion_language_loss"]
    assert whole["loss"] == pytest.approx(weighted)


def test_answers_are_those_of_the_first_samples_every_time(watched, made):
    model, build = watched
    table = build(4, generated=3).answers(model)
    assert table["item"] == [sample.item_id for sample in made.samples[:3]]
    assert table["reference"] == [sample.answer for sample in made.samples[:3]]
    assert table == build(1, generated=3).answers(model)
    assert build(4, generated=0).answers(model) == {}


# --- in a training ---------------------------------------------------------------------------------------------------------


def test_held_out_videos_are_looked_at_and_never_trained_on(made, database):
    told = {"share": 0.34, "every": 3, "generated": 2, "most_items": 3}
    model = made.train(made.job(steps=8, validation=told), database)
    seen = {sample.item_id for sample in SampleFile(model.parent / "samples.jsonl")}
    out = {sample.item_id for sample in SampleFile(model.parent / "held_out.jsonl")}
    assert len(out) == 3
    assert len(seen) == 8  # four of six videos
    assert not {made.groups[item] for item in seen} & {made.groups[item] for item in out}
    tasks = Counter((sample.item_id, sample.task) for sample in SampleFile(model.parent / "held_out.jsonl"))
    assert tasks == {(item, task): 1 for item in out for task in ("description", "question")}
    looks = journal(model.parent, "validation")
    assert [look["step"] for look in looks] == [3, 6, 8]
    assert looks[-1]["validation_loss"] < looks[0]["validation_loss"]
    client, run_id = MlflowClient(database), tracked(model.parent)
    assert [one.value for one in client.get_metric_history(run_id, "validation_loss")] == [
        look["validation_loss"] for look in looks
    ]
    files = [file.path for file in client.list_artifacts(run_id, "samples")]
    assert files == ["samples/000003.json", "samples/000006.json", "samples/000008.json"]
    for file in files:
        table = json.loads(Path(client.download_artifacts(run_id, file, str(made.folder))).read_text(encoding="utf-8"))
        assert table["columns"] == ["item", "question", "reference", "answer"]
        assert len(table["data"]) == 2
        assert {row[0] for row in table["data"]} <= out


def _worse(made, **told):
    """A training whose held-out loss is smallest at its first look: then the learning rate tears it apart."""
    rates = {"learning_rate": 5.0, "warmup_steps": 30, "warmup_learning_rate": 0.0, "exploding": 1e6, "max_gradient_norm": 1e9}
    return made.job(steps=24, validation={"share": 0.2, "every": 3, "generated": 0, **told}, checkpoints={"every": 50}, **rates)


def test_the_best_is_kept_and_taken(made, database):
    model = made.train(_worse(made, take="best"), database)
    looks = {look["step"]: look["validation_loss"] for look in journal(model.parent, "validation")}
    best = min(looks, key=looks.__getitem__)
    assert best < 24
    assert best in checkpoints.steps(model.parent)
    taken, last = load_file(model / "model.safetensors"), load_file(model.parent / "checkpoint-24" / "model.safetensors")
    kept = load_file(model.parent / f"checkpoint-{best}" / "model.safetensors")
    assert all(torch.equal(taken[name], kept[name]) for name in kept)
    assert not all(torch.equal(taken[name], last[name]) for name in kept)
    assert len(losses(model.parent)) == 24


def test_a_training_that_becomes_no_better_ends_early(made, database):
    model = made.train(_worse(made, patience=2), database)
    looks = {look["step"]: look["validation_loss"] for look in journal(model.parent, "validation")}
    best = min(looks, key=looks.__getitem__)
    last = losses(model.parent)
    assert len(last) == best + 6 < 24
    assert MlflowClient(database).get_run(tracked(model.parent)).info.status == "FINISHED"
    weights = (model / "model.safetensors").read_bytes()
    shutil.rmtree(model)  # as if it had been killed before it left its model
    (model.parent / "finished").unlink()
    assert made.train(_worse(made, patience=2), database) == model
    assert losses(model.parent) == last
    assert (model / "model.safetensors").read_bytes() == weights


class _Damage(logging.Handler):
    """Damage the best state when the log comes to the last step."""

    def __init__(self, trainings):
        super().__init__()
        self.trainings = trainings

    def emit(self, record):
        if "step 24 of" in record.getMessage():
            (folder,) = self.trainings.iterdir()
            looks = {look["step"]: look["validation_loss"] for look in journal(folder, "validation")}
            best = folder / f"checkpoint-{min(looks, key=looks.__getitem__)}" / "model.safetensors"
            best.write_bytes(best.read_bytes()[:-1])


@pytest.mark.slow
def test_where_the_best_weights_are_lost_it_is_said_and_the_last_are_taken(made, database, caplog):
    caplog.set_level("INFO")
    logger, damage = logging.getLogger("hawk_pipelines"), _Damage(made.folder / "trainings")
    logger.addHandler(damage)
    try:
        model = made.train(_worse(made, take="best"), database)
    finally:
        logger.removeHandler(damage)
    assert "The best weights are lost" in caplog.text
    taken, last = load_file(model / "model.safetensors"), load_file(model.parent / "checkpoint-24" / "model.safetensors")
    assert all(torch.equal(taken[name], last[name]) for name in last)


def test_of_a_single_video_nothing_can_be_held_out(tmp_path, database, caplog):
    made = given(tmp_path, items=2)
    model = made.train(made.job(steps=2, validation={"share": 0.5, "every": 1}), database)
    assert "there is nothing to hold out, so nothing is validated" in caplog.text
    assert journal(model.parent, "validation") == []
    assert len(losses(model.parent)) == 2


def test_where_nothing_is_held_out_nothing_is_looked_at(made, database):
    model = made.train(made.job(steps=3, validation={"share": 0}), database)
    assert journal(model.parent, "validation") == []
    assert {sample.item_id for sample in SampleFile(model.parent / "samples.jsonl")} == set(made.groups)
