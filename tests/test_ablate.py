"""`kedro run --pipelines=ablate`: variants, their MLflow runs, and what is not done again."""

import json

import mlflow

VARIANTS = {
    "full": {},
    "no_motion": {"model.branches.motion": False},
    "hard_mask": {"encode.mask": "hard"},
    "diverges": {"finetune.learning_rate": 1e30},
    "in_the_way": {},
}


def _runs(project):
    client = mlflow.MlflowClient(f"sqlite:///{project.folder}/mlflow.db")
    experiment = client.get_experiment_by_name("hawk").experiment_id
    return client, client.search_runs([experiment], "tags.variant LIKE '%'")


def test_variants_are_trained_once_compared_and_found_in_mlflow(copied):
    copied.set("ablate", seeds=[5], at_a_time=1, variants=VARIANTS)
    trainings = copied.folder / "data/06_models/ablations"
    trainings.mkdir(parents=True)
    (trainings / "in_the_way-5").write_text("where the folder of a training should be: no fault that we foresaw")
    run = copied.run("kedro", "run", "--pipelines=ablate")
    assert "ablate: diverges, seed 5 came to nothing." in " ".join((run.stdout + run.stderr).split())
    assert "ablate: in_the_way, seed 5 came to nothing." in " ".join((run.stdout + run.stderr).split())
    assert "Next: make ui" in run.stdout

    client, runs = _runs(copied)
    assert {one.data.tags["variant"] for one in runs} == set(VARIANTS) - {"in_the_way"}
    assert {one.data.tags["seed"] for one in runs} == {"5"}
    assert {one.data.tags["stage"] for one in runs} == {"finetune"}
    (parent,) = {one.data.tags["mlflow.parentRunId"] for one in runs}
    told = {one.data.tags["variant"]: one for one in runs}
    assert told["diverges"].info.status == "FAILED"
    assert told["no_motion"].data.params["model.branches.motion"] == "False"
    assert {"loss", "description.bleu_4", "question.rouge_l", "slots.actor.accuracy"} <= set(told["hard_mask"].data.metrics)
    artifacts = {one.path for one in client.list_artifacts(parent)}
    assert {"ablations.md", "ablations.png", "failed_cells.json"} <= artifacts

    table = (copied.folder / "data/08_reporting/ablations.md").read_text()
    shown = [[cell.strip() for cell in line.split("|")[1:4]] for line in table.splitlines()[4:] if line[:1] == "|"]
    assert [tuple(row[:2]) for row in shown] == [  # as in the file
        ("diverges", "0 of 1"),
        ("full", "1"),
        ("hard_mask", "1"),
        ("in_the_way", "0 of 1"),
        ("no_motion", "1"),
    ]
    assert {row[2] for row in shown if row[1] != "1"} == {"–"}
    sentence = table.rstrip("\n").splitlines()[-1]
    assert sentence.startswith("The differences of `hard_mask`, `no_motion` are of one seed, so they have no interval")
    assert sentence in run.stdout
    answers = copied.records("07_model_output/ablation_predictions.parquet", "Ablated")
    tested = copied.records("07_model_output/predictions.parquet", "Prediction")
    asked = len({(one.item_id, one.task, one.question) for one in tested if one.model == "hawk"})
    assert [(one.variant, one.seed) for one in answers[::asked]] == [("full", 5), ("hard_mask", 5), ("no_motion", 5)]

    # With the one that failed left out everything is there already.
    copied.set("ablate", variants={name: VARIANTS[name] for name in ("full", "no_motion", "hard_mask")})
    before = _written(copied)
    copied.run("kedro", "run", "--pipelines=ablate")
    assert _written(copied) == before
    assert len(_runs(copied)[1]) == len(VARIANTS) - 1
    again = (copied.folder / "data/08_reporting/ablations.md").read_text()
    assert again.splitlines() == [line for line in table.splitlines() if "0 of 1" not in line]


def _written(project):
    """What trainings measured and what their models answered, with the times."""
    cells = (project.folder / "data/06_models/ablations").glob("*/finetune-*/*")
    kept = [path for path in cells if path.name == "journal.jsonl" or path.name.startswith("answers-")]
    assert len(kept) >= 6
    assert all(json.loads(line) for path in kept for line in path.read_text().splitlines())
    return {path: path.stat().st_mtime_ns for path in kept}
