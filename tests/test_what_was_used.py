"""A run of the evaluation alone says which model it looked at and how that was trained, whatever `conf` says by then."""

import json
import subprocess

import mlflow
import pytest
import yaml

from hawk_pipelines.serving.provenance import weights_sha256

EVALUATE = "kedro", "run", "--pipelines=evaluate"
MODEL = "data/06_models/finetuned_model"


def _runs(project):
    """All runs of a project, the last one first."""
    client = mlflow.MlflowClient(f"sqlite:///{project.folder}/mlflow.db")
    return client.search_runs([client.get_experiment_by_name("hawk").experiment_id], order_by=["attributes.start_time DESC"])


def _first(small_run):
    """The pipeline's run of the small run, and its training's."""
    runs = _runs(small_run)
    return next(run for run in runs if run.info.run_name == "__default__"), next(
        run for run in runs if run.data.tags.get("stage")
    )


def test_a_run_of_everything_says_what_it_made_and_with_which_code(small_run):
    run, training = _first(small_run)
    tags = run.data.tags
    assert tags["training_run"] == training.info.run_id
    assert tags["weights_sha256"] == weights_sha256(small_run.folder / MODEL)
    assert len(tags["annotations_sha256"]) == 64
    assert (tags["environment"], tags["git_changed_files"]) == ("local", "0")
    assert "python 3." in tags["software"]
    assert run.data.params["finetune.steps"] == training.data.params["finetune.steps"] == "3"
    assert "finetune" not in run.data.params  # each setting once, by its name
    said = " ".join((small_run.first.stdout + small_run.first.stderr).split())
    assert f"MLflow run __default__ {run.info.run_id}" in said


@pytest.fixture(scope="module")
def evaluated(small_run, tmp_path_factory):
    """A copy of the small run under git, evaluated alone: with other settings in conf, again, without a record."""
    project = small_run.copy(tmp_path_factory.mktemp("evaluated") / "project")
    git = ["git", "-c", "user.name=x", "-c", "user.email=x@example.org"]
    for command in (["init", "-q"], ["add", "src", "conf"], ["commit", "-qm", "all"]):
        subprocess.run([*git, *command], cwd=project.folder, check=True)
    project.commit = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=project.folder, check=True, capture_output=True, text=True
    ).stdout.strip()
    project.set("finetune", steps=77, learning_rate=0.5)
    project.set("model", branches__queries=5)
    local = project.folder / "conf" / "local" / "parameters.yml"
    local.parent.mkdir(exist_ok=True)
    local.write_text(yaml.safe_dump({"seed": 43}))
    project.said = []
    for step in ("changed", "again", "imported"):
        if step == "imported":
            for record in ("training.json", "finished.json"):
                (project.folder / MODEL / record).unlink()
        done = project.run(*EVALUATE)
        project.said.append(" ".join((done.stdout + done.stderr).split()))
    project.runs = _runs(project)[::-1][2:]
    return project


@pytest.mark.parametrize("which", [0, 1], ids=["first", "second time"])
def test_the_evaluation_alone_logs_the_settings_of_the_training(evaluated, small_run, which):
    first, training = _first(small_run)
    run = evaluated.runs[which]
    assert len(evaluated.runs) == 3
    assert run.info.run_name == "evaluate"
    params = run.data.params
    for name in ("finetune.steps", "finetune.learning_rate", "model.branches.queries", "seed", "encode.views", "motion.frames"):
        assert params[name] == training.data.params[name], name
    assert params["evaluate.seed"] == "43"
    assert {"evaluate.max_new_tokens", "when.threshold"} <= params.keys()
    assert run.data.tags["training_run"] == training.info.run_id
    for tag in ("weights_sha256", "annotations_sha256"):
        assert run.data.tags[tag] == first.data.tags[tag]
    assert (run.data.tags["git_commit"], run.data.tags["git_changed_files"]) == (evaluated.commit, "3")
    assert "was trained with other settings than those of conf" in evaluated.said[which]
    assert "finetune.steps 3, now 77" in evaluated.said[which]


def test_a_model_without_a_record_is_said_to_have_none(evaluated):
    run = evaluated.runs[2]
    assert "was trained is not recorded there: this run logs no settings of a training" in evaluated.said[2]
    assert not [name for name in run.data.params if name.startswith(("finetune", "pretrain", "model"))]
    assert run.data.params["motion.frames"]
    assert run.data.tags["training_run"] == "not known here"
    assert run.data.tags["weights_sha256"] == evaluated.runs[0].data.tags["weights_sha256"]


def test_the_record_of_a_training_is_the_same_each_time_and_keeps_what_it_was_trained_with(copied):
    record = copied.folder / MODEL / "training.json"
    before = record.read_bytes()
    settings = json.loads(before)["settings"]
    assert settings.keys() == {"finetune", "model", "encode", "motion", "seed"}
    assert (settings["finetune"]["steps"], settings["finetune"]["log_every"], settings["seed"]) == (3, 1, 42)
    copied.set("finetune", log_every=2)  # which decides nothing: the model is taken as it is
    copied.run("kedro", "run", "--pipelines=finetune")
    assert record.read_bytes() == before


@pytest.mark.parametrize(
    "arguments",
    [("--params", "finetune.init_from=nowhere"), ("--pipelines=validate", "--params", "annotate.questions=nowhere.yml")],
    ids=["before the first step", "in a step"],
)
def test_what_is_refused_names_its_run(copied, arguments):
    done = copied.run("kedro", "run", *arguments, check=False)
    run = _runs(copied)[0]
    assert (done.returncode, run.info.status) == (1, "FAILED")
    assert f"(MLflow run {run.info.run_id}; HAWK_TRACEBACK=1 shows where.)" in done.stderr
    assert "Traceback" not in done.stdout + done.stderr
