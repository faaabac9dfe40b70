"""Whether a model is registered already: every version keeps, as a tag, what it was registered from."""

import logging
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from hawk_pipelines.serving.alias import holder, moves
from hawk_pipelines.serving.parameters import CHALLENGER

logger = logging.getLogger(__name__)

INPUTS, GATE, WEIGHTS, UNFINISHED = "inputs_sha256", "gate", "weights_sha256", "unfinished"
"""Tags of a version: what it was registered from, what the gate found, of which weights it is; and of one that is not done."""
REFUSED = "refused"
"""What the gate found of a challenger."""


class Earlier(NamedTuple):
    """Versions of this model that an earlier run registered, or began to."""

    finished: ModelVersion | None
    """From the same model, answers and settings."""
    unfinished: ModelVersion | None
    """The same, but its run ended before the gate's decision was kept, or before the version got its alias."""
    others: Sequence[str]
    """Half-made versions of the same weights and of other settings or answers."""


def find_earlier(client: MlflowClient, name: str, alias: str, inputs: str, weights: str) -> Earlier:
    """Look for what an earlier run has left in the registry.

    Args:
        client: of the registry.
        name: under which the model is registered.
        alias: that a model takes if it passes.
        inputs: the hash of what it is registered from.
        weights: the hash of its weights.
    """
    found = client.search_model_versions(f"name = '{name}' and tags.{WEIGHTS} = '{weights}'")
    versions = sorted(found, key=lambda version: int(version.version), reverse=True)
    same = [version for version in versions if version.tags.get(INPUTS) == inputs]
    others = [version.version for version in versions if version not in same and version.tags.get(GATE) == UNFINISHED]
    finished = [
        version for version in same if version.tags.get(GATE) != UNFINISHED and _has_its_alias(client, name, alias, version)
    ]
    return Earlier(
        finished=next(iter(finished), None),
        unfinished=next((version for version in same if version not in finished), None),
        others=[str(version) for version in others],
    )


def _has_its_alias(client: MlflowClient, name: str, alias: str, version: ModelVersion) -> bool:
    """Whether a version has the alias that was decided on, or has had it: the alias is given when all else is written.

    A move is kept before it is made. So one that no other followed counts only while the version has the alias.
    """
    number = str(version.version)
    aliases = (alias, CHALLENGER) if version.tags.get(GATE) == REFUSED else (alias,)  # a person may promote a refused one
    return any(number == holder(client, name, each) or number in _followed(client, name, each) for each in aliases)


def _followed(client: MlflowClient, name: str, alias: str) -> set[str]:
    """The versions that had an alias before another one got it."""
    order = [move.version for move in moves(client, name, alias)]
    return {version for version, next_version in pairwise(order) if version != next_version}


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
