"""Whether a model is the one that a training would make."""

import json
import os

import mlflow
import pytest

from hawk_pipelines.training.finished import forget_handed_over, is_finished, run_of, training_run_of, write_finished
from hawk_pipelines.training.inputs import training_key


@pytest.fixture
def model(tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    for name in ("config.json", "model.safetensors", "tokenizer.json", "training.json"):
        (folder / name).write_text(name)
    write_finished(folder, "f" * 16)
    return folder


@pytest.mark.parametrize(
    ("change", "finished"),
    [
        (lambda model: None, True),
        (lambda model: (model / "training.json").write_text("other groups"), True),
        (lambda model: (model / "training.json").unlink(), True),
        (lambda model: (model / "model.safetensors").write_text("other weights"), False),
        (lambda model: (model / "model.safetensors").unlink(), False),
        (lambda model: (model / "config.json").write_text("{}"), False),
        (lambda model: (model / "more.safetensors").write_text("x"), False),
        (lambda model: (model / "finished.json").write_text('{"finger'), False),
        (lambda model: (model / "finished.json").unlink(), False),
    ],
)
def test_a_model_that_was_changed_since_is_not_taken_for_it(model, change, finished):
    change(model)
    assert is_finished(model, "f" * 16) is finished
    assert not is_finished(model, "0" * 16)


def test_a_copy_elsewhere_is_the_same_model(model, tmp_path):
    moved = model.rename(tmp_path / "moved")
    os.utime(moved / "model.safetensors", (0, 0))
    assert is_finished(moved, "f" * 16)


def test_the_key_of_a_training_is_the_name_of_its_folder(made, database):
    job = made.job(validation={"share": 0.2, "every": 4}, steps=2)
    key = training_key(job, made.samples, made.groups, made.features)
    folder = made.train(job, database)
    assert folder.parent.name == f"finetune-{key}"
    assert is_finished(folder, key)
    assert run_of(folder.parent)
    assert run_of(folder) is None
    again = made.job(validation={"share": 0.2, "every": 4}, steps=2, again=True)
    assert training_key(again, made.samples, made.groups, made.features) == key
    regrouped = dict.fromkeys(made.groups, "g")
    assert training_key(job, made.samples, regrouped, made.features) != key


@pytest.mark.parametrize("linked", [True, False])
def test_what_was_handed_over_is_forgotten_and_nothing_else(model, tmp_path, linked):
    left = tmp_path / "training" / "model"
    left.mkdir(parents=True)
    for file in model.iterdir():
        os.link(file, left / file.name) if linked else (left / file.name).write_bytes(file.read_bytes())
    forget_handed_over(left.parent, model)
    assert left.exists() is not linked
    assert is_finished(model, "f" * 16)
    forget_handed_over(tmp_path / "nowhere", model)


def test_a_model_leads_to_the_run_that_trained_it(model, tmp_path, database):
    client, trainings = mlflow.MlflowClient(database), tmp_path / "trainings"
    experiment = client.create_experiment("trained")
    runs = {status: client.create_run(experiment, tags={"training": "f" * 16}).info.run_id for status in ("FAILED", "FINISHED")}
    for status, run_id in runs.items():
        client.set_terminated(run_id, status)
    assert training_run_of(model, trainings, database) == runs["FINISHED"]  # by its tag, where the training's folder is gone

    folder = trainings / f"finetune-{'f' * 16}"
    folder.mkdir(parents=True)
    noted = client.create_run(experiment).info.run_id  # as earlier versions left it, without the tag
    for run_id, expected in ((noted, noted), ("0" * 32, runs["FINISHED"])):  # the second is on another server
        (folder / "mlflow_run.json").write_text(json.dumps({"run_id": run_id, "tracking_uri": "http://gone"}))
        assert training_run_of(model, trainings, database) == expected

    write_finished(model, "0" * 16)
    assert training_run_of(model, trainings, database) is None
    (model / "finished.json").unlink()
    assert training_run_of(model, trainings, database) is None
