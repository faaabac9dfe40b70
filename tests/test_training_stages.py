"""Training through Kedro: in several processes under DeepSpeed, killed and started again, and refused before it begins."""

import json
import os
import random
import shutil
import signal
import subprocess
import time

import mlflow
import pytest

from hawk_pipelines.model.checkpoint import load
from tests.conftest import BIN

# Two processes without DeepSpeed, and a training that is killed, are in tests/training, without Kedro.
pytestmark = pytest.mark.slow

STEPS = 20
TERMS = ("loss", "video_language_loss", "video_motion_loss", "motion_language_loss", "cosine", "grad_norm")


@pytest.fixture(scope="module")
def prepared(small_run, tmp_path_factory):
    """Everything up to the features, and a model to start from."""
    copied = small_run.copy(tmp_path_factory.mktemp("prepared") / "project")
    shutil.copytree(copied.folder / "data/06_models/finetuned_model", copied.folder / "start")
    validation, checkpoints = {"share": 0.25, "every": 10, "generated": 1}, {"every": 3, "keep": 2}
    told = {
        "steps": STEPS,
        "optimizer": "adamw",
        "batch_size": 4,
        "warmup_steps": 5,
        "validation": validation,
        "checkpoints": checkpoints,
    }
    copied.set("finetune", init_from="start", **told)
    return copied


@pytest.fixture
def project(prepared, tmp_path):
    return prepared.copy(tmp_path / "project")


@pytest.fixture(scope="module")
def alone(prepared, tmp_path_factory):
    """Trained in one process, undisturbed."""
    copied = prepared.copy(tmp_path_factory.mktemp("alone") / "project")
    copied.run("kedro", "run", "--pipelines=finetune")
    return copied


def _runs(project):
    client = mlflow.MlflowClient(f"sqlite:///{project.folder}/mlflow.db")
    experiment = client.get_experiment_by_name("hawk").experiment_id
    return client, client.search_runs(experiment, "tags.stage = 'finetune'", order_by=["attributes.start_time DESC"])


def _curves(project, run=0):
    client, runs = _runs(project)
    found = {term: client.get_metric_history(runs[run].info.run_id, term) for term in TERMS}
    assert all([one.step for one in history] == list(range(1, STEPS + 1)) for history in found.values())
    return {term: [one.value for one in history] for term, history in found.items()}


def _insist_on_same_curves(project, alone, stage):
    shutil.rmtree(project.folder / "data/06_models/finetuned_model")
    told = ("launch.processes=2", f"launch.deepspeed=conf/deepspeed/zero{stage}.json", "checkpoints.every=10")
    project.run("kedro", "run", "--pipelines=finetune", "--params", ",".join(f"finetune.{one}" for one in told))
    together, single = _curves(project), _curves(alone)
    for term in TERMS:
        assert together[term] == pytest.approx(single[term], abs=1e-3), term
    assert single["loss"][-1] < single["loss"][0] - 0.2  # there was something to be different in
    saved = load(project.folder / "data/06_models/finetuned_model", "cpu").model
    began = load(project.folder / "start", "cpu").model
    assert saved.state_dict().keys() == began.state_dict().keys()
    moved = [
        not value.equal(began.state_dict()[name]) for name, value in saved.state_dict().items() if "position_ids" not in name
    ]
    assert sum(moved) > 0.9 * len(moved)


@pytest.mark.parametrize("stage", [1, 2, 3])
def test_two_processes_under_zero_learn_what_one_learns(project, alone, stage):
    _insist_on_same_curves(project, alone, stage)


def test_the_deepspeed_launcher_starts_processes_too(project):
    launch = "finetune.launch.processes=2,finetune.launch.launcher=deepspeed,finetune.launch.deepspeed=conf/deepspeed/zero2.json"
    project.run("kedro", "run", "--pipelines=finetune", "--params", launch)
    assert _curves(project)["loss"][-1] < _curves(project)["loss"][0]


def test_a_run_that_is_killed_goes_on_bit_for_bit_in_the_same_mlflow_run(project, alone):
    """Whole `kedro run`s: undisturbed, and killed three times at random steps."""
    kills = sorted(random.sample(range(2, STEPS), 3))
    before = len(_runs(project)[1])
    for step in kills:
        _killed_after(project, step)
    told = f"killed after steps {kills}"
    project.run("kedro", "run", "--pipelines=finetune")
    assert len(_runs(project)[1]) == before + 1, told
    assert _curves(project) == _curves(alone), told
    weights = "data/06_models/finetuned_model/model.safetensors"
    assert (project.folder / weights).read_bytes() == (alone.folder / weights).read_bytes()


def _killed_after(project, step):
    environment = os.environ | {"PYTHONPATH": str(project.folder / "src"), "KEDRO_DATASET_VALIDATION": "0"}
    with subprocess.Popen(
        [BIN / "kedro", "run", "--pipelines=finetune"],
        cwd=project.folder,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as running:
        until = time.monotonic() + 120
        while running.poll() is None and time.monotonic() < until and _journaled(project) < step:
            time.sleep(0.02)
        assert running.poll() is None, "it ended before it could be killed"
        os.killpg(running.pid, signal.SIGKILL)


def _journaled(project):
    journals = list((project.folder / "data/06_models/trainings").glob("finetune-*/journal.jsonl"))
    lines = [json.loads(line) for path in journals for line in path.read_text().splitlines(keepends=True) if line.endswith("\n")]
    return max((line["step"] for line in lines if line["kind"] == "training"), default=0)
