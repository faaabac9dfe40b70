"""Muon for matrices, AdamW for the rest: whose is what, and a training that goes on as if it had not stopped."""

import copy
import io

import pytest
import torch
from pydantic import ValidationError
from torch import nn
from torch.optim import AdamW, Muon
from torch.optim.lr_scheduler import LambdaLR

from hawk_pipelines.training.optimizer import MuonWithAdamW, build_muon
from hawk_pipelines.training.parameters import FinetuneParameters
from tests.training.made import sentences, small_parts

PARAMETERS = FinetuneParameters(optimizer="muon", learning_rate=1e-3, muon_learning_rate=3e-3)


@pytest.fixture(scope="module")
def model():
    return small_parts(sentences({"a": "b"})).model


def _ids(groups):
    return [id(parameter) for group in groups for parameter in group["params"]]


def test_matrices_are_muons_and_embeddings_queries_norms_and_biases_are_not(model):
    optimizer = build_muon(model, PARAMETERS)
    adamw, muon = (_ids(each.param_groups) for each in optimizer.optimizers)
    trained = {id(parameter): name for name, parameter in model.named_parameters() if parameter.requires_grad}
    assert sorted([*adamw, *muon]) == sorted(trained)
    assert _ids(optimizer.param_groups) == [*adamw, *muon]
    of_muon = {trained[parameter] for parameter in muon}
    assert "language_model.model.layers.0.mlp.gate_proj.weight" in of_muon
    assert "motion.projection.weight" in of_muon
    assert not [name for name in of_muon if "embed" in name or "lm_head" in name or "position" in name or "query_tokens" in name]
    without_decay = {trained[parameter] for parameter in _ids(optimizer.param_groups[1:2])}
    assert optimizer.param_groups[1]["weight_decay"] == 0
    assert "appearance.projection.bias" in without_decay


def test_frozen_weights_are_nobodys(model):
    frozen = copy.deepcopy(model)
    frozen.language_model.requires_grad_(False)
    count = sum(parameter.requires_grad for parameter in frozen.parameters())
    assert len(_ids(build_muon(frozen, PARAMETERS).param_groups)) == count < len(list(frozen.parameters()))


def _layers():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 8), nn.Linear(8, 4))


def _optimizer(layers):
    matrices, biases = ([p for p in layers.parameters() if p.ndim == n] for n in (2, 1))
    muon = Muon(matrices, lr=3e-3, weight_decay=0.05, adjust_lr_fn="match_rms_adamw")
    optimizer = MuonWithAdamW(AdamW(biases, lr=1e-3), muon)
    return optimizer, LambdaLR(optimizer, lambda step: 1 / (1 + step))


def _step(layers, optimizer, schedule, number):
    inputs = torch.randn(5, 6, generator=torch.Generator().manual_seed(number))
    layers(inputs).square().mean().backward()
    optimizer.step()
    optimizer.zero_grad()
    schedule.step()


def test_a_training_that_is_loaded_goes_on_bit_for_bit():
    layers = _layers()
    optimizer, schedule = _optimizer(layers)
    for number in range(3):
        _step(layers, optimizer, schedule, number)
    file = io.BytesIO()
    torch.save({"optimizer": optimizer.state_dict(), "schedule": schedule.state_dict(), "layers": layers.state_dict()}, file)
    file.seek(0)
    saved = torch.load(file, weights_only=True)

    again = _layers()
    again.load_state_dict(saved["layers"])
    optimizer_again, schedule_again = _optimizer(again)
    optimizer_again.load_state_dict(saved["optimizer"])
    schedule_again.load_state_dict(saved["schedule"])
    for number in range(3, 6):
        _step(layers, optimizer, schedule, number)
        _step(again, optimizer_again, schedule_again, number)
    assert all(one.equal(other) for one, other in zip(layers.parameters(), again.parameters(), strict=True))
    rates = [group["lr"] for group in optimizer_again.param_groups]
    assert rates == pytest.approx([1e-3 / 7, 3e-3 / 7])  # the schedule reaches both


def test_each_does_what_it_does_by_itself():
    layers, alone = _layers(), _layers()
    optimizer, _ = _optimizer(layers)
    matrices, biases = ([p for p in alone.parameters() if p.ndim == n] for n in (2, 1))
    by_themselves = AdamW(biases, lr=1e-3), Muon(matrices, lr=3e-3, weight_decay=0.05, adjust_lr_fn="match_rms_adamw")
    inputs = torch.ones(2, 6)
    alone(inputs).square().mean().backward()
    layers(inputs).square().mean().backward()
    for each in (optimizer, *by_themselves):
        each.step()
    assert all(one.equal(other) for one, other in zip(layers.parameters(), alone.parameters(), strict=True))
    assert not all(one.equal(other) for one, other in zip(layers.parameters(), _layers().parameters(), strict=True))


def test_under_deepspeed_it_is_refused():
    with pytest.raises(ValidationError, match="set optimizer to auto or adamw"):
        FinetuneParameters(optimizer="muon", launch={"deepspeed": "conf/deepspeed/zero1.json"})


def test_where_it_does_not_work_auto_is_adamw():
    assert FinetuneParameters(optimizer="auto").has_muon
    assert not FinetuneParameters(optimizer="auto", launch={"deepspeed": "conf/deepspeed/zero1.json"}).has_muon
    assert not FinetuneParameters(optimizer="adamw").has_muon
