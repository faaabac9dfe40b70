"""Before the first step of a run: whether its training can begin."""

from typing import Any

from kedro.io import CatalogProtocol

from hawk_pipelines.model.settings import ModelSettings
from hawk_pipelines.pipelines.ablate.parameters import AblateParameters
from hawk_pipelines.pipelines.ablate.variants import Variant, variants
from hawk_pipelines.pipelines.encode.parameters import EncodeParameters
from hawk_pipelines.pipelines.stage import PRETRAINED, initial_model
from hawk_pipelines.training.job import Stage
from hawk_pipelines.training.parameters import FinetuneParameters, PretrainParameters


def look_ahead_to_training(nodes: set[str], parameters: dict[str, Any], catalog: CatalogProtocol) -> None:
    """Refuse now what would fail after hours of preparation.

    Args:
        nodes: names of what will be run.
        parameters: all settings.
        catalog: where a pretrained model would be.

    Raises:
        ParameterError: a variant has a setting that is unknown or of the wrong kind.
        TrainingError: there is no sample, too few GPUs, a batch that cannot be shared, a wrong DeepSpeed file, or no model to
            start from.
    """
    if "finetune_model" in nodes and "write_samples" not in nodes:
        _check_samples(catalog)
    trained: list[tuple[Stage, PretrainParameters | FinetuneParameters]] = []
    if "pretrain_model" in nodes:
        trained.append(("pretrain", PretrainParameters.model_validate(parameters["pretrain"])))
    if "finetune_model" in nodes:
        trained.append(("finetune", FinetuneParameters.model_validate(parameters["finetune"])))
    if "train_variants" in nodes:
        trained += [("finetune", variant.finetune) for variant in _variants(parameters).values()]
    for stage, told in trained:
        from hawk_pipelines.training.launch import check_launch

        check_launch(stage, told)
        made_before = stage == "finetune" and "pretrain_model" in nodes
        if not (told.init_from == PRETRAINED and made_before):
            initial_model(stage, told.init_from, catalog.load(PRETRAINED))


def _check_samples(catalog: CatalogProtocol) -> None:
    from hawk_pipelines.training.errors import TrainingError

    if catalog.exists("train_samples") and not catalog.load("train_samples"):
        msg = (
            "There is no sample: the train split is empty. Look at what waits with `hawk review next`, or add training videos "
            "with captions or labels; then run `kedro run`."
        )
        raise TrainingError(msg)


def _variants(parameters: dict[str, Any]) -> dict[str, Variant]:
    return variants(
        AblateParameters.model_validate(parameters["ablate"]),
        ModelSettings.model_validate(parameters["model"]),
        FinetuneParameters.model_validate(parameters["finetune"]),
        EncodeParameters.model_validate(parameters["encode"]),
    )
