"""One process of a training, without a launcher."""

import json
import os
import shutil
import socket
import sys
import time

import pytest
from safetensors.torch import load_file, save_file

from hawk_pipelines.errors import HawkError
from hawk_pipelines.model.settings import LanguageModelSettings
from hawk_pipelines.training import checkpoints
from hawk_pipelines.training.errors import TrainingError
from hawk_pipelines.training.job import Circumstances, write_circumstances
from hawk_pipelines.training.run import _insist_on_same_processes, main
from tests.conftest import ROOT
from tests.training.made import MODEL, elsewhere, the_folder


def _as_a_process(folder, parent_pid):
    """What a launcher starts."""
    write_circumstances(
        folder, Circumstances(tracking_uri="unused", run_id="unused", parent_pid=parent_pid, host=socket.gethostname())
    )
    sys.argv = ["run", str(folder)]
    main()


def test_a_process_that_cannot_go_on_leaves_a_sentence(made, database):
    with pytest.raises(TrainingError):
        made.train(made.job().model_copy(update={"mask": "hard"}), database)
    folder = the_folder(made)
    process = elsewhere(_as_a_process, folder, os.getpid())
    process.join(60)
    assert process.exitcode == 1
    told = json.loads((folder / "fault.json").read_text(encoding="utf-8"))
    assert told["rank"] == 0
    assert told["fault"].startswith("The features of v0 in ")


def test_the_first_sentence_counts(made, database):
    with pytest.raises(TrainingError):
        made.train(made.job().model_copy(update={"mask": "hard"}), database)
    folder = the_folder(made)
    (folder / "fault.json").write_text('{"rank": 1, "fault": "It was me."}')
    process = elsewhere(_as_a_process, folder, os.getpid())
    process.join(60)
    assert process.exitcode == 1
    assert json.loads((folder / "fault.json").read_text())["fault"] == "It was me."


@pytest.mark.parametrize("workers", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_a_sample_that_cannot_be_laid_out_is_said_in_a_sentence_whoever_reads_it(made, database, workers):
    silent = [sample.model_copy(update={"question": " "} if sample.task == "question" else {}) for sample in made.samples]
    with pytest.raises(HawkError, match=r"^The question is empty; ask something\.$"):
        made._replace(samples=silent).train(made.job(loader_workers=workers, description_share=0), database)


def test_a_training_does_not_go_on_over_another_language_model(made, database, llama, tmp_path):
    """It lies where the other one lay."""
    source = shutil.copytree(llama, tmp_path / "llama")
    speaks = LanguageModelSettings(source=str(source))
    job = made.job(model=MODEL.model_copy(update={"language_model": speaks}), steps=2, checkpoints={"every": 1})
    model = made.train(job, database)
    shutil.rmtree(model)
    (model.parent / "finished").unlink()
    weights = load_file(source / "model.safetensors")
    save_file({name: value * 2 for name, value in weights.items()}, source / "model.safetensors", {"format": "pt"})
    other = made.train(job, database)
    assert other != model  # another training: it begins anew, and the one over the other model is left as it was
    assert (model.parent / "checkpoint-2").is_dir()
    shutil.copy(llama / "model.safetensors", source / "model.safetensors")
    assert made.train(job, database) == model


def _sleep():
    time.sleep(600)


def test_a_process_ends_with_the_one_that_waits_for_it(made, database):
    """It would train for an hour."""
    waiting = elsewhere(_sleep)
    with pytest.raises(TrainingError):
        made.train(made.job(steps=1_000_000, checkpoints={"every": 1000}).model_copy(update={"mask": "hard"}), database)
    folder = the_folder(made)
    job = json.loads((folder / "job.json").read_text())
    (folder / "job.json").write_text(json.dumps(job | {"mask": "soft"}))
    process = elsewhere(_as_a_process, folder, waiting.pid)
    until = time.monotonic() + 60
    while time.monotonic() < until and not (folder / "journal.jsonl").exists():
        time.sleep(0.02)
    assert process.is_alive()
    waiting.kill()
    waiting.join()
    process.join(20)
    assert process.exitcode == 1
    assert not (folder / "model").exists()


@pytest.mark.parametrize(
    ("saved", "now", "refused"),
    [
        ((1, None), (1, None), False),
        ((2, None), (4, None), False),  # every process holds all of it
        ((2, 2), (2, 2), False),
        ((2, 2), (4, 2), "was saved by 2 process(es) under ZeRO-2, but now there are 4 under ZeRO-2; set `launch` as it was, or"),
        ((2, 2), (2, 3), "was saved by 2 process(es) under ZeRO-2, but now there are 2 under ZeRO-3"),
        ((2, 2), (1, None), "was saved by 2 process(es) under ZeRO-2, but now there are 1 without DeepSpeed"),
        ((1, None), (1, 1), "was saved by 1 process(es) without DeepSpeed, but now there are 1 under ZeRO-1"),
    ],
)
def test_states_of_zero_belong_to_as_many_processes(made, monkeypatch, saved, now, refused):
    (checkpoints.staging(made.folder) / "checkpoint-2").mkdir(parents=True)
    place = checkpoints.finish(made.folder, 2, {"processes": saved[0], "zero": saved[1]})
    monkeypatch.setenv("WORLD_SIZE", str(now[0]))
    job = made.job(launch={"deepspeed": now[1] and str(ROOT / f"conf/deepspeed/zero{now[1]}.json")})
    if not refused:
        _insist_on_same_processes(place, job)
        return
    with pytest.raises(TrainingError) as told:
        _insist_on_same_processes(place, job)
    assert f"{place} {refused}" in str(told.value)
