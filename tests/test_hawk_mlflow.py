"""MLflow finds the programs beside its Python."""

import os
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

CODE = (
    "import os, sys, hawk_mlflow; hawk_mlflow.ProgramsBesidePython(); print(os.environ['PATH'], 'hawk_pipelines' in sys.modules)"
)
BESIDE, FROM = str(Path(sys.executable).parent), f"{sys.base_prefix}/bin"


@pytest.mark.skipif(sys.prefix == sys.base_prefix, reason="no virtual environment")
@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("/usr/bin:/bin", f"{BESIDE}:/usr/bin:/bin:{FROM}"),
        (f"/usr/bin:{BESIDE}", f"/usr/bin:{BESIDE}:{FROM}"),  # activated
        (f"{FROM}:/usr/bin", f"{BESIDE}:{FROM}:/usr/bin"),
    ],
)
def test_programs_of_the_environment_come_first_unless_it_is_activated(before, after):
    """The package itself is not imported: a registered version brings its own."""
    environment = {"PATH": before, "PYTHONPATH": os.environ.get("PYTHONPATH", "")}
    done = subprocess.run([sys.executable, "-c", CODE], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == [after, "False"]


def test_mlflow_loads_it():
    (entry,) = [entry for entry in entry_points(group="mlflow.run_context_provider") if entry.name == "hawk"]
    provider = entry.load()()
    assert not provider.in_context()
    assert provider.tags() == {}
