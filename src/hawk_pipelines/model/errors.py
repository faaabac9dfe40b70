"""What can be wrong with a model, its weights or its questions."""

from hawk_pipelines.errors import HawkError


class ModelError(HawkError):
    """Sizes or inputs that do not fit together."""


class CheckpointError(HawkError):
    """Weights that are missing, damaged, of another model, or not those that a model was trained with."""


class PromptError(HawkError):
    """A question that cannot be asked."""
