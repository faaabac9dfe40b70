"""What is finished is reused: a second run, runs that were killed, changed settings and samples, a moved project."""

import contextlib
import hashlib
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import time

import mlflow
import pytest

from tests.conftest import BIN

MODEL = "data/06_models/finetuned_model"
RESULTS = (
    "data/07_model_output/asked.parquet",
    "data/07_model_output/predictions.parquet",
    "data/07_model_output/answered_by.json",
    "data/07_model_output/conversation_turns.parquet",
    "data/07_model_output/baseline_predictions.parquet",
    "data/07_model_output/window_scores.parquet",
    "data/07_model_output/anomaly_scores.parquet",
    "data/08_reporting/metrics.json",
    "data/08_reporting/scores.parquet",
    "data/08_reporting/conversation_scores.parquet",
    "data/08_reporting/when.json",
    "data/08_reporting/evaluation.html",
    "data/08_reporting/metrics.png",
    "data/08_reporting/example_answers.md",
    "data/08_reporting/registered_model.json",
)
LAST = "kedro", "run", "--pipelines=finetune,evaluate,register"


def _bytes(project):
    """A hash of every file of the model and of the results."""
    files = [path for path in sorted((project.folder / MODEL).rglob("*")) if path.is_file()]
    files += [project.folder / name for name in RESULTS]
    return {str(path.relative_to(project.folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def _times(project):
    return {path.name: path.stat().st_mtime_ns for path in (project.folder / MODEL).iterdir()}


def _client(project):
    return mlflow.MlflowClient(f"sqlite:///{project.folder}/mlflow.db")


def _trainings(project):
    client = _client(project)
    runs = client.search_runs([client.get_experiment_by_name("hawk").experiment_id], "tags.stage = 'finetune'")
    return {run.info.run_id for run in runs}


def _versions(project):
    return {str(version.version): version.tags for version in _client(project).search_model_versions("name = 'hawk'")}


def _last_run(project):
    client = _client(project)
    runs = client.search_runs([client.get_experiment_by_name("hawk").experiment_id], order_by=["attributes.start_time DESC"])
    return next(run for run in runs if "stage" not in run.data.tags)


def _statuses(project):
    client = _client(project)
    runs = client.search_runs([client.get_experiment_by_name("hawk").experiment_id])
    return [run.info.status for run in runs]


def _rows(project, table):
    """How many rows a table of the registry has; asked often and quickly."""
    with (
        contextlib.suppress(sqlite3.OperationalError),
        contextlib.closing(sqlite3.connect(f"file:{project.folder}/mlflow.db?mode=ro", uri=True, timeout=0.01)) as connection,
    ):
        return connection.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0]  # noqa: S608 (our own names)
    return 0


def _did(done):
    return done.stdout + done.stderr


def _stopped(project, node, when, by=signal.SIGKILL):
    """Start a run and stop it as soon as the log says that a node has begun and `when` is true: its exit status and its log."""
    environment = os.environ | {
        "PYTHONPATH": str(project.folder / "src"),
        "KEDRO_DATASET_VALIDATION": "0",
        "COLUMNS": "200",
        "PYTHONUNBUFFERED": "1",
    }
    log = project.folder / "killed.log"
    with (
        log.open("w") as file,
        subprocess.Popen(
            [BIN / LAST[0], *LAST[1:]],
            cwd=project.folder,
            env=environment,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's background has it ignored
        ) as running,
    ):
        until = time.monotonic() + 400
        while running.poll() is None and time.monotonic() < until:
            if f"{node} …" in log.read_text() and when():
                break
            time.sleep(0.005)
        assert running.poll() is None, f"it ended before it could be killed:\n{log.read_text()[-3000:]}"
        os.killpg(running.pid, by)
    return running.returncode, log.read_text()


def test_a_second_run_has_nothing_to_do_and_says_so(copied):
    before, times, trainings, versions = _bytes(copied), _times(copied), _trainings(copied), _versions(copied)
    again = copied.run("kedro", "run")
    assert (_bytes(copied), _times(copied)) == (before, times)
    assert (_trainings(copied), _versions(copied)) == (trainings, versions)
    (training,) = trainings
    said = _did(again)
    assert "finetune: nothing to do; the model in data/06_models/finetuned_model is of these samples and settings" in said
    assert f"(MLflow run {training})" in said
    for node in ("answer_questions", "answer_as_baselines", "score_windows", "report_evaluation", "register_model"):
        assert f"{node}: nothing to do" in said
        assert f"{node} …" not in said
    assert "this time" in again.stdout
    assert "without seeing" in again.stdout  # the scores are shown all the same
    assert "Version 1 of hawk" in again.stdout
    tags = _last_run(copied).data.tags
    assert tags["nothing_to_do"] == "true"
    assert "finetune_model" in tags["reused_steps"]


def test_a_moved_project_has_nothing_to_do(copied, tmp_path):
    moved = copied.copy(tmp_path / "elsewhere" / "project")
    shutil.rmtree(copied.folder)
    before, times = _bytes(moved), _times(moved)
    done = moved.run(*LAST)
    assert _did(done).count("nothing to do") >= 8
    assert (_bytes(moved), _times(moved)) == (before, times)


@pytest.mark.parametrize(
    ("setting", "trains", "done", "reused"),
    [
        ("evaluate.max_new_tokens=63", False, ("answer_questions", "register_model"), ("ask_test_items", "score_windows")),
        ("evaluate.examples=3", False, ("report_evaluation",), ("answer_questions", "score_windows", "register_model")),
        (
            "when.threshold=0.4,finetune.log_every=2",
            False,
            ("score_windows", "report_evaluation"),
            ("answer_questions", "score_answers", "register_model"),
        ),
        ("register.margin=0.02", False, ("register_model",), ("answer_questions", "report_evaluation")),
        ("finetune.learning_rate=0.001", True, ("answer_questions", "register_model"), ("ask_test_items",)),
        ("finetune.again=true", True, (), ("answer_questions", "register_model")),
    ],
)
def test_a_changed_setting_does_again_what_it_decides_and_nothing_else(copied, setting, trains, done, reused):
    before = _trainings(copied)
    said = _did(copied.run(*LAST, "--params", setting))
    assert len(_trainings(copied) - before) == trains
    assert ("finetune: nothing to do" in said) is not trains
    for node in done:
        assert f"{node} …" in said
    for node in reused:
        assert f"{node}: nothing to do" in said


def test_a_changed_sample_or_model_is_trained_again(copied):
    before = _trainings(copied)
    weights = copied.folder / MODEL / "model.safetensors"
    right = weights.read_bytes()
    weights.write_bytes(right[:-1] + bytes([right[-1] ^ 1]))
    copied.run("kedro", "run", "--pipelines=finetune")
    assert weights.read_bytes() == right
    assert len(_trainings(copied)) == len(before) + 1

    samples = copied.folder / "data/05_model_input/train_samples.jsonl"
    first, *others = samples.read_text().splitlines(keepends=True)
    row = json.loads(first)
    samples.write_text(json.dumps(row | {"answer": f"{row['answer']} Indeed."}) + "\n" + "".join(others))
    copied.run("kedro", "run", "--pipelines=finetune")
    assert weights.read_bytes() != right
    assert len(_trainings(copied)) == len(before) + 2


def _unmade(project):
    """As after `encode`: no model, no answers, an empty registry."""
    for name in ("06_models", "07_model_output", "finished_steps"):
        shutil.rmtree(project.folder / "data" / name)
    for name in RESULTS:
        (project.folder / name).unlink(missing_ok=True)
    (project.folder / "mlflow.db").unlink()
    shutil.rmtree(project.folder / "mlartifacts")


@pytest.mark.parametrize(
    ("node", "table"),
    [
        ("answer_questions", None),
        pytest.param("score_windows", None, marks=pytest.mark.slow),
        pytest.param("report_evaluation", None, marks=pytest.mark.slow),
        pytest.param("register_model", "model_versions", marks=pytest.mark.slow),
        pytest.param("register_model", "registered_model_aliases", marks=pytest.mark.slow),
    ],
)
def test_a_run_that_was_killed_after_the_training_gives_the_same_and_trains_no_more(copied, node, table):
    undisturbed = _bytes(copied)
    _unmade(copied)

    _stopped(copied, node, lambda: table is None or _rows(copied, table))
    before = _trainings(copied)
    assert len(before) == 1
    said = _did(copied.run(*LAST))
    assert _trainings(copied) == before
    assert "RUNNING" not in _statuses(copied)  # the killed run is closed
    assert "finetune: nothing to do" in said
    assert _bytes(copied) == undisturbed
    versions = _versions(copied)
    assert [tags["gate"] for tags in versions.values()] == ["forced"]
    assert str(_client(copied).get_registered_model("hawk").aliases["production"]) == "1"


def test_a_run_that_is_interrupted_says_so_and_leaves_nothing_open(copied):
    _unmade(copied)
    status, log = _stopped(copied, "answer_questions", lambda: True, by=signal.SIGINT)
    assert status == 130
    assert "The run was interrupted. What was finished is kept, and the same command goes on from there." in log
    assert "Traceback" not in log
    assert sorted(_statuses(copied)) == ["FINISHED", "KILLED"]  # the training, and the run
    assert "finetune: nothing to do" in _did(copied.run(*LAST))


def test_a_version_that_is_gone_is_registered_again_and_one_that_lost_its_forced_alias_gets_it_back(copied):
    client = _client(copied)
    client.delete_model_version("hawk", "1")
    said = _did(copied.run("kedro", "run", "--pipelines=register"))
    assert "register_model …" in said
    assert list(_versions(copied)) == ["2"]
    client.delete_registered_model_alias("hawk", "production")
    copied.run("kedro", "run", "--pipelines=register")
    assert sorted(_versions(copied)) == ["2"]
    assert str(client.get_registered_model("hawk").aliases["production"]) == "2"
    assert "nothing to do" in _did(copied.run("kedro", "run", "--pipelines=register"))
    copied.run("kedro", "run", "--pipelines=register", "--params", "register.force=Another reason.")
    assert sorted(_versions(copied)) == ["2", "3"]


def test_an_empty_registry_gets_the_model_again_without_a_training(copied):
    (copied.folder / "mlflow.db").unlink()
    shutil.rmtree(copied.folder / "mlartifacts")
    said = _did(copied.run(*LAST))
    assert "finetune: nothing to do" in said
    assert "answer_questions: nothing to do" in said
    assert list(_versions(copied)) == ["1"]
    assert not _trainings(copied)


APART = {
    "evaluate": "`annotations` is about 4 video(s) that `videos` does not have",
    "finetune": "`annotations` is about 12 video(s) that `videos` does not have",
    "encode": "`annotations` is about 12 video(s) that `videos` does not have",
    "register": "`annotations` is about 12 video(s) that `videos` does not have",
    "motion": "`annotations` is about 12 video(s) that `videos` does not have",
    "annotate": "`clip_captions` is about 12 video(s) that `videos` does not have",
    "caption": "`clips` is about 12 video(s) that `videos` does not have",
}


def test_tables_of_another_ingest_end_the_run_with_the_steps_to_run(copied):
    copied.run("kedro", "run", "--pipelines=ingest", "--params", "ingest.synthetic.world=appearance")
    for pipeline, sentence in APART.items():
        done = copied.run("kedro", "run", f"--pipelines={pipeline}", check=False)
        assert done.returncode == 1
        output = " ".join(_did(done).split())
        assert sentence in output
        assert "Run `kedro run --pipelines=split" in output
        assert "Traceback" not in output


def test_another_environment_has_its_data_beside_the_sample(copied):
    """A few videos of one's own, in a data folder of their own; the sample stays as it was, and has nothing to do."""
    before, times = _bytes(copied), _times(copied)
    mine = copied.folder / "conf/mine"
    mine.mkdir()
    (mine / "globals.yml").write_text("data_root: data/mine\n")
    (mine / "parameters_register.yml").write_text("register: {name: hawk-mine, force: a test}\n")
    (mine / "parameters_ingest.yml").write_text("ingest: {synthetic: {world: appearance}}\n")
    done = copied.run("kedro", "run", "--env", "mine")
    assert (copied.folder / "data/mine/06_models/finetuned_model/model.safetensors").is_file()
    assert (copied.folder / "data/mine/finished_steps/answer_questions.json").is_file()
    assert "data/mine/07_model_output/predictions.parquet" in done.stdout
    assert (_bytes(copied), _times(copied)) == (before, times)
    assert "data/mine/03_primary" in copied.run("hawk", "store", "ls", "--env", "mine").stdout
    assert copied.run("hawk", "review", "list", "--env", "mine").stdout
    assert _did(copied.run(*LAST)).count("nothing to do") >= 8
