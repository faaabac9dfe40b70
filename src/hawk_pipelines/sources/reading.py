"""What every source gives: the videos it found with all that it knows about them, and what it had to refuse."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

from hawk_pipelines.errors import HawkError
from hawk_pipelines.schema import QA, Rejection, Span, Split


class SourceError(HawkError):
    """A source that cannot be read at all."""


class TimedText(NamedTuple):
    """A sentence and when it holds, in seconds."""

    start_s: float
    end_s: float | None
    """None: to the end of the video."""
    text: str


@dataclass(frozen=True)
class FoundVideo:
    """A file or folder of pictures and what the source says of it. It has not been opened yet."""

    path: Path
    name: str
    label: str | None = None
    spans: list[Span] = field(default_factory=list)
    split: Split | None = None
    """None where the source has none."""
    split_by: Literal["published", "official"] = "published"
    """Whose split it is: HAWK's published lists, or the data set's own."""
    group: str | None = None
    """The source video that this one was cut from; None where it was not cut."""
    captions: list[TimedText] = field(default_factory=list)
    description: str | None = None
    """A finished description, only where the source publishes annotations."""
    qa: list[QA] = field(default_factory=list)
    truth: dict[str, str] | None = None


class Reading(NamedTuple):
    """A source, read."""

    videos: list[FoundVideo]
    rejections: list[Rejection]


def existing_folder(path: Path, setting: str) -> Path:
    """The folder, or a clear error.

    Raises:
        SourceError: it is not there or is not a folder.
    """
    if not path.is_dir():
        what = "is not a folder" if path.exists() else "does not exist"
        msg = f"{path} {what}; set `{setting}` to the folder of your videos."
        raise SourceError(msg)
    return path
