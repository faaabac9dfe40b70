"""What decides the registration besides the tables that it reads, and whether its version is still in the registry."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel

from hawk_pipelines.engine.finished import json_sha256, path_sha256, rows_sha256
from hawk_pipelines.errors import HawkError
from hawk_pipelines.pipelines.annotate.parameters import AnnotateParameters
from hawk_pipelines.pipelines.encode.parameters import EncodeParameters
from hawk_pipelines.pipelines.evaluate.parameters import EvaluateParameters
from hawk_pipelines.pipelines.register.parameters import RegisterParameters
from hawk_pipelines.pipelines.reuse import Load, Reusable
from hawk_pipelines.serving.provenance import TRAINING
from hawk_pipelines.video.streams import StreamParameters

if TYPE_CHECKING:
    from hawk_pipelines.serving.gate import Decision

logger = logging.getLogger(__name__)

REGISTRATION_VERSION = 2
"""Raised whenever the same model, answers and settings give another decision or another card."""


def deciding_settings(
    motion: StreamParameters,
    encode: EncodeParameters,
    evaluate: EvaluateParameters,
    annotate: AnnotateParameters,
    parameters: RegisterParameters,
) -> list:
    """What of the settings decides a version, its decision and its card."""
    return [
        motion.model_dump(mode="json"),
        encode.model_dump(mode="json", include={"frame_encoder", "mask"}),
        [evaluate.batch_size, evaluate.max_new_tokens],
        path_sha256(annotate.questions),
        parameters.model_dump(mode="json"),
    ]


def _sections(load: Load) -> list:
    return deciding_settings(*(load(f"params:{name}") for name in ("motion", "encode", "evaluate", "annotate", "register")))


def _settings(load: Load) -> list:
    return [_sections(load), path_sha256(load("finetuned_model") / TRAINING)]


def registration_key(folder: Path, made_by: dict, metrics: dict, tables: Sequence[Sequence[BaseModel]], settings: list) -> str:
    """The hash of what a version is registered from, which it keeps as a tag.

    Args:
        folder: of the model.
        made_by: what decided its answers, with the hash of its weights.
        metrics: its figures.
        tables: its answers and scores, and the annotations, videos and samples that they stand on.
        settings: see `deciding_settings`.
    """
    decides = [REGISTRATION_VERSION, path_sha256(folder / TRAINING), made_by, metrics, settings]
    return json_sha256([decides, [rows_sha256(table) for table in tables]])


def told(name: str, version: str, decision: "Decision") -> dict:
    """What is kept of a registration."""
    return {"name": name, "version": version, "uri": f"models:/{name}@{decision.alias}", **decision.model_dump()}


def _in_the_registry(load: Load, _: str) -> bool:
    """The version is there, with the gate's decision; one that was forced has its alias still, or it is forced once more."""
    import mlflow

    from hawk_pipelines.serving.registration import is_in_use, is_registered

    registered, parameters, client = load("registered_model"), load("params:register"), mlflow.MlflowClient()
    name, version = registered["name"], registered["version"]
    if not is_registered(client, name, version):
        return False
    return parameters.force is None or is_in_use(client, name, registered["alias"], version)


def _from_the_registry(load: Load) -> dict | None:
    """What an earlier run has registered from the same, where it ended, or its record was lost, before it was kept here."""
    import mlflow

    from hawk_pipelines.evaluation.asked import HAWK
    from hawk_pipelines.pipelines.evaluate.nodes import answered_by
    from hawk_pipelines.serving.registration import find_earlier, is_in_use

    parameters, made_by, client = load("params:register"), load("answered_by"), mlflow.MlflowClient()
    candidate = [one for one in load("predictions") if one.model == HAWK]
    if made_by != answered_by(load("finetuned_model"), candidate, load("features"), load("params:evaluate")):
        return None  # the answers are not this model's: the step itself says so
    tables = [load(name) for name in ("predictions", "scores", "annotations", "videos", "train_samples")]
    key = registration_key(load("finetuned_model"), made_by, load("metrics"), tables, _sections(load))
    found = find_earlier(client, parameters.name, parameters.alias, key, made_by["weights_sha256"]).finished
    if found is None:
        return None
    from hawk_pipelines.serving.gate import Decision
    from hawk_pipelines.serving.registry import fetch

    version = str(found.version)
    try:
        kept = fetch(f"models:/{parameters.name}/{version}", mlflow.get_tracking_uri()) / "gate.json"
        decision = Decision.model_validate_json(kept.read_text(encoding="utf-8"))
    except (HawkError, OSError, ValueError) as error:
        where = f"version {version} of `{parameters.name}`"
        logger.warning("The files of %s cannot be read (%s); the model is registered anew.", where, error)
        return None
    if parameters.force and not is_in_use(client, parameters.name, decision.alias, version):
        return None
    return {"registered_model": told(parameters.name, version, decision)}


REGISTRATION_STEPS = {
    "register_model": Reusable(REGISTRATION_VERSION, _settings, holds=_in_the_registry, recovered=_from_the_registry)
}
"""By the name of their node."""
