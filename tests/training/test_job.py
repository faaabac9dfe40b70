import os
import shutil

import pytest

from hawk_pipelines.training.job import fingerprint, read_features, read_job, write_features, write_job
from hawk_pipelines.training.samples import write_samples
from tests.training.made import MODEL


def _written(folder, made, job, samples=None):
    """The fingerprint of a folder with all that a job needs."""
    folder.mkdir()
    write_job(folder, job)
    write_samples(folder / "samples.jsonl", samples or made.samples[3:])
    write_samples(folder / "held_out.jsonl", made.samples[:3])
    write_features(folder, made.features)
    return fingerprint(folder, job)


@pytest.mark.parametrize(
    "changes",
    [
        {"log_every": 3},
        {"loader_workers": 2},
        {"checkpoints": {"every": 7, "keep": 5}},
        {"launch": {"processes": 8, "device": "cpu"}},
        {"exploding": 5},
        {"again": True},
        {"validation": {"share": 0, "generated": 1}},
    ],
)
def test_how_it_is_run_or_reported_is_no_part_of_a_fingerprint(tmp_path, made, changes):
    assert _written(tmp_path / "a", made, made.job()) == _written(tmp_path / "b", made, made.job(**changes))


@pytest.mark.parametrize(
    "changes",
    [
        {"steps": 9},
        {"seed": 2},
        {"learning_rate": 1e-3},
        {"losses": {"video_motion": 0.2}},
        {"bf16": True},
        {"batch_size": 4},
        {"validation": {"share": 0, "every": 3}},
        {"model": MODEL.model_copy(update={"branches": MODEL.branches.model_copy(update={"dropout": 0.1})})},
    ],
)
def test_what_decides_the_result_is_a_part_of_it(tmp_path, made, changes):
    assert _written(tmp_path / "a", made, made.job()) != _written(tmp_path / "b", made, made.job(**changes))


def test_every_sample_and_feature_is_a_part_of_it(tmp_path, made):
    job = made.job()
    found = {_written(tmp_path / "a", made, job), _written(tmp_path / "b", made, job, samples=made.samples[4:])}
    other = made.samples[3:]
    other[-1] = other[-1].model_copy(update={"answer": f"{other[-1].answer}."})
    found.add(_written(tmp_path / "c", made, job, samples=other))
    encoded = made._replace(features=[*made.features[:-1], made.features[-1].model_copy(update={"key": "f" * 32})])
    found.add(_written(tmp_path / "d", encoded, job))
    found.add(_written(tmp_path / "e", made, job.model_copy(update={"mask": "hard"})))
    found.add(_written(tmp_path / "f", made, job.model_copy(update={"stage": "pretrain"})))
    assert len(found) == 6


def test_moving_the_project_changes_nothing_but_other_weights_to_start_from_do(tmp_path, made):
    first = tmp_path / "one" / "model"
    first.mkdir(parents=True)
    (first / "model.safetensors").write_bytes(b"weights")
    (first / "config.json").write_bytes(b"{}")
    job = made.job(init_from=first)
    found = _written(tmp_path / "a", made, job)
    moved = shutil.move(tmp_path / "one", tmp_path / "two")
    elsewhere = job.model_copy(update={"init_from": tmp_path / "two" / "model", "store": tmp_path / "two" / "store"})
    assert moved
    assert _written(tmp_path / "b", made, elsewhere) == found
    for record in ("training.json", "finished.json"):
        (tmp_path / "two" / "model" / record).write_text("how it was made decides nothing")
    os.utime(tmp_path / "two" / "model" / "config.json", (0, 0))
    assert _written(tmp_path / "c", made, elsewhere) == found
    (tmp_path / "two" / "model" / "model.safetensors").write_bytes(b"Weights")
    assert _written(tmp_path / "d", made, elsewhere) != found
    assert _written(tmp_path / "e", made, made.job()) != found


@pytest.mark.parametrize("stage", ["pretrain", "finetune"])
def test_a_job_is_read_as_it_was_written(tmp_path, made, stage):
    job = made.job(stage, launch={"deepspeed": "conf/deepspeed/zero2.json", "hostfile": "hosts", "launcher": "deepspeed"})
    write_job(tmp_path, job)
    assert read_job(tmp_path) == job
    assert type(read_job(tmp_path).parameters) is type(job.parameters)
    write_features(tmp_path, made.features)
    assert read_features(tmp_path) == made.features
