"""Before the first step of a run: whether its training can begin."""

from typing import Any

from kedro.io import CatalogProtocol

from hawk_pipelines.pipelines.stage import PRETRAINED, initial_model
from hawk_pipelines.training.parameters import FinetuneParameters, PretrainParameters


def look_ahead_to_training(nodes: set[str], parameters: dict[str, Any], catalog: CatalogProtocol) -> None:
    """Refuse now what would fail after hours of preparation.

    Args:
        nodes: names of what will be run.
        parameters: all settings.
        catalog: where a pretrained model would be.

    Raises:
        TrainingError: too few GPUs, a batch that cannot be shared, a wrong DeepSpeed file, or no model to start from.
    """
    stages = (("pretrain", PretrainParameters), ("finetune", FinetuneParameters))
    for stage, kind in stages:
        if f"{stage}_model" not in nodes:
            continue
        from hawk_pipelines.training.launch import check_launch

        told = kind.model_validate(parameters[stage])
        check_launch(stage, told)  # type: ignore[arg-type]
        made_before = stage == "finetune" and "pretrain_model" in nodes
        if not (told.init_from == PRETRAINED and made_before):
            initial_model(stage, told.init_from, catalog.load(PRETRAINED))  # type: ignore[arg-type]
