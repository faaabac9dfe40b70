"""Whole trainings: stopped in every way, begun again, refused."""

import os
import random
import shutil
import signal
import time

import pytest
from mlflow import MlflowClient
from safetensors.torch import load_file

from hawk_pipelines.training import checkpoints
from hawk_pipelines.training.errors import TrainingError
from hawk_pipelines.training.train import _alone
from tests.training.made import EXPERIMENT, MODEL, elsewhere, given, journal, losses, the_folder, tracked

STEPS = 24
DROPOUT = MODEL.model_copy(update={"branches": MODEL.branches.model_copy(update={"dropout": 0.1})})
"""So that the state of the random numbers matters."""


def _job(made):
    validation = {"share": 0.2, "every": 7, "generated": 1}
    return made.job(model=DROPOUT, steps=STEPS, checkpoints={"every": 3}, validation=validation)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, database):
    """A training that nobody stopped."""
    made = given(tmp_path_factory.mktemp("undisturbed"))
    return made.train(_job(made), database)


def _parents(database):
    """The runs below which trainings were started, by id."""
    client = MlflowClient(database)
    runs = client.search_runs([client.get_experiment_by_name(EXPERIMENT).experiment_id])
    return {run.info.run_id: run.info.status for run in runs if "stage" not in run.data.tags}


def _stopped_at(made, database, step, how=signal.SIGKILL):
    """Train in another process, and stop it once it has written so many steps down; how it ended, and its parent run."""
    before = set(_parents(database))
    process = elsewhere(made.train, _job(made), database)
    until = time.monotonic() + 120
    while process.is_alive() and time.monotonic() < until and _written(made) < step:
        time.sleep(0.001)
    assert process.is_alive(), "it ended before it could be stopped"
    os.kill(process.pid, how)
    process.join(60)
    (parent,) = set(_parents(database)) - before
    return process.exitcode, parent


def _tracked(made):
    return tracked(next((made.folder / "trainings").glob("finetune-*")))


def _written(made):
    paths = list((made.folder / "trainings").glob("*/journal.jsonl"))
    return sum(line.startswith(b'{"kind": "training"') for line in paths[0].read_bytes().splitlines()) if paths else 0


def _insist_on_one_training(made, database, undisturbed, model, run_id):
    """The losses of the undisturbed one to the last bit, and one MLflow run without gaps or repeats."""
    folder = the_folder(made)
    assert tracked(folder) == run_id
    assert journal(folder) == journal(undisturbed.parent)
    assert journal(folder, "validation") == journal(undisturbed.parent, "validation")
    for name in ("model.safetensors", "config.json", "tokenizer.json"):
        assert (model / name).read_bytes() == (undisturbed / name).read_bytes()
    client = MlflowClient(database)
    for name in ("loss", "grad_norm", "learning_rate"):
        history = client.get_metric_history(run_id, name)
        assert [one.step for one in history] == list(range(1, STEPS + 1))
        assert [one.value for one in history] == [step[name] for step in journal(undisturbed.parent)]
    looks = [7, 14, 21, STEPS]
    assert [one.step for one in client.get_metric_history(run_id, "validation_loss")] == looks
    assert [file.path for file in client.list_artifacts(run_id, "samples")] == [f"samples/{look:06d}.json" for look in looks]
    assert client.get_run(run_id).info.status == "FINISHED"


def test_a_killed_training_goes_on_bit_for_bit_in_the_same_mlflow_run(made, database, undisturbed):
    seed = random.randrange(10**6)
    print("seed", seed)  # noqa: T201 (shown where it fails)
    status, stopped = _stopped_at(made, database, random.Random(seed).randrange(4, STEPS - 4))
    assert status == -signal.SIGKILL
    run_id = _tracked(made)
    assert _parents(database)[stopped] == "RUNNING"  # nobody could end it
    model = made.train(_job(made), database)
    _insist_on_one_training(made, database, undisturbed, model, run_id)
    client = MlflowClient(database)
    assert client.get_run(stopped).info.status == "KILLED"
    parent = client.get_run(run_id).data.tags["mlflow.parentRunId"]
    assert parent != stopped
    assert parent in _parents(database)


@pytest.mark.slow
def test_a_training_that_is_killed_again_and_again_is_the_same_training_in_the_end(tmp_path, database, undisturbed):
    """Eight times each, at random steps, also while it saves or looks at what is held out."""
    seed = random.randrange(10**6)
    print("seed", seed)  # noqa: T201 (shown where it fails)
    rng = random.Random(seed)
    for number in range(2):
        made = given(tmp_path / str(number))
        kills = sorted(rng.sample(range(1, STEPS - 4), 8))
        for step in kills:
            _stopped_at(made, database, step)
            time.sleep(rng.random() / 20)
        run_id = _tracked(made)
        _insist_on_one_training(made, database, undisturbed, made.train(_job(made), database), run_id)


@pytest.mark.slow
def test_a_training_that_is_interrupted_says_so_in_mlflow_and_goes_on(made, database, undisturbed):
    _, parent = _stopped_at(made, database, 10, signal.SIGINT)
    run_id = _tracked(made)
    assert MlflowClient(database).get_run(run_id).info.status == "KILLED"
    assert parent
    _insist_on_one_training(made, database, undisturbed, made.train(_job(made), database), run_id)


# --- finished, and begun again -------------------------------------------------------------------------------------------


def test_a_finished_training_is_taken_again_until_its_model_was_taken(made, database):
    """A pipeline that was stopped between the training and its next step does not train twice; afterwards it trains anew."""
    job = made.job(steps=3)
    model = made.train(job, database)
    first, made_at = tracked(model.parent), (model / "model.safetensors").stat().st_mtime_ns
    assert made.train(job, database) == model
    assert (model / "model.safetensors").stat().st_mtime_ns == made_at
    shutil.move(model, made.folder / "taken")
    assert made.train(job, database) == model
    assert tracked(model.parent) != first
    assert load_file(model / "model.safetensors").keys() == load_file(made.folder / "taken" / "model.safetensors").keys()
    assert len(losses(model.parent)) == 3


def test_a_training_that_was_killed_with_its_model_in_place_counts_as_finished(made, database):
    """Its model is taken, its MLflow run ended, and after that it begins anew."""
    job = made.job(steps=3)
    model = made.train(job, database)
    (model.parent / "finished").unlink()
    MlflowClient(database).update_run(tracked(model.parent), status="RUNNING")
    first = tracked(model.parent)
    assert made.train(job, database) == model
    assert MlflowClient(database).get_run(first).info.status == "FINISHED"
    shutil.rmtree(model)
    made.train(job, database)
    assert tracked(model.parent) != first


def test_what_finished_trainings_left_is_removed_and_an_unfinished_one_is_named(made, database, caplog):
    caplog.set_level("INFO")
    shutil.rmtree(made.train(made.job(steps=1), database))
    unfinished = made.train(made.job(steps=4), database).parent
    shutil.rmtree(unfinished / "model")
    (unfinished / "finished").unlink()
    other = made.train(made.job(steps=2), database).parent
    assert {path.name for path in (made.folder / "trainings").glob("*")} == {unfinished.name, other.name}
    assert f"An unfinished training with other settings or samples is in {unfinished} (step 4)" in caplog.text


def test_an_mlflow_run_that_is_gone_is_made_again_with_all_that_was_measured(made, database):
    """Somebody deleted it, or the database is another one."""
    job = made.job(steps=4, checkpoints={"every": 2})
    model = made.train(job, database)
    first = tracked(model.parent)
    shutil.rmtree(model)
    (model.parent / "finished").unlink()
    shutil.rmtree(model.parent / "checkpoint-4")
    client = MlflowClient(database)
    client.delete_run(first)
    again = tracked(made.train(job, database).parent)
    assert again != first
    assert [one.step for one in client.get_metric_history(again, "loss")] == [1, 2, 3, 4]


# --- refused -------------------------------------------------------------------------------------------------------------


def test_two_trainings_in_one_folder_are_refused(made, database):
    job = made.job(steps=3)
    model = made.train(job, database)
    held = made.folder / "held"
    other = elsewhere(_hold, model.parent, held)
    while not held.exists():
        time.sleep(0.01)
    with pytest.raises(TrainingError, match=f"Another process trains in {model.parent}; wait for it"):
        made.train(job, database)
    other.kill()
    other.join()
    assert made.train(job, database) == model


def _hold(folder, held):
    """Be in a folder as a training is."""
    with _alone(folder):
        held.touch()
        time.sleep(600)


def test_an_empty_split_is_refused(made, database):
    with pytest.raises(TrainingError, match="There is no sample: the train split is empty"):
        made._replace(samples=[]).train(made.job(), database)
    assert not (made.folder / "trainings").exists()


def test_features_of_another_encoder_are_refused_before_the_first_step(made, database):
    job = made.job()
    with pytest.raises(TrainingError, match="are not those of the settings: mask is soft there, hard here"):
        made.train(job.model_copy(update={"mask": "hard"}), database)
    assert checkpoints.steps(the_folder(made)) == []


def test_items_without_features_are_refused_where_no_other_is_left(made, database):
    with pytest.raises(TrainingError, match="None of the 36 samples has features; run `kedro run --pipelines=motion,encode`"):
        made._replace(features=[]).train(made.job(), database)


def test_a_missing_model_to_start_from_is_named(made, database):
    with pytest.raises(TrainingError, match="gone"):
        made.train(made.job(init_from=made.folder / "gone"), database)
