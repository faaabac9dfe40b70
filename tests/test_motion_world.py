"""After the default run the model names who, what and where on videos that it never saw."""

import json

import pytest

from tests.conftest import Project


def sees(folder, parameters):
    """Slot accuracies, and the frame AUC of what is scored along the videos, after a whole run."""
    project = Project(folder)
    project.run("kedro", "run", "--params", parameters)
    reporting = project.folder / "data/08_reporting"
    figures = json.loads((reporting / "when.json").read_text())["figures"]
    auc = {one["scored"]: one["value"] for one in figures if one["metric"] == "frame_auc"}
    return json.loads((reporting / "metrics.json").read_text())["slots"], auc


@pytest.mark.slow
def test_what_only_motion_tells(tmp_path):
    slots, auc = sees(tmp_path, "ingest.synthetic.world=motion")
    assert auc["score"] >= 0.80
    assert auc["score"] > auc["flow"]
    assert slots["actor"]["accuracy"] >= 0.80
    assert slots["action"]["accuracy"] >= 0.60
    assert slots["normal"]["accuracy"] >= 0.90
    assert slots["normal"]["count"] == 200
    assert slots["normal"]["chance"] <= 0.70
