import os
import shutil

import pytest


@pytest.fixture
def registry(tables, tmp_path):
    """A client of an MLflow registry of one's own, in SQLite, which is the active one while a test lasts."""
    import mlflow

    before = os.environ.get("MLFLOW_TRACKING_URI")
    shutil.copy(tables, tmp_path / "mlflow.db")
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    mlflow.set_tracking_uri(uri)
    client = mlflow.MlflowClient(uri)
    client.create_experiment("hawk", artifact_location=str(tmp_path / "artifacts"))
    yield client
    mlflow.set_tracking_uri(None)
    if before is not None:
        os.environ["MLFLOW_TRACKING_URI"] = before


@pytest.fixture
def a_run(registry):
    """Begin an MLflow run."""
    import mlflow

    return lambda: mlflow.start_run(experiment_id=registry.get_experiment_by_name("hawk").experiment_id)


@pytest.fixture
def new_version(registry, a_run, tmp_path):
    """Register a version of a model that is a folder with a configuration and weights of nothing: what it is called."""
    from hawk_pipelines.serving.registry import add_version

    folder, logged = tmp_path / "model", {}
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(b"")

    def add(name="hawk"):
        if name not in logged:
            with a_run():
                added = add_version(folder, name, ["mlflow"])
            logged[name] = added.model_id
            return added.number
        return str(registry.create_model_version(name, f"models:/{logged[name]}", model_id=logged[name]).version)

    return add
