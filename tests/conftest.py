"""What the tests share: small rendered videos, the outside folders, and a project of one's own to run."""

import fcntl
import gc
import os
import pickle
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import pytest
import yaml

from tests.prefork import TERMINAL
from tests.prefork import run as prefork_run

for name, value in {
    "DO_NOT_TRACK": "1",
    "HF_HUB_OFFLINE": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "TOKENIZERS_PARALLELISM": "false",
    "GOMP_SPINCOUNT": "1000",  # as the commands set it, which is too late where torch is imported already
    "OMP_NUM_THREADS": "1",  # tests run beside each other; threads that wait for each other would stop both
    "DVC_NO_ANALYTICS": "1",
}.items():
    os.environ.setdefault(name, value)

# Tests start many processes. Where no bytecode may be written, each compiles all that it imports: ten seconds, each time.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """MLflow hands the server that a test has set on to every process that a later test starts: it is forgotten between them."""
    os.environ.pop("MLFLOW_TRACKING_URI", None)


def _outside(variable: str, default: str) -> Path:
    folder = Path(os.environ.get(variable, ROOT / default))
    if not folder.is_dir():
        pytest.skip(
            f"{variable} names no folder ({folder}): these tests read real clips and reference numbers from outside the project"
        )
    return folder


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Real clips and annotations, where they are at hand."""
    return _outside("HAWK_TEST_DATA", "../shared/data")


@pytest.fixture(scope="session")
def golden() -> Path:
    """Numbers of the reference, with pictures of clips, where they are at hand."""
    return _outside("HAWK_TEST_GOLDEN", "../shared/golden")


@pytest.fixture(scope="session")
def rendered(tmp_path_factory):
    """A few rendered videos of the motion world: what the source found."""
    from hawk_pipelines.sources.synthetic import SyntheticParameters, read

    folder = tmp_path_factory.mktemp("synthetic")
    parameters = SyntheticParameters(train_videos=4, test_videos=2, folder=folder)
    return read(parameters, seed=0, workers=0).videos


def _start(program: Path, arguments: list[str], folder: Path, environment: dict[str, str]) -> subprocess.CompletedProcess:
    return subprocess.run([program, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False)


class Project:
    """A copy of the project that a test may change and run."""

    environment: Mapping[str, str] = MappingProxyType({})
    """Variables for its commands, beside those of the tests."""

    def __init__(self, folder: Path, own_code: bool = False) -> None:
        """Args:
        folder: where it is put.
        own_code: whether the test changes the code, too; otherwise it is a link to the one that is tested.
        """
        self.folder = folder
        shutil.copytree(ROOT / "conf", folder / "conf")
        for name in ("dvc.yaml", ".dvcignore", "pyproject.toml", ".telemetry", ".gitignore"):
            shutil.copy(ROOT / name, folder / name)
        if own_code:
            shutil.copytree(ROOT / "src", folder / "src", ignore=shutil.ignore_patterns("*.pyc.*", "*.egg-info"))
        else:
            (folder / "src").mkdir()
            for name in ("hawk_pipelines", "hawk_mlflow.py"):
                (folder / "src" / name).symlink_to(ROOT / "src" / name)
        (folder / "data" / "01_raw" / "review").mkdir(parents=True)
        (folder / "data" / "01_raw" / "review" / ".gitkeep").touch()
        (folder / ".venv").mkdir()
        (folder / ".venv" / "bin").symlink_to(BIN)

    @classmethod
    def of(cls, folder: Path) -> "Project":
        """The project that is in a folder already."""
        project = cls.__new__(cls)
        project.folder = folder
        return project

    def set(self, pipeline: str, **values: object) -> None:
        """Change settings in conf/base; `a__b` is b below a."""
        path = self.folder / "conf" / "base" / f"parameters_{pipeline}.yml"
        settings = yaml.safe_load(path.read_text())
        for name, value in values.items():
            *above, last = name.split("__")
            place = settings[pipeline]
            for part in above:
                place = place[part]
            place[last] = value
        path.write_text(yaml.safe_dump(settings))

    def _set_engine(self, **values: object) -> None:
        path = self.folder / "conf" / "base" / "parameters.yml"
        settings = yaml.safe_load(path.read_text())
        settings["engine"] |= values
        path.write_text(yaml.safe_dump(settings))

    def smallest(self) -> "Project":
        """Settings with which everything takes seconds and the model learns nothing."""
        self.set("ingest", synthetic__train_videos=8, synthetic__test_videos=4)
        self.set("finetune", steps=3, batch_size=4, log_every=1)
        self.set("finetune", launch__threads=1)  # tests run beside each other
        self._set_engine(workers=0)  # of a dozen items most would be the start of the workers
        self.set("register", force="what has learned nothing passes no gate")
        return self

    def with_tables(self, tables: Path) -> "Project":
        """Where MLflow's tables are made already (see `tables`)."""
        shutil.copy(tables, self.folder / "mlflow.db")
        return self

    def run(
        self, *command: str, check: bool = True, suites: bool = False, prefork: bool = True, below: str = "."
    ) -> subprocess.CompletedProcess:
        """Run a command of the environment in the project; without `prefork` in a new interpreter (see `tests.prefork`).

        Great Expectations takes five seconds to import, in every run: tables are held against their suites only where a test
        is about that.
        """
        environment = os.environ | TERMINAL | {"PYTHONPATH": str(self.folder / "src")}
        environment["KEDRO_DATASET_VALIDATION"] = "1" if suites else "0"
        environment.pop("MLFLOW_TRACKING_URI", None)
        environment |= self.environment
        start = prefork_run if prefork else _start
        done = start(BIN / command[0], list(command[1:]), self.folder / below, environment)
        if check and done.returncode:
            pytest.fail(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}")
        return done

    def copy(self, folder: Path) -> "Project":
        """The same project, with all that was made in it, in another folder."""
        shutil.copytree(self.folder, folder, symlinks=True)
        return Project.of(folder)

    def records(self, name: str, record: str) -> list:
        """Rows of a table below data/."""
        from hawk_pipelines.datasets.records import RecordsDataset

        return RecordsDataset(filepath=str(self.folder / "data" / name), record=record).load()


def _of_all_workers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@pytest.fixture(scope="session")
def tables(tmp_path_factory) -> Path:
    """An MLflow database without runs, to be copied: making the tables takes longer than many a test."""
    place = _of_all_workers(tmp_path_factory) / "tables.db"
    with place.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not place.exists():
            from mlflow import MlflowClient

            unfinished = place.with_suffix(".part")
            MlflowClient(f"sqlite:///{unfinished}").search_experiments()
            unfinished.replace(place)
    return place


@pytest.fixture(scope="session")
def small_run(tmp_path_factory) -> Project:
    """A project in which `kedro run` has run once, at its smallest. Read it; do not change it: all pytest workers share it."""
    folder = _of_all_workers(tmp_path_factory) / "small_run"
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # the first worker makes it; another one that wants it meanwhile waits
        told = folder.with_suffix(".pickle")
        if not told.exists():
            shutil.rmtree(folder, ignore_errors=True)  # what is left where it failed in the other worker
            folder.mkdir()
            first = Project(folder).smallest().run("kedro", "run", "--params", "engine.workers=2", suites=True, prefork=False)
            told.write_bytes(pickle.dumps(first))
    project = Project.of(folder)
    project.first = pickle.loads(told.read_bytes())  # noqa: S301
    return project


@pytest.fixture
def copied(small_run, tmp_path) -> Project:
    """A copy of `small_run` that a test may change."""
    return small_run.copy(tmp_path / "project")


@pytest.fixture
def empty_project(tmp_path) -> Project:
    """A project in which nothing was ever run, as it is after a clone."""
    return Project(tmp_path).smallest()


@pytest.fixture
def project(empty_project, tables) -> Project:
    """A fresh project that a test may change; MLflow's tables are made."""
    return empty_project.with_tables(tables)


def pytest_collection_finish() -> None:
    """What the tests import stays: without this, a fifth of their time goes into looking for garbage among it."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whole runs come first, of these the longest; the small tests fill up the time that a worker has left at the end."""
    items.sort(key=lambda item: (item.path.parent != ROOT / "tests", not item.path.stem.endswith("_world")))
