"""What `dvc.yaml` names: the files that a stage depends on are those that git has, and its settings can be changed by DVC."""

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from dvc.repo import Repo
from dvc.utils.hydra import apply_overrides
from pydantic import TypeAdapter

from hawk_pipelines.config_loader import CONFIG_LOADER_ARGS, ConfigLoader
from hawk_pipelines.training.tracking import flat
from tests.conftest import ROOT
from tests.test_settings import TYPES

DESCRIBED = yaml.safe_load((ROOT / "dvc.yaml").read_text())
STAGES = DESCRIBED["stages"]
PARAMETERS = sorted({file for stage in STAGES.values() for entry in stage["params"] for file in entry})
LITTER = (
    "__pycache__/run.cpython-313.pyc",
    "left.pyc",
    ".ipynb_checkpoints/run-checkpoint.py",
    "run.py~",
    ".run.py.swp",
    "#run.py#",
    ".DS_Store",
    ".pytest_cache/README.md",
    ".mypy_cache/3.11/run.json",
    ".ruff_cache/0.17/1",
    "model.part",
    ".idea/workspace.xml",
    ".nfs000000",
)
"""What tools leave beside code."""


def _names(entries: list) -> list[str]:
    return [name for entry in entries for name in (entry if isinstance(entry, dict) else [entry])]


DEPENDENCIES = {name for stage in STAGES.values() for name in stage["deps"]}
FOLDERS = sorted(name for name in DEPENDENCIES if (ROOT / name).is_dir() and name != "data/01_raw/synthetic")


def _in_git(*places: str) -> list[str]:
    if not (ROOT / ".git").exists():
        pytest.skip("the project is no checkout of git's")
    listed = subprocess.run(["git", "ls-files", "-z", *places], cwd=ROOT, capture_output=True, text=True, check=True)
    return sorted(filter(None, listed.stdout.split("\0")))


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    """The files that git has, in a repository of DVC's, with what tools leave beside them."""
    folder = tmp_path_factory.mktemp("files")
    for name in _in_git(".dvcignore", "src", "conf", "data"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    for place in FOLDERS:
        for name in LITTER:
            (folder / place / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / place / name).write_text("left behind")
    with Repo.init(str(folder), no_scm=True) as repo:
        yield repo


@pytest.mark.parametrize("place", FOLDERS)
def test_a_stage_depends_on_the_files_that_git_has(repository, place):
    root = Path(repository.root_dir)
    counted = repository.dvcignore.find(repository.fs, str(root / place))
    assert sorted(Path(path).relative_to(root).as_posix() for path in counted) == _in_git(place)


def test_files_that_stages_depend_on_are_there_or_are_made():
    made = {name for stage in STAGES.values() for name in _names([*stage["outs"], *stage.get("metrics", [])])}
    missing = {name for stage in STAGES.values() for name in stage["deps"] if not (ROOT / name).exists()}
    assert missing <= made


def _settings(conf: Path) -> dict:
    found = ConfigLoader(conf_source=str(conf), **CONFIG_LOADER_ARGS)["parameters"]
    return {name: TypeAdapter(TYPES[name]).validate_python(value) if name in TYPES else value for name, value in found.items()}


@pytest.mark.parametrize("file", PARAMETERS)
def test_an_experiment_can_change_a_setting_and_leaves_the_others(tmp_path, file):
    """DVC refuses a file in which OmegaConf finds a resolver of Kedro's, and writes the others anew in its own words."""
    shutil.copytree(ROOT / "conf", tmp_path / "conf")
    path = tmp_path / file
    name, value = next((name, value) for name, value in flat(yaml.safe_load(path.read_text())).items() if isinstance(value, int))
    apply_overrides(path, [f"{name}={value}"])
    assert _settings(tmp_path / "conf") == _settings(ROOT / "conf")


def test_the_setting_that_an_experiment_changes_is_the_one_that_is_used(tmp_path):
    shutil.copytree(ROOT / "conf", tmp_path / "conf")
    before = _settings(tmp_path / "conf")["finetune"]
    apply_overrides(tmp_path / "conf/base/parameters_finetune.yml", ["finetune.steps=20"])
    assert _settings(tmp_path / "conf")["finetune"] == before.model_copy(update={"steps": 20})


def test_the_metric_is_the_headline_and_every_curve_is_made():
    assert [name for stage in STAGES.values() for name in _names(stage.get("metrics", []))] == ["data/08_reporting/headline.json"]
    made = [name for stage in STAGES.values() for name in _names(stage["outs"])]
    for plot in DESCRIBED["plots"]:
        sources = [plot] if isinstance(plot, str) else [file for value in plot.values() for file in value["y"]]
        assert all(any(source == name or source.startswith(f"{name}/") for name in made) for source in sources)
