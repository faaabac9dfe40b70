"""Another model than that of the default run, by parameters."""

import json

import pytest

import hawk_pipelines


@pytest.mark.slow
def test_ablations_are_parameters(project):
    """Without the motion branch, times told, one term switched off, another motion text: trained, scored and asked."""
    parameters = "model.branches.motion=false,model.prompt.tell_times=true,finetune.losses.motion_language=0"
    project.run("kedro", "run", "--params", f"{parameters},validate.motion_text=published")
    config = json.loads((project.folder / "data/06_models/finetuned_model/config.json").read_text())
    assert not config["motion_branch"]
    assert config["prompt"]["tell_times"]
    samples = project.records("05_model_input/train_samples.jsonl", "Sample")
    assert any(" at " not in sample.motion_text and sample.motion_text for sample in samples)
    video = project.records("02_intermediate/videos.parquet", "Video")[0].path
    assert isinstance(
        hawk_pipelines.load(project.folder / "data/06_models/finetuned_model").ask(project.folder / video, "Who?"), str
    )
