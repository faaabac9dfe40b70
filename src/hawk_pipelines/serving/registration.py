"""Whether a model is registered already: every version keeps, as a tag, what it was registered from."""

import logging
from collections.abc import Sequence
from typing import NamedTuple

from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from hawk_pipelines.serving.alias import holder, moves

logger = logging.getLogger(__name__)

INPUTS, GATE, WEIGHTS, UNFINISHED = "inputs_sha256", "gate", "weights_sha256", "unfinished"
"""Tags of a version: what it was registered from, what the gate found, of which weights it is; and of one that is not done."""


class Earlier(NamedTuple):
    """Versions of this model that an earlier run registered, or began to."""

    finished: ModelVersion | None
    """From the same model, answers and settings."""
    unfinished: ModelVersion | None
    """The same, but its run ended before the gate's decision was kept."""
    others: Sequence[str]
    """Half-made versions of the same weights and of other settings or answers."""


def find_earlier(client: MlflowClient, name: str, inputs: str, weights: str) -> Earlier:
    """Look for what an earlier run has left in the registry.

    Args:
        client: of the registry.
        name: under which the model is registered.
        inputs: the hash of what it is registered from.
        weights: the hash of its weights.
    """
    found = client.search_model_versions(f"name = '{name}' and tags.{WEIGHTS} = '{weights}'")
    versions = sorted(found, key=lambda version: int(version.version), reverse=True)
    same = [version for version in versions if version.tags.get(INPUTS) == inputs]
    others = [version.version for version in versions if version not in same and version.tags.get(GATE) == UNFINISHED]
    return Earlier(
        finished=next((version for version in same if version.tags.get(GATE) != UNFINISHED), None),
        unfinished=next((version for version in same if version.tags.get(GATE) == UNFINISHED), None),
        others=[str(version) for version in others],
    )


def is_registered(client: MlflowClient, name: str, version: str) -> bool:
    """Whether a version is there, and the gate's decision about it was kept."""
    try:
        tags = client.get_model_version(name, version).tags
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return False
    return tags.get(GATE) not in (None, UNFINISHED)


def is_in_use(client: MlflowClient, name: str, alias: str, version: str) -> bool:
    """Whether a version has an alias."""
    return holder(client, name, alias) == version


def holder_before(client: MlflowClient, name: str, alias: str, version: str) -> str | None:
    """Who had an alias before it was given to this version; None where nobody had."""
    given = [move for move in moves(client, name, alias) if move.version == version]
    return given[-1].before if given else None
