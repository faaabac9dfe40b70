"""What can be wrong with a model, its weights or its questions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hawk_pipelines.errors import HawkError

if TYPE_CHECKING:
    from hawk_pipelines.model.account import Account


class ModelError(HawkError):
    """Sizes or inputs that do not fit together."""


class CheckpointError(HawkError):
    """Weights that are missing, damaged, of another model, or not those that a model was trained with."""

    account: Account | None = None
    """What became of every tensor, where names and shapes were compared."""


class PromptError(HawkError):
    """A question that cannot be asked."""
