import fcntl
import gc
import os
import shutil

import pytest

from tests.model.llama import save_llama
from tests.training.made import EXPERIMENT, Given, given


@pytest.fixture(scope="session")
def tables(tmp_path_factory):
    """An MLflow database without runs: making the tables takes longer than the training of a test, so it is done once for all."""
    own = tmp_path_factory.getbasetemp()
    place = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "training_tables.db"
    with place.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not place.exists():
            from mlflow import MlflowClient

            made = place.with_suffix(".part")
            MlflowClient(f"sqlite:///{made}").search_experiments()
            made.replace(place)
    return place


@pytest.fixture(scope="session")
def database(tables, tmp_path_factory):
    """Where the runs of these tests are kept: an SQLite database and a folder of artifacts."""
    from mlflow import MlflowClient

    import hawk_pipelines.training.run

    assert hawk_pipelines.training.run
    gc.collect()
    gc.freeze()  # every training ends with a collection, which looks through all that was imported: half of a test's time

    folder = tmp_path_factory.mktemp("mlflow")
    shutil.copy(tables, folder / "mlflow.db")
    uri = f"sqlite:///{folder}/mlflow.db"
    MlflowClient(uri).create_experiment(EXPERIMENT, artifact_location=(folder / "artifacts").as_uri())
    return uri


@pytest.fixture
def made(tmp_path) -> Given:
    """Twelve items of six source videos."""
    return given(tmp_path)


@pytest.fixture(scope="session")
def llama(tmp_path_factory):
    """A folder with a small Llama of random weights and a chat tokenizer, as `save_pretrained` writes them."""
    return save_llama(tmp_path_factory.mktemp("llama"), 32)
