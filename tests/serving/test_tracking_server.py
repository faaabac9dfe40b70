import pytest

from hawk_pipelines.serving.tracking_server import records_folder, tracking_uri, with_server
from tests.conftest import ROOT

SETTINGS = {"tracking": {"experiment": {"create_experiment_kwargs": {"artifact_location": "mlartifacts"}}}}


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project and a copy of it that DVC has made for an experiment."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    for folder in (tmp_path, tmp_path / ".dvc/tmp/exps/tmp1"):
        (folder / "conf/base").mkdir(parents=True)
        (folder / "conf/base/mlflow.yml").write_text((ROOT / "conf/base/mlflow.yml").read_text())
    return tmp_path


def test_records_of_an_experiment_are_those_of_the_project_that_was_copied(project, monkeypatch):
    copy = project / ".dvc/tmp/exps/tmp1"
    assert records_folder(copy) == copy  # nobody said that it is a copy
    monkeypatch.setenv("DVC_ROOT", str(project))
    assert records_folder(copy) == project
    assert records_folder(project) == project
    assert tracking_uri(None, copy) == tracking_uri(None, project) == f"sqlite:///{project}/mlflow.db"
    monkeypatch.chdir(copy)
    assert tracking_uri() == f"sqlite:///{project}/mlflow.db"
    (project / "conf/local").mkdir()
    (project / "conf/local/mlflow.yml").write_text("server: {mlflow_tracking_uri: 'sqlite:///other.db'}")
    assert tracking_uri() == f"sqlite:///{project}/other.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:5000")
    assert tracking_uri() == "http://127.0.0.1:5000"


def test_another_project_is_no_copy(project, monkeypatch, tmp_path_factory):
    monkeypatch.setenv("DVC_ROOT", str(project))
    other = tmp_path_factory.mktemp("other")
    assert records_folder(other) == other


@pytest.mark.parametrize(
    ("uri", "location"),
    [("sqlite:////a/mlflow.db", "/project/mlartifacts"), ("http://127.0.0.1:5000", None), ("https://server", None)],
)
def test_files_of_runs_lie_in_the_project_or_where_the_server_keeps_them(uri, location, tmp_path):
    made = with_server(SETTINGS, uri, tmp_path / "project")
    kept = made["tracking"]["experiment"]["create_experiment_kwargs"].get("artifact_location")
    assert kept == (location and f"{tmp_path}{location}")
    assert made["server"] == {"mlflow_tracking_uri": uri}
    assert SETTINGS["tracking"]["experiment"]["create_experiment_kwargs"] == {"artifact_location": "mlartifacts"}


def test_a_location_of_files_that_says_its_scheme_is_left(tmp_path):
    settings = {"tracking": {"experiment": {"create_experiment_kwargs": {"artifact_location": "s3://bucket/x"}}}}
    for uri in ("sqlite:////a/mlflow.db", "https://server"):
        assert with_server(settings, uri, tmp_path)["tracking"] == settings["tracking"]
