"""After the default run the model names who, what and where on videos that it never saw."""

import json

import pytest

from tests.conftest import Project

pytestmark = pytest.mark.slow


def _run(tmp_path, parameters):
    """Slot accuracies, and the frame AUC of what is scored along the videos."""
    project = Project(tmp_path)
    project.run("kedro", "run", "--params", parameters)
    reporting = project.folder / "data/08_reporting"
    figures = json.loads((reporting / "when.json").read_text())["figures"]
    auc = {one["scored"]: one["value"] for one in figures if one["metric"] == "frame_auc"}
    return json.loads((reporting / "metrics.json").read_text())["slots"], auc


def test_in_the_motion_world(tmp_path):
    slots, auc = _run(tmp_path, "ingest.synthetic.world=motion")
    assert auc["score"] >= 0.80
    assert auc["score"] > auc["flow"]
    assert slots["actor"]["accuracy"] >= 0.80
    assert slots["action"]["accuracy"] >= 0.60
    assert slots["normal"]["accuracy"] >= 0.90
    assert slots["normal"]["count"] == 200
    assert slots["normal"]["chance"] <= 0.70


def test_in_the_appearance_world(tmp_path):
    """Half of the default training is enough for what a single frame shows."""
    slots, _ = _run(tmp_path, "ingest.synthetic.world=appearance,finetune.steps=600")
    assert slots["normal"]["accuracy"] >= 0.85
