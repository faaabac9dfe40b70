"""HAWK at its published size, counted without allocating it."""

import subprocess
import sys

import pytest
import torch
import yaml
from transformers import LlamaConfig

from hawk_pipelines.model.configuration import paper_sizes
from hawk_pipelines.model.frame_encoders.blip2 import Blip2FrameEncoder
from hawk_pipelines.model.hawk import HawkForConditionalGeneration
from hawk_pipelines.model.settings import ModelSettings
from hawk_pipelines.pipelines.encode.parameters import EncodeParameters
from hawk_pipelines.training.build import qformer_sizes
from hawk_pipelines.training.parameters import FinetuneParameters
from hawk_pipelines.video.streams import StreamParameters
from tests.conftest import ROOT


def _count(module):
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.fixture(scope="module")
def model():
    text = LlamaConfig(vocab_size=32000, max_position_embeddings=4096)
    config = paper_sizes(text)
    with torch.device("meta"):
        return HawkForConditionalGeneration(config)


def test_a_branch_has_56_715_520_parameters(model):
    for branch in (model.appearance, model.motion):
        assert _count(branch) == 56_715_520
        assert _count(branch.video_qformer) == 18_905_088
        assert branch.query_tokens.numel() == branch.frame_positions.weight.numel() == 24_576
        assert _count(branch.trunk[0]) == 3_149_824
        assert _count(branch.trunk[1]) + _count(branch.projection) + _count(branch.compression) == 34_611_456


def test_the_language_model_has_7_billion(model):
    assert _count(model.language_model) == 6_738_415_616


def test_sharing_the_frame_encoder_saves_two_gigabytes():
    """The public code holds it twice, once for each branch: in half precision 2.18 GB more than ours."""
    with torch.device("meta"):
        encoder = Blip2FrameEncoder()
    assert _count(encoder.vision_model) == 985_952_256
    assert _count(encoder.qformer) == 105_137_664
    assert 2 * _count(encoder) == 2_182_228_992


@pytest.mark.parametrize("environment", ["smol", "paper"])
def test_an_environments_settings_are_complete_and_known(environment):
    kinds = {"encode": EncodeParameters, "motion": StreamParameters, "model": ModelSettings, "finetune": FinetuneParameters}
    for name, kind in kinds.items():
        said = yaml.safe_load((ROOT / f"conf/{environment}/parameters_{name}.yml").read_text())
        kind.model_validate(said[name])
        assert list(said) == [name]


def test_conf_paper_is_the_published_model(model):
    said = yaml.safe_load((ROOT / "conf/paper/parameters_model.yml").read_text())["model"]
    branches = ModelSettings.model_validate(said).branches
    ours = model.config.qformer_config.to_dict()
    for name, value in qformer_sizes(branches, token_width=768).items():
        assert ours[name] == value, name
    assert (branches.queries, branches.compression_width) == (model.config.queries, model.config.compression_width)
    assert yaml.safe_load((ROOT / "conf/paper/parameters_motion.yml").read_text())["motion"]["frames"] == 32


def test_the_benchmark_at_paper_size_needs_few_packages():
    """It runs on bare GPU machines: torch, transformers, numpy and safetensors are enough."""
    blocked = ("pydantic", "cv2", "av", "peft", "kedro", "mlflow", "spacy", "pandas", "pyarrow", "sacrebleu", "click")
    code = f"import sys; sys.modules.update(dict.fromkeys({blocked})); sys.path.insert(0, 'benchmarks'); import paper_size"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
