"""An account of a checkpoint: what became of every tensor in it, so that nothing is skipped in silence."""

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from torch import Tensor

from hawk_pipelines.model.errors import CheckpointError

Shape = tuple[int, ...]


class Account(NamedTuple):
    """Every name of a checkpoint, and of what was wanted of it, in exactly one place."""

    used: list[str]
    ignorable: dict[str, str]
    """With the reason why nothing is lost without it."""
    missing: list[str]
    unexpected: list[str]
    wrong_shape: dict[str, tuple[Shape, Shape]]
    """Found and wanted."""


def shapes_of(tensors: Mapping[str, Tensor]) -> dict[str, Shape]:
    """The shape of every tensor, by name."""
    return {name: tuple(tensor.shape) for name, tensor in tensors.items()}


def account_for(found: Mapping[str, Shape], wanted: Mapping[str, Shape], ignorable: Sequence[tuple[str, str]] = ()) -> Account:
    """Compare names and shapes.

    Args:
        found, wanted: shapes by name.
        ignorable: pairs of a regular expression, which a name begins with, and the reason why it may be left out.
    """
    wrong = {name: (found[name], wanted[name]) for name in wanted if name in found and found[name] != wanted[name]}
    left = [name for name in found if name not in wanted]
    reasons = {name: reason for name in left for pattern, reason in reversed(ignorable) if re.match(pattern, name)}
    return Account(
        used=[name for name in wanted if name in found and name not in wrong],
        ignorable=reasons,
        missing=[name for name in wanted if name not in found],
        unexpected=[name for name in left if name not in reasons],
        wrong_shape=wrong,
    )


def insist(account: Account, what: str) -> None:
    """Refuse a checkpoint that lacks something or has it in another shape.

    Raises:
        CheckpointError: with numbers, examples and the account.
    """
    faults = []
    if account.missing:
        faults.append(f"{len(account.missing)} of {_total(account)} tensors are missing, for example {account.missing[0]}")
    if account.wrong_shape:
        name, (is_, should) = next(iter(account.wrong_shape.items()))
        count = len(account.wrong_shape)
        faults.append(f"{count} have another shape, for example {name} {list(is_)} instead of {list(should)}")
    if faults:
        other = f" {len(account.unexpected)} tensors in it are unknown." if account.unexpected else ""
        msg = f"{what} does not fit: {'; '.join(faults)}.{other} It belongs to another model or to other sizes."
        refusal = CheckpointError(msg)
        refusal.account = account
        raise refusal


def _total(account: Account) -> int:
    return len(account.used) + len(account.missing) + len(account.wrong_shape)
