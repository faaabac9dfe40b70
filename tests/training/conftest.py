import gc
import shutil

import pytest

from tests.model.llama import save_llama
from tests.training.made import EXPERIMENT, Given, given


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
