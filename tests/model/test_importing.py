"""Published files become folders of ours, to the last tensor; what is damaged, unsafe or of another model is refused."""

import os
import pickle

import pytest
import torch
from click.testing import CliRunner
from safetensors import safe_open
from transformers import LlamaConfig, LlamaForCausalLM

from hawk_pipelines.cli import main
from hawk_pipelines.model.branch import Branch
from hawk_pipelines.model.checkpoint import load, read_configuration
from hawk_pipelines.model.errors import CheckpointError
from hawk_pipelines.model.importing import import_checkpoint
from hawk_pipelines.model.published import export_hawk, own_shapes
from hawk_pipelines.model.settings import LanguageModelSettings
from tests.model.golden import FOLDER, KEYS

TABLE = KEYS["published_checkpoint"]
APPEARANCE = {name: shape for name, shape in TABLE.items() if "_motion" not in name}


def _file(path, shapes, **beside):
    """A checkpoint with these names: every tensor full-sized, but of one stored number, so that the file stays small."""
    tensors = {name: torch.full((1,), index / 1000).expand(*shape) for index, (name, shape) in enumerate(sorted(shapes.items()))}
    torch.save({"model": tensors, "epoch": 10, "config": {"run": {"seed": 42}}, **beside}, path)
    return path


def _video_llama():
    shapes = {name: shape for name, shape in APPEARANCE.items() if not name.startswith("llama_proj")}
    return shapes | {"llama_proj.weight": [4096, 768], "llama_proj.bias": [4096]}


@pytest.fixture(scope="module")
def llama_4096(tmp_path_factory):
    """A language model of Llama-2-7B's width and next to no depth, with a tokenizer of its kind."""
    folder = tmp_path_factory.mktemp("llama_4096")
    sizes = {"hidden_size": 4096, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 32}
    config = LlamaConfig(vocab_size=1000, num_key_value_heads=1, max_position_embeddings=1024, tie_word_embeddings=True, **sizes)
    LlamaForCausalLM(config).to(torch.bfloat16).save_pretrained(folder)
    for file in (FOLDER / "g_tokenizer").iterdir():
        if file.name != "config.json":
            (folder / file.name).write_bytes(file.read_bytes())
    return folder


def test_hawks_checkpoint(tmp_path, llama_4096):
    """From the command line to a model that can be asked, and back to the same keys and numbers."""
    file = _file(tmp_path / "checkpoint_10.pth", TABLE | KEYS["buffers_also_saved"], optimizer={"state": {}}, scaler={})
    done = CliRunner().invoke(main, ["import-checkpoint", str(file), str(tmp_path / "hawk"), "--language-model", str(llama_4096)])
    assert done.exit_code == 0, done.output
    for words in ("checkpoint of HAWK", "used", "129", "a constant", "36", "random weights were never saved"):
        assert words in done.output
    model, tokenizer = load(tmp_path / "hawk", "cpu")
    assert model.config.mask == "hard"
    assert model.config.prompt["layout"] == "published"
    assert not model.motion_query_tokens.requires_grad
    exported = export_hawk(model)
    assert sorted(exported) == sorted(TABLE)
    stored = torch.load(file, weights_only=True)["model"]
    assert all(torch.equal(exported[name], stored[name]) for name in TABLE)
    assert "<motion>" in tokenizer.get_vocab()


def test_video_llamas_checkpoint_becomes_hawk_without_a_motion_branch(tmp_path, llama_4096):
    audio = {"audio_query_tokens": [1, 8, 768], "audio_llama_proj.bias": [4096]}
    file = _file(tmp_path / "video_llama.pth", _video_llama() | audio)
    report = import_checkpoint(file, tmp_path / "out", LanguageModelSettings(source=str(llama_4096), dtype="bfloat16"))
    assert report.kind == "Video-LLaMA"
    assert sorted(report.account.ignorable) == sorted(audio)
    model = load(tmp_path / "out", "cpu").model
    assert model.motion is None
    hidden = torch.randn(2, 3, 768)
    branch = model.appearance
    single = torch.nn.functional.linear(hidden, branch.trunk[0].weight, branch.trunk[0].bias)
    assert torch.allclose(branch.projection(branch.trunk(hidden)), single)


def test_without_the_language_model_at_hand_it_is_named_and_left_for_later(tmp_path):
    report = import_checkpoint(_file(tmp_path / "hawk.pth", TABLE), tmp_path / "out")
    assert any("unverified" in note for note in report.notes)
    config = read_configuration(tmp_path / "out")
    assert config.language_model["source"] == "meta-llama/Llama-2-7b-chat-hf"
    assert config.text_config.hidden_size == 4096
    with pytest.raises(CheckpointError, match="hf download"):
        load(tmp_path / "out", "cpu")


def test_nothing_is_overwritten(tmp_path):
    file = _file(tmp_path / "hawk.pth", TABLE)
    import_checkpoint(file, tmp_path / "out")
    with pytest.raises(CheckpointError, match="is there already"):
        import_checkpoint(file, tmp_path / "out")
    _file(tmp_path / "qformer.pth", KEYS["blip2_pretrained_file"])
    with pytest.raises(CheckpointError, match="holds something else"):
        import_checkpoint(tmp_path / "qformer.pth", tmp_path / "out")
    import_checkpoint(tmp_path / "qformer.pth", tmp_path / "half")
    with pytest.raises(CheckpointError, match="holds something else"):
        import_checkpoint(tmp_path / "qformer.pth", tmp_path / "half")
    with pytest.raises(CheckpointError, match="cannot be made"):
        import_checkpoint(file, tmp_path / "qformer.pth" / "below")


def test_an_own_motion_query_is_optional(tmp_path):
    shapes = {name: shape for name, shape in TABLE.items() if name != "query_tokens_motion"}
    report = import_checkpoint(_file(tmp_path / "hawk.pth", shapes), tmp_path / "out")
    assert len(report.account.used) == 128
    assert not read_configuration(tmp_path / "out").motion_query_tokens


def test_the_frame_encoders_two_files_go_into_one_folder(tmp_path):
    """Names only: full-sized tensors of both would be four gigabytes."""
    vit, qformer = tmp_path / "eva_vit_g.pth", tmp_path / "blip2_pretrained.pth"
    torch.save({"blocks.0.attn.qkv.weight": torch.zeros(1)}, vit)
    with pytest.raises(CheckpointError, match="of 511 tensors are missing"):
        import_checkpoint(vit, tmp_path / "encoder")
    _file(qformer, KEYS["blip2_pretrained_file"] | KEYS["blip2_text_branch"])
    report = import_checkpoint(qformer, tmp_path / "encoder")
    assert report.kind == "BLIP-2 image Q-Former"
    assert "import eva_vit_g.pth into" in report.notes[0]
    assert len(report.account.used) == 257  # position_ids is a constant
    with safe_open(tmp_path / "encoder" / "model-qformer.safetensors", "pt") as stored:
        assert "qformer.encoder.layer.11.output_query.dense.weight" in stored.keys()  # noqa: SIM118


class _Evil:
    def __reduce__(self):
        return os.system, ("touch hacked",)


def _write(kind, path):
    if kind == "evil":
        torch.save({"model": _Evil()}, path)
    elif kind == "evil, old format":
        path.write_bytes(pickle.dumps({"model": _Evil()}))
    elif kind == "cut short":
        path.write_bytes(_file(path, {name: [1] for name in TABLE}).read_bytes()[:-200])
    elif kind == "text":
        path.write_text("this is no checkpoint")
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "a list":
        torch.save([torch.zeros(1)], path)
    elif kind == "no tensors":
        torch.save({"model": {"a": 1}}, path)
    elif kind == "nameless tensors":
        torch.save({"model": {1: torch.zeros(1)}}, path)
    elif kind == "another architecture":
        torch.save({"model": {"resnet.conv1.weight": torch.zeros(1)}}, path)
    elif kind == "wrong hidden size":
        _file(path, TABLE | {"llama_proj_0.weight": [5120, 768], "llama_proj_0.bias": [5120]})
    elif kind == "missing":
        _file(path, {name: shape for name, shape in TABLE.items() if "layer.1." not in name})


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("evil", "refused"),
        ("evil, old format", "refused"),
        ("cut short", "damaged"),
        ("text", "damaged"),
        ("empty", "damaged"),
        ("a list", "holds a list"),
        ("no tensors", "a is no tensor"),
        ("nameless tensors", "no tensor with a name"),
        ("another architecture", "no checkpoint of HAWK"),
        (
            "wrong hidden size",
            r"2 have another shape, for example llama_proj_0.weight \[5120, 768\] instead of \[4096, 768\]|llama_proj_0",
        ),
        ("missing", "of 129 tensors are missing"),
        ("not there", "There is no file"),
    ],
)
@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
def test_a_file_that_is_refused(tmp_path, monkeypatch, kind, says):
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "file.pth"
    _write(kind, file)
    with pytest.raises(CheckpointError, match=says):
        import_checkpoint(file, tmp_path / "out")
    done = CliRunner().invoke(main, ["import-checkpoint", str(file), str(tmp_path / "out")])
    assert done.exit_code == 1
    assert "Traceback" not in done.output
    assert not (tmp_path / "hacked").exists()
    assert not (tmp_path / "out").exists()
    if kind in ("missing", "wrong hidden size"):
        assert "of another shape" in done.output  # the account is printed, too


def test_a_language_model_of_another_width(tmp_path, llama):
    file = _file(tmp_path / "hawk.pth", TABLE)
    with pytest.raises(CheckpointError, match="have another shape"):
        import_checkpoint(file, tmp_path / "out", LanguageModelSettings(source=str(llama)))


def test_unknown_tensors_are_told_and_trained_ones_never_called_ignorable(tmp_path):
    adapter = "llama_model.model.layers.0.self_attn.q_proj.lora_A.weight"
    found = TABLE | {"something.new": [1], adapter: [1], "Qformer.bert.encoder.layer.0.attention.self.query.weight": [1]}
    report = import_checkpoint(_file(tmp_path / "hawk.pth", found), tmp_path / "out")
    assert sorted(report.account.unexpected) == [adapter, "something.new"]
    assert list(report.account.ignorable.values()) == ["left aside: the frozen encoder comes from its own files"]


def test_names_are_ours_and_theirs_one_to_one():
    from hawk_pipelines.model.importing import published_configuration

    config = published_configuration(LlamaConfig(num_hidden_layers=0), LanguageModelSettings(source="x"), motion=True)
    shapes = own_shapes(config)
    assert len(shapes) == 128
    with torch.device("meta"):
        counts = {name: sum(p.numel() for p in Branch(config).parameters()) for name in ("appearance", "motion")}
    assert counts == {"appearance": 56_715_520, "motion": 56_715_520}
