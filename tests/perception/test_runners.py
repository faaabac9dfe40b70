"""The runners as real processes. The research tools themselves are not at hand: small modules of their names stand in for them,
with as much of their interfaces as the runners use."""

import json
import sys

import pytest

from hawk_pipelines.engine.run import EngineParameters
from hawk_pipelines.engine.store import ItemStore
from hawk_pipelines.perception import captioning, grit, internvideo, tag2text
from hawk_pipelines.perception.captioner import Seen
from tests.perception.clips import clip, video, written

TORCH = """
from contextlib import nullcontext as no_grad
bfloat16 = "bfloat16"
class Tensor(list):
    dtype = "float32"
    def to(self, where): return self
    def unsqueeze(self, axis): return Tensor([self])
def stack(tensors): return Tensor(tensors)
"""
STAND_INS = {
    "torch.py": TORCH,
    "ram/__init__.py": """
import torch
print("Loading tags ...")
def get_transform(image_size): return lambda image: torch.Tensor(image.size)
def inference_tag2text(image, model, tags): return "tags", None, f"a picture above {model.threshold} {list(image[0])}"
""",
    "ram/models.py": """
class Model:
    def eval(self): return self
    def to(self, device): assert device == "cpu"; return self
def tag2text(pretrained, image_size, vit, delete_tag_index):
    open(pretrained).read()
    return Model()
""",
    "centernet/config.py": "def add_centernet_config(config): pass",
    "grit/config.py": "def add_grit_config(config): config.grit = True",
    "detectron2/config.py": """
from types import SimpleNamespace as Space
def get_cfg():
    return Space(MODEL=Space(ROI_HEADS=Space()), merge_from_file=lambda path: open(path).read(), freeze=lambda: None)
""",
    "detectron2/data/detection_utils.py": "def read_image(path, format): return path",
    "detectron2/engine/defaults.py": """
from types import SimpleNamespace as Space
class DefaultPredictor:
    def __init__(self, config): assert config.MODEL.TEST_TASK == "DenseCap" and config.grit
    def __call__(self, image):
        number = int(image.rpartition("/")[2].partition(".")[0])
        texts = ["a man on the street", f"a car, seen {number} times", "a lamp"]
        found = Space(pred_object_descriptions=Space(data=texts), scores=[0.9, 0.8, 0.6])
        found.to = lambda device: found
        return {"instances": found}
""",
    "torchvision/__init__.py": "",
    "torchvision/transforms.py": """
from types import SimpleNamespace as Space
InterpolationMode = Space(BICUBIC=3)
def Resize(size, interpolation): return lambda image: image.resize(size)
def ToTensor(): return lambda image: image.size
def Normalize(mean, std): return lambda size: size
def Compose(steps):
    def run(image):
        for step in steps: image = step(image)
        return image
    return run
""",
    "transformers.py": """
class Model:
    dtype = "bfloat16"
    def eval(self): return self
    def to(self, device): return self
    def chat(self, tokenizer, frames, question, generation, num_patches_list):
        assert question.count("<image>") == len(frames) == len(num_patches_list)
        return f"{len(frames)} frames of {frames[0]}."
class AutoModel:
    @staticmethod
    def from_pretrained(folder, **settings): return Model()
AutoTokenizer = AutoModel
""",
}


@pytest.fixture
def python(tmp_path):
    """A Python in whose environment the stand-ins are installed."""
    for name, text in STAND_INS.items():
        path = tmp_path / "installed" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    program = tmp_path / "python"
    program.write_text(f'#!/bin/sh\nPYTHONPATH={tmp_path / "installed"} exec {sys.executable} "$@"\n')
    program.chmod(0o755)
    return program


def caption(tool, tmp_path, python, **settings):
    path, content = written(tmp_path)
    whole = video(path, video_id=content, frames=20)
    clips = [Seen(clip(start, start + 10, video_id=content), whole) for start in (0, 10)]
    parameters = tool.Parameters(python=python, device="cpu", frames=2, start_timeout_s=30, **settings)
    stores = ItemStore(tmp_path / "signals"), ItemStore(tmp_path / "captions")
    return captioning.caption_all(tool, parameters, clips, {}, *stores, EngineParameters())


def test_tag2text(tmp_path, python):
    (tmp_path / "tag2text.pth").write_text("weights")
    made = caption(tag2text, tmp_path, python, checkpoint=tmp_path / "tag2text.pth", longest=64)
    assert not made.rejections
    assert [(said.start_s, said.end_s, said.text) for said in made.captions] == [  # what stays is one caption
        (0.0, 1.0, "a picture above 0.68 [64, 48]"),
        (1.0, 2.0, "a picture above 0.68 [64, 48]"),
    ]
    assert made.captions[0].version.startswith("swin_b ")


def test_grit(tmp_path, python):
    (tmp_path / "grit.pth").write_text("weights")
    (tmp_path / "grit.yaml").write_text("")
    made = caption(grit, tmp_path, python, checkpoint=tmp_path / "grit.pth", folder=tmp_path, config="grit.yaml", regions=2)
    assert not made.rejections
    assert [(said.start_s, said.end_s, said.text, said.score) for said in made.captions[:3]] == [
        (0.0, 1.0, "a man on the street", 0.9),
        (0.0, 0.5, "a car, seen 0 times", 0.8),
        (0.5, 1.0, "a car, seen 1 times", 0.8),
    ]


def test_internvideo(tmp_path, python):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text(json.dumps({}))
    made = caption(internvideo, tmp_path, python, checkpoint=tmp_path / "model")
    assert not made.rejections
    assert [said.text for said in made.captions] == ["2 frames of (448, 448)."] * 2
