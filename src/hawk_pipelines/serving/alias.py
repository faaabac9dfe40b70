"""Which version has an alias, which had it before, and giving it to another one.

Every move is kept as a tag of the registered model, `production.0001` and so on, so that it outlives runs and versions.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Literal

from mlflow import MlflowClient
from mlflow.entities.model_registry import RegisteredModel
from mlflow.exceptions import MlflowException
from pydantic import BaseModel, ValidationError

from hawk_pipelines.errors import HawkError
from hawk_pipelines.serving.parameters import CHALLENGER

_LONGEST_REASON = 2000


How = Literal["gate", "forced", "rollback"]
"""Whether a version passed the gate, was put there with a reason, or had been there before."""


class RegistryError(HawkError):
    """Something that cannot be done in the registry as it is."""


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


def give(client: MlflowClient, name: str, alias: str, version: str, how: How, reason: str) -> Move:
    """Give an alias to a version, and keep when and why. A version that passes is no challenger any more."""
    model = client.get_registered_model(name)
    number = max((int(key.rpartition(".")[2]) for key in _move_tags(model, alias)), default=0) + 1
    move = Move(
        version=version,
        before=_holder(model, alias),
        time=datetime.now(UTC).isoformat(timespec="seconds"),
        how=how,
        reason=reason[:_LONGEST_REASON],
    )
    client.set_registered_model_alias(name, alias, version)
    client.set_registered_model_tag(name, f"{alias}.{number:04d}", move.model_dump_json())
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
            has lost its files, or never had the alias and no reason is given.
    """
    model = _known(client, name)
    now, kept = _holder(model, alias), _moves(model, alias)
    had = {version for move in kept for version in (move.before, move.version)}
    earlier = _line(kept, now)[: -1 if now else None]
    if to is None:
        if not earlier:
            what = f"No version of `{name}` was `{alias}` before version {now}" if now else f"No version of `{name}` is `{alias}`"
            msg = f"{what}, so there is nothing to go back to; name a version with --to ({_versions(client, name)})."
            raise RegistryError(msg)
        to = earlier[-1]
    elif to == now:
        msg = f"Version {to} of `{name}` is `{alias}` already; nothing was changed."
        raise RegistryError(msg)
    _insist_on_files(client, name, to, earlier)
    if to not in had and not reason.strip():
        msg = f"Version {to} of `{name}` never was `{alias}`: no gate has let it through. Say why it shall be, with --reason."
        raise RegistryError(msg)
    how: How = "rollback" if to in had else "forced"
    return give(client, name, alias, to, how, reason.strip())


def _insist_on_files(client: MlflowClient, name: str, version: str, earlier: Sequence[str]) -> None:
    from mlflow.artifacts import list_artifacts

    others = [one for one in reversed(earlier) if one != version]
    instead = f"name another with --to ({', '.join(others)} had it, too)" if others else f"there are {_versions(client, name)}"
    try:
        client.get_model_version(name, version)
    except MlflowException as error:
        msg = f"Version {version} of `{name}` is not in the registry; {instead}."
        raise RegistryError(msg) from error
    try:
        files = list_artifacts(f"models:/{name}/{version}", tracking_uri=client.tracking_uri)
    except (MlflowException, OSError):
        files = []
    if not files:
        msg = f"Version {version} of `{name}` is in the registry, but its files are not where they were; {instead}."
        raise RegistryError(msg)


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
    return {key: value for key, value in model.tags.items() if re.fullmatch(rf"{re.escape(alias)}\.\d{{4,}}", key)}


def _moves(model: RegisteredModel, alias: str) -> list[Move]:
    kept = sorted(_move_tags(model, alias).items(), key=lambda tag: int(tag[0].rpartition(".")[2]))
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
