"""What a setting may be."""

import math

import pytest
import torch
from click.testing import CliRunner
from pydantic import ValidationError
from transformers import TemperatureLogitsWarper

from hawk_pipelines.cli import main
from hawk_pipelines.model.settings import LARGEST_SEED, GenerationSettings, TinyFrameEncoderSettings

IMPOSSIBLE = [
    ("beams", 0),
    ("beams", 33),
    ("beams", 100_000),
    ("temperature", -1),
    ("temperature", 1e-40),
    ("temperature", 0.009),
    ("temperature", 101),
    ("temperature", 1e308),
    ("temperature", math.nan),
    ("temperature", math.inf),
    ("seed", -1),
    ("seed", 2**63),
    ("seed", 99999999999999999999),
    ("max_new_tokens", 0),
    ("max_new_tokens", 4097),
]
OUTERMOST = [
    ("beams", 32),
    ("temperature", 0),
    ("temperature", 0.01),
    ("temperature", 100),
    ("seed", 0),
    ("seed", LARGEST_SEED),
    ("max_new_tokens", 4096),
]


def _ask(command, name, value):
    """`hawk` up to the model, which is not there."""
    question = ["Who?"] if command == "ask" else []
    option = [f"--{name.replace('_', '-')}", str(value)]
    return CliRunner().invoke(main, [command, "no.mp4", *question, "--model", "no/model", *option])


@pytest.mark.parametrize(("name", "value"), IMPOSSIBLE)
def test_what_no_answer_can_be_drawn_with_is_refused(name, value):
    with pytest.raises(ValidationError, match=name):
        GenerationSettings.model_validate({name: value})
    for command in ("ask", "describe", "chat"):
        done = _ask(command, name, value)
        assert done.exit_code == 2
        assert isinstance(done.exception, SystemExit)
        assert f"--{name.replace('_', '-')}" in done.stderr.splitlines()[-1]


@pytest.mark.parametrize(("name", "value"), OUTERMOST)
def test_the_outermost_that_may_be(name, value):
    assert getattr(GenerationSettings.model_validate({name: value}), name) == value
    done = _ask("ask", name, value)
    assert (done.exit_code, "no/model" in done.stderr) == (1, True)


def test_the_outermost_seeds_and_temperatures_are_ones_that_can_be_drawn_with():
    scores = torch.tensor([[3.0, -30.0, -math.inf, 1e4]])
    for temperature in (0.01, 100.0):
        assert TemperatureLogitsWarper(temperature)(None, scores).softmax(-1).sum() == pytest.approx(1)
    for seed in (0, LARGEST_SEED):
        torch.Generator().manual_seed(seed)
    for seed in (-1, 2**63):
        with pytest.raises(ValidationError, match="seed"):
            TinyFrameEncoderSettings(seed=seed)
