"""What a run that evaluates or registers a model without training it says of that model in MLflow: how it was trained, and where.

Its settings are those that were kept with the model, not those of `conf` at the moment.
"""

import logging
import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from kedro.io import CatalogProtocol
from kedro.pipeline import Pipeline
from pydantic import BaseModel

from hawk_pipelines.model.settings import ModelSettings
from hawk_pipelines.pipelines.encode.parameters import EncodeParameters
from hawk_pipelines.training.parameters import FinetuneParameters, PretrainParameters
from hawk_pipelines.training.tracking import flat
from hawk_pipelines.video.streams import StreamParameters

logger = logging.getLogger(__name__)

MODEL = "finetuned_model"
OF_A_TRAINING = ("pretrain", "finetune", "model")
"""Sections of the settings that nothing but a training reads."""
USED_AGAIN = ("encode", "motion", "seed")
"""Sections that decide a training and are read by the evaluation, too."""
_PACKAGES = ("hawk-pipelines", "torch", "transformers", "mlflow")
_SHOWN = 5


def evaluates(pipeline: Pipeline) -> bool:
    """Whether a pipeline looks at a trained model."""
    return any(MODEL in node.inputs for node in pipeline.nodes)


def settings_to_log(parameters: Mapping[str, Any], pipeline: Pipeline, catalog: CatalogProtocol) -> dict[str, object]:
    """The settings of a run, flat; of a run that looks at a model which it does not train, those of the model's training.

    Where the two differ, or nobody knows how the model was trained, that is said.
    """
    now = flat(parameters)
    if not evaluates(pipeline) or MODEL not in pipeline.inputs() or not catalog.exists(MODEL):
        return now
    folder = catalog.load(MODEL)
    then = settings_of_training(folder)
    own = {name: value for name, value in now.items() if _section(name) not in OF_A_TRAINING}
    if then is None:
        msg = "How the model in %s was trained is not recorded there: this run logs no settings of a training."
        logger.warning(msg, folder)
        return own
    read = _as_read(parameters)
    others = [f"{name} {value}, now {read[name]}" for name, value in then.items() if name in read and value != read[name]]
    if others:
        shown = "; ".join(others[:_SHOWN]) + (f" … ({len(others)} in all)" if len(others) > _SHOWN else "")
        msg = "The model in %s was trained with other settings than those of conf (%s): this run logs those of the training."
        logger.warning(msg, folder, shown)
    own = {name: value for name, value in own.items() if _section(name) not in USED_AGAIN}
    return own | then | {"evaluate.seed": parameters.get("seed")}


def settings_of_training(folder: Path) -> dict[str, object] | None:
    """How a saved model was trained, flat, with the settings of the stage before; None where that is not kept with it.

    Raises:
        ProvenanceError: the record cannot be read.
    """
    from hawk_pipelines.serving.provenance import read_training

    training = read_training(folder)
    if training is None or training.settings is None:
        return None
    stages = [flat(stage.settings) for stage in training.stages() if stage.settings]
    first = {name: value for stage in stages[:-1] for name, value in stage.items() if _section(name) == "pretrain"}
    return first | stages[-1]


def run_tags(project: Path, env: str | None) -> dict[str, str]:
    """Which code and which environment a run is of."""
    from hawk_pipelines.serving.provenance import code_version

    code = code_version(project)
    packages = {name: _version(name) for name in _PACKAGES}
    software = [f"python {platform.python_version()}", *(f"{name} {number}" for name, number in packages.items() if number)]
    tags = {"environment": env or "local", "software": ", ".join(software), "git_changed_files": str(len(code.changed))}
    return tags | ({"git_commit": code.commit} if code.commit else {})


def model_tags(catalog: CatalogProtocol, project: Path, uri: str) -> dict[str, str]:
    """Which model a run evaluates: its training's MLflow run, its weights, and the annotations.

    Args:
        catalog: where the model, the trainings and the annotations are.
        project: where `dvc.lock` may be.
        uri: of the tracking server.
    """
    from hawk_pipelines.serving.provenance import data_version, weights_sha256
    from hawk_pipelines.training.finished import training_run_of

    folder = catalog.load(MODEL)
    tags = {"weights_sha256": weights_sha256(folder)}
    tags["training_run"] = training_run_of(folder, catalog.load("trainings"), uri) or "not known here"
    if catalog.exists("annotations"):
        data = data_version(catalog.load("annotations"), project)
        tags["annotations_sha256"] = data.sha256
        if data.dvc_md5:
            tags["annotations_dvc_md5"] = data.dvc_md5
    return tags


def _as_read(parameters: Mapping[str, Any]) -> dict[str, object]:
    """Settings that decide a training, with their defaults and their kinds, flat."""
    kinds: dict[str, type[BaseModel]] = {
        "pretrain": PretrainParameters,
        "finetune": FinetuneParameters,
        "model": ModelSettings,
        "encode": EncodeParameters,
        "motion": StreamParameters,
    }
    sections = {name: kind.model_validate(parameters[name]) for name, kind in kinds.items() if name in parameters}
    return flat(sections) | {"seed": parameters.get("seed")}


def _section(name: str) -> str:
    return name.partition(".")[0]


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
