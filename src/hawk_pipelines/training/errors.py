from hawk_pipelines.errors import HawkError


class TrainingError(HawkError):
    """A training that cannot begin or go on."""
