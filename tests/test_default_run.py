"""The default run, looked at from outside: what is there afterwards, and what a second run does."""

import hashlib
import json
import re
import shutil

import pytest


def _feature_bytes(project):
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in (project.folder / "data/04_feature/feature_items").rglob("*.safetensors")
    }


def test_every_table_is_there_and_adds_up(small_run):
    videos = small_run.records("02_intermediate/videos.parquet", "Video")
    annotations = small_run.records("03_primary/annotations.jsonl", "Annotation")
    train = small_run.records("05_model_input/train_samples.jsonl", "Sample")
    test = small_run.records("05_model_input/test_samples.jsonl", "Sample")
    assert len(videos) == len(annotations) == 12
    assert {a.item_id for a in annotations if a.split == "train"} == {s.item_id for s in train}
    assert {a.item_id for a in annotations if a.split == "test"} == {s.item_id for s in test}
    assert not {s.item_id for s in train} & {s.item_id for s in test}
    assert all(a.provider == "rules" and a.sources for a in annotations)
    predictions = small_run.records("07_model_output/predictions.parquet", "Prediction")
    assert len(predictions) == len(test)
    metrics = json.loads((small_run.folder / "data/08_reporting/metrics.json").read_text())
    assert metrics["tasks"]["description"]["count"] == 4
    assert set(metrics["slots"]) == {"actor", "action", "place", "normal"}
    assert (small_run.folder / "data/08_reporting/metrics.png").stat().st_size > 10_000


def test_it_ends_with_a_table_and_the_next_command(small_run):
    assert "Made in this run" in small_run.first.stdout
    assert "without seeing" in small_run.first.stdout
    assert ".venv/bin/hawk ask" in small_run.first.stdout


def test_the_seconds_of_each_step_stand_in_the_table_and_in_mlflow(small_run):
    import mlflow

    client = mlflow.MlflowClient(f"sqlite:///{small_run.folder}/mlflow.db")
    runs = client.search_runs(client.get_experiment_by_name("hawk").experiment_id)
    (parent,) = (run for run in runs if "mlflow.parentRunId" not in run.data.tags)
    seconds = {name.removeprefix("seconds/"): value for name, value in parent.data.metrics.items() if name.startswith("seconds/")}
    nodes = re.findall(r"INFO +(\w+) …", small_run.first.stdout + small_run.first.stderr)
    assert sorted(seconds) == sorted(nodes)
    assert sum(seconds.values()) < (parent.info.end_time - parent.info.start_time) / 1000
    assert re.search(rf"finetuned_model +{seconds['finetune_model']:.1f} +data/06_models/finetuned_model", small_run.first.stdout)


def test_training_is_a_child_run_with_every_loss_at_every_logging_step(small_run, monkeypatch):
    import mlflow

    client = mlflow.MlflowClient(f"sqlite:///{small_run.folder}/mlflow.db")
    experiment = client.get_experiment_by_name("hawk").experiment_id
    child = next(run for run in client.search_runs(experiment) if run.info.run_name == "finetune")
    parent = client.get_run(child.data.tags["mlflow.parentRunId"])
    assert child.data.params["finetune.steps"] == "3"
    for term in ("loss", "video_language_loss", "video_motion_loss", "motion_language_loss"):
        history = client.get_metric_history(child.info.run_id, term)
        assert [metric.step for metric in history] == [1, 2, 3]
        assert all(metric.value > 0 for metric in history)
    total = client.get_metric_history(child.info.run_id, "loss")[0].value
    terms = [
        client.get_metric_history(child.info.run_id, f"{t}_loss")[0].value
        for t in ("video_language", "video_motion", "motion_language")
    ]
    assert total == pytest.approx(terms[0] + 0.1 * terms[1] + 0.1 * terms[2], rel=1e-3)
    assert "description.bleu_4" in parent.data.metrics
    assert any(artifact.path == "model" for artifact in client.list_artifacts(child.info.run_id))


def test_registered_model_answers_a_video_and_a_question(small_run, monkeypatch):
    import mlflow
    import pandas as pd

    import hawk_pipelines

    monkeypatch.chdir(small_run.folder)
    mlflow.set_tracking_uri(f"sqlite:///{small_run.folder}/mlflow.db")
    model = mlflow.pyfunc.load_model("models:/hawk@production")
    video = small_run.folder / small_run.records("02_intermediate/videos.parquet", "Video")[0].path
    answers = model.predict(pd.DataFrame({"video": [str(video), str(video)], "question": ["Who is involved?", ""]}))
    hawk = hawk_pipelines.load("models:/hawk@production")
    assert list(answers["answer"]) == [hawk.ask(video, "Who is involved?"), hawk.describe(video)]
    assert list(answers["error"]) == [None, None]


def test_hawk_ask_and_describe_use_the_registered_model(small_run, monkeypatch):
    from click.testing import CliRunner

    from hawk_pipelines.cli import main

    video = small_run.records("02_intermediate/videos.parquet", "Video")[0].path
    assert small_run.run("hawk", "ask", video, "Who is involved?", "--span", "0", "1", prefork=False).stdout.strip()
    monkeypatch.chdir(small_run.folder)
    described, folder = (
        CliRunner().invoke(main, ["describe", video, *options]).stdout.strip()  # in this process: importing takes longer
        for options in ([], ["--model", "data/06_models/finetuned_model"])
    )
    assert described == folder != ""


def test_a_second_run_redoes_no_item_and_another_machine_makes_the_same(small_run, project):
    """`project` is another folder with the same settings: it makes everything itself, then runs again."""
    project.run("kedro", "run")
    assert _feature_bytes(project) == _feature_bytes(small_run) != {}
    for name in (
        "07_model_output/predictions.parquet",
        "08_reporting/metrics.json",
        "06_models/finetuned_model/model.safetensors",
    ):
        assert (project.folder / "data" / name).read_bytes() == (small_run.folder / "data" / name).read_bytes()

    again = project.run("kedro", "run")
    for step in ("probe", "annotate", "motion", "encode"):
        assert f"{step}: 0 done, 12 reused, 0 rejected." in again.stderr + again.stdout
    assert "render: 0 done, 12 reused." in again.stderr + again.stdout
    metrics = "data/08_reporting/metrics.json"
    assert (project.folder / metrics).read_bytes() == (small_run.folder / metrics).read_bytes()


def test_finetune_opens_no_video(copied):
    """The raw videos are moved away; training from the stored features does not miss them."""
    shutil.rmtree(copied.folder / "data/01_raw")
    shutil.rmtree(copied.folder / "data/04_feature/frame_items")
    model = copied.folder / "data/06_models/finetuned_model/model.safetensors"
    before = model.read_bytes()
    model.unlink()
    copied.run("kedro", "run", "--pipeline=finetune")  # the older spelling of the option
    assert model.read_bytes() == before


def test_a_description_turned_into_a_refusal_leaves_the_training_data(copied):
    path = copied.folder / "data/03_primary/drafts.jsonl"
    drafts = [json.loads(line) for line in path.read_text().splitlines()]
    trained_on = {sample.item_id for sample in copied.records("05_model_input/train_samples.jsonl", "Sample")}
    victim = next(draft for draft in drafts if draft["item_id"] in trained_on)
    victim["description"] = "As an AI language model, I cannot watch videos."
    path.write_text("".join(json.dumps(draft) + "\n" for draft in drafts))

    copied.run("kedro", "run", "--pipelines=validate")
    left = {sample.item_id for sample in copied.records("05_model_input/train_samples.jsonl", "Sample")}
    assert left == trained_on - {victim["item_id"]}
    assert len(left) == 7
    (judged,) = [d for d in copied.records("03_primary/judged_drafts.jsonl", "JudgedDraft") if d.verdict != "accepted"]
    assert (judged.verdict, judged.findings[0].check) == ("rejected", "refusal")
