"""What this room raises."""

from hawk_pipelines.errors import HawkError


class UnreadableVideo(HawkError):
    """A video that cannot be used."""
