import json
import socket

import pytest
from click.testing import CliRunner

from hawk_pipelines.cli import main
from tests.conftest import ROOT, Project


def _hawk(*arguments):
    return CliRunner().invoke(main, ["plan", *arguments], catch_exceptions=False, env={"COLUMNS": "160"})


@pytest.fixture
def here(monkeypatch):
    """In the project itself: nothing is written. Whoever would ask the model hub is refused."""

    def refuse(*_):
        raise AssertionError

    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.chdir(ROOT)


def _told(*arguments):
    done = _hawk("--json", *arguments)
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_the_published_recipe_is_planned_without_gpu_weights_and_network(here):
    told = _told("--env", "paper", "--samples-per-s", "0.5", "--items", "1000")
    counts = {part["name"]: part["parameters"] for part in told["parts"]}
    assert (counts["appearance branch"], counts["motion branch"]) == (56_715_520, 56_715_520)
    assert (counts["language model"], counts["frame encoder"]) == (6_738_415_616, 1_091_114_496)
    assert (told["gpus"], told["zero_stage"], told["samples_at_a_time"]) == (2, 1, 1)  # as `launch` says
    assert told["features_per_item"] == 3_145_728
    assert told["hours"] == pytest.approx(25_000 * 2 / (0.5 * 2) / 3600)
    assert 14e9 < told["memory"]["1"]["total_checkpointed"] < told["memory"]["1"]["total"] < 24e9
    assert told["memory"]["3"]["frozen"] == 6_738_415_616


@pytest.mark.slow
def test_small_pretrained_parts_are_read_where_they_lie(here):
    """Finding the sizes in a GGUF file takes seconds: its whole vocabulary is read."""
    told = _told("--env", "smol", "--stage", "pretrain")
    counts = {part["name"]: part["parameters"] for part in told["parts"]}
    assert counts["language model"] == 134_515_008
    assert told["notes"] == []
    assert (told["features_per_item"], told["steps"]) == (655_360, 100)


def test_tables_say_what_they_are_of_and_where_hours_come_from(here):
    said = _hawk("--stage", "pretrain").stdout
    assert "Parameters of pretrain in conf/base" in said
    assert "no ZeRO *" in said
    assert "Hours: 1,000 steps × 32 samples ÷ the throughput, which nothing here knows: give --samples-per-s" in said
    assert "all items (give --items)" in said
    assert "Language model: the tiny decoder with as many words as it may have." in said
    said = _hawk("--gpus", "2", "--samples-per-s", "16", "--items", "2000").stdout
    assert "Memory of each of 2 GPU(s), about; 16 sample(s) of 280 tokens at a time" in said
    assert "Hours: 0.3 = 1,000 steps × 32 samples ÷ 16 samples/s (--samples-per-s) × 2 GPU(s)" in said
    assert "147.5 MB" in said  # 2,000 × 73.7 kB


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--env", "nowhere"], "Error: There is no environment conf/nowhere. There are base,"),
        (["--gpus", "3"], "Error: `finetune.batch_size` = 32 cannot be shared by 3 GPU(s) × 1 accumulated parts; change one"),
        (["--tokens", "16"], "Error: A sample has 16 tokens of the branches and its words; give more than 16 (`--tokens`)."),
    ],
)
def test_what_cannot_be_planned_is_one_sentence(here, arguments, sentence):
    done = _hawk(*arguments)
    assert done.exit_code == 1
    assert done.output.startswith(sentence)
    assert len(done.output.splitlines()) == 1


def test_settings_that_are_wrong_are_one_sentence(tmp_path, monkeypatch):
    project = Project(tmp_path)
    monkeypatch.chdir(tmp_path)
    project.set("model", language_model__source="who/what")
    assert _hawk().output.startswith("Error: The language model who/what is not on this machine, and its size is not known here;")
    project.set("finetune", launch__deepspeed="nowhere.json")
    project.set("model", language_model__source=None)
    assert _hawk().output.startswith("Error: There is no DeepSpeed file nowhere.json;")
    project.set("finetune", stepz=3)
    assert "`finetune.stepz` is unknown; did you mean `steps`?" in _hawk().output


def test_outside_a_project_it_says_so(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert _hawk().output == "Error: There is no HAWK project here; go to its root, where pyproject.toml and conf/ are.\n"
