"""Muon for matrices, AdamW for whatever else is trained, as one optimizer.

Muon makes the update of a matrix orthogonal, so that all its directions are learned at the same pace (Jordan et al., 2024). The
update is scaled to the size of AdamW's (Liu et al., "Muon is scalable for LLM training", 2025). The model of the sample learns
in fewer steps what it learns with AdamW alone (benchmarks/README.md).
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.optim import AdamW, Muon, Optimizer

from hawk_pipelines.model.hawk import HawkForConditionalGeneration
from hawk_pipelines.training.parameters import TrainingParameters


class MuonWithAdamW(Optimizer):
    """Both optimizers behind one interface. The parameter groups are theirs: AdamW's two first, then Muon's."""

    def __init__(self, adamw: AdamW, muon: Muon) -> None:
        self.optimizers = (adamw, muon)
        super().__init__([{"params": group["params"]} for group in self._groups()], {})
        self.param_groups = self._groups()

    def _groups(self) -> list[dict[str, Any]]:
        return [group for optimizer in self.optimizers for group in optimizer.param_groups]

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Change all parameters that have a gradient."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for optimizer in self.optimizers:
            optimizer.step()
        return loss

    def state_dict(self) -> dict[str, Any]:
        """The states of both, by their names."""
        adamw, muon = (optimizer.state_dict() for optimizer in self.optimizers)
        return {"adamw": adamw, "muon": muon}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from the states of both."""
        for optimizer, name in zip(self.optimizers, ("adamw", "muon"), strict=True):
            optimizer.load_state_dict(state_dict[name])
        self.param_groups = self._groups()  # each has made new ones


def build_muon(model: HawkForConditionalGeneration, parameters: TrainingParameters) -> MuonWithAdamW:
    """Muon for the weights of linear layers, AdamW for embeddings, queries, output layer, norms and biases.

    Args:
        model: some of whose parameters are trained.
        parameters: learning rates and weight decay. Norms and biases have no weight decay.
    """
    tables = [module.weight for module in model.modules() if isinstance(module, nn.Embedding)]
    output = model.language_model.get_output_embeddings()
    apart = {id(weight) for weight in (*tables, *([] if output is None else [output.weight]))}
    linear = {id(module.weight) for module in model.modules() if isinstance(module, nn.Linear)} - apart
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    matrices = [parameter for parameter in trained if id(parameter) in linear]
    others = [parameter for parameter in trained if id(parameter) not in linear]
    groups = [
        {"params": [parameter for parameter in others if parameter.ndim > 1], "weight_decay": parameters.weight_decay},
        {"params": [parameter for parameter in others if parameter.ndim <= 1], "weight_decay": 0.0},
    ]
    muon = Muon(
        matrices,
        lr=parameters.muon_learning_rate,
        weight_decay=parameters.weight_decay,
        adjust_lr_fn="match_rms_adamw",
    )
    return MuonWithAdamW(AdamW(groups, lr=parameters.learning_rate), muon)
