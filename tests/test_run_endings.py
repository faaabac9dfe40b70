"""How a run ends where nothing is left to train on or to test on: well where a person is next, and with nothing stale."""

import json

import pytest

FOLDER = "ingest.source=folder,ingest.folder.path=videos"
LATER = ("04_feature", "06_models", "07_model_output")
REPORTS = ("metrics.json", "evaluation.html", "scores.parquet", "registered_model.json", "when.json", "example_answers.md")


@pytest.fixture
def with_videos(rendered):
    """Put rendered videos into a project's folder of raw clips, with rows of a captions.csv."""

    def put(project, count, rows=()):
        folder = project.folder / "videos"
        folder.mkdir()
        for number, video in enumerate(rendered[:count]):
            (folder / f"{number}.mp4").write_bytes(video.path.read_bytes())
        if rows:
            (folder / "captions.csv").write_text("\n".join(["video,caption,label,split", *rows]) + "\n")

    return put


def _kedro(project, *arguments, **how):
    done = project.run("kedro", "run", *arguments, **how)
    assert "Traceback" not in done.stdout + done.stderr
    return done


def _runs(project):
    """Status of every MLflow run, by its name."""
    import mlflow

    client = mlflow.MlflowClient(f"sqlite:///{project.folder}/mlflow.db")
    found = client.search_runs([one.experiment_id for one in client.search_experiments()])
    return [(run.info.run_name, run.info.status) for run in found]


def _files(project):
    below = [path for name in LATER for path in (project.folder / "data" / name).rglob("*") if path.is_file()]
    return below + [path for name in REPORTS if (path := project.folder / "data/08_reporting" / name).is_file()]


def test_raw_clips_end_with_what_waits_for_a_person_and_then_go_on_to_training(project, with_videos):
    with_videos(project, 3)
    done = _kedro(project, "--params", FOLDER)
    waiting = json.loads((project.folder / "data/08_reporting/validation.json").read_text())["review"]["waiting"]
    assert waiting >= 3
    assert f"{waiting} wait for you: `hawk review next`" in done.stdout
    assert "Next: .venv/bin/hawk review next" in done.stdout
    assert "ERROR" not in done.stdout + done.stderr
    assert _files(project) == []
    assert [status for _, status in _runs(project)] == ["FINISHED"]
    for name, record in (("train_samples", "Sample"), ("test_samples", "Sample"), ("pretraining_pairs", "Pair")):
        assert project.records(f"05_model_input/{name}.jsonl", record) == []

    asked_for = _kedro(project, "--pipelines=finetune", "--params", FOLDER, check=False)
    assert asked_for.returncode == 1
    assert "Error: There is no sample: the train split is empty." in asked_for.stderr
    assert sorted(status for _, status in _runs(project)) == ["FAILED", "FINISHED"]  # refused before its first step

    queue = [json.loads(line) for line in (project.folder / "data/03_primary/review_queue.jsonl").read_text().splitlines()]
    for number, task in enumerate(task for task in queue if task["kind"] == "description"):
        text = f"Something unusual happens: person {number} falls down at the front of the plaza."
        project.run("hawk", "review", "edit", task["id"], "--text", text, "--reviewer", "ana", "--seconds", "9")
    trained = _kedro(project, "--params", FOLDER)
    assert "Nothing can be tested on: there is no annotation of a test video" in trained.stdout
    assert (project.folder / "data/06_models/finetuned_model/config.json").is_file()
    assert not (project.folder / "data/07_model_output/predictions.parquet").exists()
    evaluated = _kedro(project, "--pipelines=evaluate", "--params", FOLDER, check=False)
    assert evaluated.returncode == 1
    assert "Error: Nothing can be tested on" in evaluated.stderr


def test_tables_of_an_earlier_source_do_not_stay_beside_raw_clips(copied, with_videos):
    model = copied.folder / "data/06_models/finetuned_model/model.safetensors"
    before = model.read_bytes()
    assert len([name for name in REPORTS if (copied.folder / "data/08_reporting" / name).is_file()]) == len(REPORTS)
    with_videos(copied, 2)
    done = _kedro(copied, "--params", FOLDER)
    assert "wait for you: `hawk review next`" in done.stdout
    stores = ("frame_items", "feature_items", "window_frame_items", "window_feature_items", "finetuned_model", "trainings")
    assert [path for path in _files(copied) if not set(stores) & set(path.parts)] == []
    assert copied.records("03_primary/annotations.jsonl", "Annotation") == []
    assert copied.records("05_model_input/train_samples.jsonl", "Sample") == []
    assert model.read_bytes() == before


FALL = "A person in red falls at the front of the plaza.,fall"
PREPARATION = "--pipelines=ingest,split,caption,annotate,validate"


@pytest.mark.parametrize(
    ("rows", "command", "status", "says", "counts"),
    [
        ([f"0.mp4,{FALL},train", "1.mp4,,,test"], (), 0, "no description of a test video is accepted", (1, 0)),
        ([f"0.mp4,{FALL},test", "1.mp4,,,train"], (), 0, "no description of a train video is accepted", (0, 1)),
        ([f"0.mp4,{FALL},test", f"1.mp4,{FALL},test"], (), 0, "Nothing can be trained on: there is no training video", (0, 2)),
        (["0.mp4,,,train"], (PREPARATION,), 0, "wait for you: `hawk review next`", (0, 0)),
        (
            [f"0.mp4,{FALL},train", "1.mp4,,,test"],
            (f"{PREPARATION},motion,encode,finetune",),
            1,
            "no description of a test video is accepted",
            (1, 0),
        ),
        (["0.mp4,,,train"], ("caption.captioners=[existing]",), 1, "nothing is known", (0, 0)),
    ],
    ids=["test waits", "train waits", "only test", "preparation alone", "asked for by name", "nothing waits"],
)
def test_what_is_accepted_on_one_side_is_kept_and_the_run_says_what_lacks(
    project, with_videos, rows, command, status, says, counts
):
    with_videos(project, len(rows), rows)
    settings = [FOLDER, *(one for one in command if "=[" in one)]
    named = [one for one in command if one.startswith("--")]
    done = _kedro(project, *named, "--params", ",".join(settings), check=False)
    assert (done.returncode, says in done.stdout + " ".join(done.stderr.split())) == (status, True)
    annotations = project.records("03_primary/annotations.jsonl", "Annotation")
    assert tuple(sum(one.split == side for one in annotations) for side in ("train", "test")) == counts
    features = [path for path in _files(project) if "04_feature" in path.parts]
    assert bool(features) == (counts == (0, 2))  # of test videos alone features are made, too; nothing else is
    assert _files(project) == features


def test_another_runner_can_be_chosen(project):
    assert "Made in this run" in _kedro(project, "--runner=ThreadRunner", "--pipelines=ingest").stdout
