"""After the default run the model names who, what and where on videos that it never saw."""

import json

import pytest

from tests.conftest import Project


def sees(folder, parameters):
    """Slot accuracies, the frame AUC of what is scored along the videos, and figures by turn, after a whole run."""
    project = Project(folder)
    project.run("kedro", "run", "--params", parameters)
    reporting = project.folder / "data/08_reporting"
    figures = json.loads((reporting / "when.json").read_text())["figures"]
    auc = {one["scored"]: one["value"] for one in figures if one["metric"] == "frame_auc"}
    metrics = json.loads((reporting / "metrics.json").read_text())
    return metrics["slots"], auc, metrics["conversation"]


@pytest.mark.nightly
def test_what_only_motion_tells(tmp_path):
    slots, auc, conversation = sees(tmp_path, "ingest.synthetic.world=motion")
    assert auc["score"] >= 0.80
    assert auc["score"] > auc["flow"]
    assert slots["actor"]["accuracy"] >= 0.80
    assert slots["action"]["accuracy"] >= 0.60
    assert slots["normal"]["accuracy"] >= 0.90
    assert slots["normal"]["count"] == 200
    assert slots["normal"]["chance"] <= 0.70
    for turn in range(2, 6):  # a conversation holds
        figures = conversation[f"full_turn_{turn}"]
        assert figures["accuracy"] >= 0.9 * conversation["full_turn_1"]["accuracy"], turn
    short = conversation["short_later"]
    assert short["accuracy"] >= 0.85 * short["accuracy_alone"]
