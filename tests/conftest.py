"""What the tests share: small rendered videos, the outside folders, and a project of one's own to run."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

for name, value in {
    "DO_NOT_TRACK": "1",
    "HF_HUB_OFFLINE": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "TOKENIZERS_PARALLELISM": "false",
    "OMP_NUM_THREADS": "1",  # tests run beside each other; threads that wait for each other would stop both
    "DVC_NO_ANALYTICS": "1",
}.items():
    os.environ.setdefault(name, value)

# Tests start many processes. Where no bytecode may be written, each compiles all that it imports: ten seconds, each time.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent


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


class Project:
    """A copy of the project that a test may change and run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("conf", "src", "dvc.yaml", "pyproject.toml", ".telemetry", ".gitignore"):
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("*.pyc.*", "*.egg-info"))
            else:
                shutil.copy(source, folder / name)
        (folder / "data" / "01_raw" / "review").mkdir(parents=True)
        (folder / "data" / "01_raw" / "review" / ".gitkeep").touch()
        (folder / ".venv").mkdir()
        (folder / ".venv" / "bin").symlink_to(BIN)

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

    def smallest(self) -> "Project":
        """Settings with which everything takes seconds and the model learns nothing."""
        self.set("ingest", synthetic__train_videos=8, synthetic__test_videos=4)
        self.set("finetune", steps=3, batch_size=4, log_every=1)
        return self

    def run(self, *command: str, check: bool = True, suites: bool = False) -> subprocess.CompletedProcess:
        """Run a command of the environment in the project.

        Great Expectations takes five seconds to import, in every run: tables are held against their suites only where a test
        is about that.
        """
        environment = os.environ | {"COLUMNS": "200", "PYTHONPATH": str(self.folder / "src"), "NO_COLOR": "1"}
        environment["KEDRO_DATASET_VALIDATION"] = "1" if suites else "0"
        environment.pop("MLFLOW_TRACKING_URI", None)
        program = str(BIN / command[0])
        done = subprocess.run(
            [program, *command[1:]], cwd=self.folder, env=environment, capture_output=True, text=True, check=False
        )
        if check and done.returncode:
            pytest.fail(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}")
        return done

    def copy(self, folder: Path) -> "Project":
        """The same project, with all that was made in it, in another folder."""
        shutil.copytree(self.folder, folder, symlinks=True)
        other = Project.__new__(Project)
        other.folder = folder
        return other

    def records(self, name: str, record: str) -> list:
        """Rows of a table below data/."""
        from hawk_pipelines.datasets.records import RecordsDataset

        return RecordsDataset(filepath=str(self.folder / "data" / name), record=record).load()


@pytest.fixture(scope="session")
def small_run(tmp_path_factory) -> Project:
    """A project in which `kedro run` has run once, at its smallest. Read it; do not change it."""
    project = Project(tmp_path_factory.mktemp("project")).smallest()
    project.first = project.run("kedro", "run", suites=True)
    return project


@pytest.fixture
def copied(small_run, tmp_path) -> Project:
    """A copy of `small_run` that a test may change."""
    return small_run.copy(tmp_path / "project")


@pytest.fixture
def project(tmp_path) -> Project:
    """A fresh project that a test may change."""
    return Project(tmp_path).smallest()
