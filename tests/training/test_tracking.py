import json
import shutil

from mlflow import MlflowClient

from hawk_pipelines.model.settings import LossSettings
from hawk_pipelines.training.journal import Journal, delivered
from hawk_pipelines.training.parameters import ValidationParameters
from hawk_pipelines.training.tracking import deliver_what_is_left, flat, training_run
from tests.training.made import EXPERIMENT, tracked


def _parent(client):
    return client.create_run(client.get_experiment_by_name(EXPERIMENT).experiment_id)


def test_settings_are_written_on_one_level():
    told = {"finetune": {"steps": 3, "losses": LossSettings()}, "validation": ValidationParameters(), "seed": 1}
    found = flat(told)
    assert found["finetune.steps"] == 3
    assert found["finetune.losses.video_motion"] == 0.1
    assert found["validation.patience"] is None
    assert found["seed"] == 1


def test_a_run_lies_below_its_pipeline_s_with_all_parameters(tmp_path, database):
    client = MlflowClient(database)
    parent, told = _parent(client), {f"a.{number}": "x" * 600 for number in range(150)}
    with training_run("pretrain", tmp_path, parent, told, database) as run_id:
        assert client.get_run(run_id).info.status == "RUNNING"
    run = client.get_run(run_id)
    assert run.data.params == dict.fromkeys(told, "x" * 500)
    assert (run.info.run_name, run.data.tags["stage"]) == ("pretrain", "pretrain")
    assert run.data.tags["mlflow.parentRunId"] == parent.info.run_id
    assert run.info.status == "FINISHED"
    assert tracked(tmp_path) == run_id
    assert (tmp_path / "mlflow_run.json").stat().st_mode & 0o77 == 0  # the address may hold a password


def test_it_is_found_again_below_another_parent_with_how_it_is_launched_now(tmp_path, database):
    """Parameters that may change between starts, such as the number of processes, do not stand in the way."""
    client = MlflowClient(database)
    one, two = _parent(client), _parent(client)
    with training_run("finetune", tmp_path, one, {"finetune.log_every": 5, "seed": 1}, database) as first:
        pass
    with training_run("finetune", tmp_path, two, {"finetune.log_every": 50, "seed": 1}, database) as second:
        pass
    assert second == first
    run = client.get_run(first)
    assert run.data.tags["mlflow.parentRunId"] == two.info.run_id
    assert run.data.params == {"finetune.log_every": "5", "seed": "1"}  # as it began
    assert run.data.tags["resumed.finetune.log_every"] == "50"


def test_what_an_earlier_training_could_not_deliver_is_delivered(tmp_path, database, caplog):
    """A training that is damaged does not stand in the way of the others."""
    caplog.set_level("INFO")
    client = MlflowClient(database)
    for name in ("finetune-1", "finetune-2", "pretrain-3"):
        (tmp_path / name).mkdir()
        run_id = _parent(client).info.run_id
        (tmp_path / name / "mlflow_run.json").write_text(json.dumps({"run_id": run_id, "tracking_uri": database}))
        book = Journal(tmp_path / name / "journal.jsonl")
        book.numbers("training", 1, {"loss": 1.0})
        book.close()
    lost = tracked(tmp_path / "finetune-1")
    (tmp_path / "finetune-1" / "mlflow_run.json").write_text("{")
    deliver_what_is_left(tmp_path, "http://127.0.0.1:9")  # a training keeps its own server
    assert "Measurements in " in caplog.text
    assert client.get_metric_history(lost, "loss") == []
    for name in ("finetune-2", "pretrain-3"):
        assert [one.value for one in client.get_metric_history(tracked(tmp_path / name), "loss")] == [1.0]
        path = tmp_path / name / "journal.jsonl"
        assert delivered(path, tracked(path.parent)) == path.stat().st_size


def test_in_a_moved_project_it_goes_to_the_database_that_came_along(tmp_path, database):
    run_id = _parent(MlflowClient(database)).info.run_id
    (tmp_path / "finetune-1").mkdir()
    gone = tmp_path / "where it was"
    facts = {"run_id": run_id, "tracking_uri": f"sqlite:///{gone}/mlflow.db"}
    (tmp_path / "finetune-1" / "mlflow_run.json").write_text(json.dumps(facts))
    book = Journal(tmp_path / "finetune-1" / "journal.jsonl")
    book.numbers("training", 1, {"loss": 1.0})
    book.close()
    deliver_what_is_left(tmp_path, database)
    assert [one.value for one in MlflowClient(database).get_metric_history(run_id, "loss")] == [1.0]
    assert not gone.exists()


def test_what_is_not_delivered_is_not_removed(made, database, caplog, monkeypatch):
    """The server was gone at the end of a training whose model was taken, and is still gone."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    first = made.train(made.job(steps=2), database)
    folder = first.parent
    facts = json.loads((folder / "mlflow_run.json").read_text())
    (folder / "mlflow_run.json").write_text(json.dumps(facts | {"tracking_uri": "http://127.0.0.1:9"}))
    (folder / "journal.delivered").unlink()
    shutil.rmtree(first)
    second = made.train(made.job(steps=3), database)
    assert (folder / "journal.jsonl").is_file()
    assert "are still not in MLflow" in caplog.text
    (folder / "mlflow_run.json").write_text(json.dumps(facts))
    shutil.rmtree(second)
    made.train(made.job(steps=4), database)
    assert not folder.exists()
