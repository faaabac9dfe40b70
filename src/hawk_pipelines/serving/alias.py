"""Which version has an alias, which had it before, and giving it to another one.

Every move is kept as a tag of the registered model, so that it outlives runs and versions. The tag has the time and a number
of its own in its name, so that two who move at once do not write over each other, and it is written first: who dies after it has
announced a move that did not happen, and none happens without a trace.
"""

import logging
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Literal
from uuid import uuid4

from mlflow import MlflowClient
from mlflow.entities.model_registry import RegisteredModel
from mlflow.exceptions import MlflowException
from pydantic import BaseModel, ValidationError

from hawk_pipelines.errors import HawkError
from hawk_pipelines.serving.parameters import CHALLENGER

logger = logging.getLogger(__name__)

_LONGEST_REASON = 2000

How = Literal["gate", "forced", "rollback"]
"""Whether a version passed the gate, was put there with a reason, or had been there before."""


class RegistryError(HawkError):
    """Something that cannot be done in the registry as it is."""


class AliasMoved(RegistryError):
    """Somebody else has given the alias to another version in the meantime."""


class Move(BaseModel):
    """An alias that was given to a version."""

    version: str
    before: str | None
    """The version that had it until then."""
    time: str
    """ISO 8601, UTC."""
    how: How
    reason: str


def holder(client: MlflowClient, name: str, alias: str) -> str | None:
    """The version that has an alias; None where none has, or where nothing of that name is registered."""
    model = _registered(client, name)
    return None if model is None else _holder(model, alias)


def give(client: MlflowClient, name: str, alias: str, version: str, how: How, reason: str, before: str | None) -> Move:
    """Give an alias to a version, and keep when and why. A version that passes is no challenger any more.

    Args:
        client: of the registry.
        name: under which the model is registered.
        alias: that moves.
        version: that gets it.
        how, reason: to be kept.
        before: the version that has it as far as the caller knows, and which `version` was compared with.

    Raises:
        AliasMoved: another one has it, and nothing was changed.
    """
    model = client.get_registered_model(name)
    if _holder(model, alias) != before:
        now, told = (f"version {one}" if one else "no version" for one in (_holder(model, alias), before))
        msg = (
            f"By now {now} of `{name}` is `{alias}`, and not {told}: somebody else has moved it. Nothing was changed; try again."
        )
        raise AliasMoved(msg)
    at = datetime.now(UTC)
    move = Move(version=version, before=before, time=at.isoformat(timespec="seconds"), how=how, reason=reason[:_LONGEST_REASON])
    client.set_registered_model_tag(name, f"{alias}.{at:%Y%m%dT%H%M%S.%f}-{uuid4().hex[:6]}", move.model_dump_json())
    client.set_registered_model_alias(name, alias, version)
    if alias != CHALLENGER and _holder(model, CHALLENGER) == version:
        client.delete_registered_model_alias(name, CHALLENGER)
    return move


def moves(client: MlflowClient, name: str, alias: str) -> list[Move]:
    """Every move of an alias, oldest first.

    Raises:
        RegistryError: nothing of that name is registered.
    """
    return _moves(_known(client, name), alias)


def roll_back(client: MlflowClient, name: str, alias: str, to: str | None = None, reason: str = "") -> Move:
    """Give an alias back to the version that had it before, or to one that is named.

    Args:
        client: of the registry.
        name: under which the model is registered.
        alias: that moves.
        to: a version; None for the one before. After a rollback that is the one before the version that was rolled back to.
        reason: in words; needed for a version that never had the alias, since no gate has let it through.

    Raises:
        RegistryError: nothing of that name is registered, no version had the alias before, the version named is not there, or
            has lost its files, or never had the alias and no reason is given. Without a named one, versions that are not
            there any more are passed over, with a warning.
        AliasMoved: somebody else has moved the alias at the same moment.
    """
    model = _known(client, name)
    now, kept = _holder(model, alias), _moves(model, alias)
    had = {version for move in kept for version in (move.before, move.version)}
    earlier = _line(kept, now)[: -1 if now else None]
    if to is None:
        to = _last_that_is_there(client, name, earlier)
        if to is None:
            what = f"No version of `{name}` was `{alias}` before version {now}" if now else f"No version of `{name}` is `{alias}`"
            still = " that is still there" if earlier else ""
            msg = f"{what}{still}, so there is nothing to go back to; name a version with --to ({_versions(client, name)})."
            raise RegistryError(msg)
    elif to == now:
        msg = f"Version {to} of `{name}` is `{alias}` already; nothing was changed."
        raise RegistryError(msg)
    elif gone := _gone(client, name, to):
        others = [one for one in reversed(earlier) if one != to]
        instead = (
            f"name another with --to ({', '.join(others)} had it, too)" if others else f"there are {_versions(client, name)}"
        )
        msg = f"{gone}; {instead}."
        raise RegistryError(msg)
    if to not in had and not reason.strip():
        msg = f"Version {to} of `{name}` never was `{alias}`: no gate has let it through. Say why it shall be, with --reason."
        raise RegistryError(msg)
    how: How = "rollback" if to in had else "forced"
    return give(client, name, alias, to, how, reason.strip(), now)


def _last_that_is_there(client: MlflowClient, name: str, earlier: Sequence[str]) -> str | None:
    for version in reversed(earlier):
        gone = _gone(client, name, version)
        if not gone:
            return version
        logger.warning("%s, and is passed over.", gone)
    return None


def _gone(client: MlflowClient, name: str, version: str) -> str:
    """Why a version cannot be gone back to, as the beginning of a sentence; empty where it can."""
    try:
        source = client.get_model_version(name, version)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return f"Version {version} of `{name}` is not in the registry"
    files = _files(client, (source.source or "").removeprefix("models:/"), "artifacts")
    if not any(file.endswith("/config.json") for file in files) or not any(file.endswith(".safetensors") for file in files):
        return f"Version {version} of `{name}` is in the registry, but its files are not where they were"
    return ""


def _files(client: MlflowClient, model_id: str, folder: str) -> list[str]:
    """Paths of the files in a folder of a logged model; none where they cannot be listed."""
    try:
        found = client.list_logged_model_artifacts(model_id, folder)
    except (MlflowException, OSError):
        return []
    return [path for one in found for path in (_files(client, model_id, one.path) if one.is_dir else [one.path])]


def _versions(client: MlflowClient, name: str) -> str:
    numbers = sorted(int(one.version) for one in client.search_model_versions(f"name = '{name}'"))
    return f"version {', '.join(map(str, numbers))}" if numbers else "no version at all"


def _registered(client: MlflowClient, name: str) -> RegisteredModel | None:
    try:
        return client.get_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return None


def _known(client: MlflowClient, name: str) -> RegisteredModel:
    model = _registered(client, name)
    if model is None:
        others = ", ".join(f"`{one.name}`" for one in client.search_registered_models()) or "nothing"
        msg = f"Nothing is registered as `{name}`; there is {others}. Name another with --name, or register one with `kedro run`."
        raise RegistryError(msg)
    return model


def _holder(model: RegisteredModel, alias: str) -> str | None:
    version = model.aliases.get(alias)
    return None if version is None else str(version)


def _move_tags(model: RegisteredModel, alias: str) -> dict[str, str]:
    return {
        key: value for key, value in model.tags.items() if re.fullmatch(rf"{re.escape(alias)}\.\d{{8}}T[\d.]+-[0-9a-f]+", key)
    }


def _moves(model: RegisteredModel, alias: str) -> list[Move]:
    kept = sorted(_move_tags(model, alias).items())
    try:
        return [Move.model_validate_json(value) for _, value in kept]
    except ValidationError as error:
        msg = f"A tag of `{model.name}` that keeps a move of `{alias}` cannot be read ({error.errors()[0]['msg']}); mend it."
        raise RegistryError(msg) from error


def _line(kept: Sequence[Move], now: str | None) -> list[str]:
    """Who had the alias, one after the other, without those that it was taken from by going back. The last has it now.

    Somebody may have moved it without us, in MLflow's own pages; then a move says who had it `before`.
    """
    line: list[str] = []
    for version in [version for move in kept for version in (move.before, move.version)] + [now]:
        if version in line:
            line = line[: line.index(version) + 1]
        elif version is not None:
            line.append(version)
    return line
