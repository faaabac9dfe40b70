"""After the default run the model names who, what and where on videos that it never saw."""

import json

import pytest

from tests.conftest import Project

pytestmark = pytest.mark.slow


def _slots(tmp_path, parameters):
    project = Project(tmp_path)
    project.run("kedro", "run", "--params", parameters)
    return json.loads((project.folder / "data/08_reporting/metrics.json").read_text())["slots"]


def test_in_the_motion_world(tmp_path):
    slots = _slots(tmp_path, "ingest.synthetic.world=motion")
    assert slots["actor"]["accuracy"] >= 0.80
    assert slots["action"]["accuracy"] >= 0.60
    assert slots["normal"]["accuracy"] >= 0.90
    assert slots["normal"]["count"] == 200
    assert slots["normal"]["chance"] <= 0.70


def test_in_the_appearance_world(tmp_path):
    """A fifth of the default training is enough for what a single frame shows."""
    slots = _slots(tmp_path, "ingest.synthetic.world=appearance,finetune.steps=600")
    assert slots["normal"]["accuracy"] >= 0.85
