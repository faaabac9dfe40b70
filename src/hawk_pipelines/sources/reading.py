"""What every source gives: the videos it found with all that it knows about them, and what it had to refuse."""

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple, TypeVar

from hawk_pipelines.errors import HawkError
from hawk_pipelines.schema import QA, Rejection, Span, Split

Key = TypeVar("Key", bound=Hashable)


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
    """A file or folder of pictures and what the source says of it. It has not been opened yet.

    Where the anomaly is may be said in seconds (`spans`), in frames (`frame_spans`) or by a mask for every frame (`masks`). What
    a source says may be wrong: spans are held against the video when it is listed, not here.
    """

    path: Path
    name: str
    """What the source calls it: unique within the source, and usually its path below the source's folder."""
    label: str | None = None
    """The class of the anomaly, `ANOMALY`, "normal", or None: not said, or to be seen from `masks`."""
    spans: list[Span] = field(default_factory=list)
    open_spans: list[float] = field(default_factory=list)
    """Seconds from which on there is an anomaly to the end of the video."""
    frame_spans: list[tuple[int, int]] = field(default_factory=list)
    """Half-open, zero-based."""
    masks: tuple[Path, ...] = ()
    """A mask for every frame, in the first of these that can be read: see `frame_labels.read_frame_labels`."""
    label_frames: int | None = None
    """How many frames the labels speak of, where they say so."""
    label_size: tuple[int, int] | None = None
    """Width and height of the masks, where there are any."""
    first_picture: int = 0
    """The number of the first picture in the data set's folders of pictures: 0 or 1."""
    pictures_fps: float | None = None
    """Frames a second of a folder of pictures; None takes the setting of all sources."""
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
    published_as: str | None = None
    """What HAWK's published annotations call it: see `published.py`."""
    source: str = ""
    """Set by `read_source`, with the licence."""
    licence: str | None = None


class Part(NamedTuple):
    """A part of a data set: how many of its files or rows are there."""

    what: str
    found: int
    of: int | None = None
    """How many the published data set has; None where that is not known."""
    optional: bool = False

    @property
    def complete(self) -> bool:
        """Whether nothing is missing, as far as is known."""
        return self.found >= (1 if self.of is None else self.of)


class Reading(NamedTuple):
    """A source, read."""

    videos: list[FoundVideo]
    rejections: list[Rejection]
    licence: str | None = None
    """Its terms, in a sentence or two."""
    parts: list[Part] = []  # noqa: RUF012 - never changed
    """What is there and what is missing of a published data set."""


def each_once(paths: Iterable[Path], key: Callable[[Path], Key], notes: list[Rejection]) -> dict[Key, Path]:
    """Files or folders by what they are known by. Of those known by the same the first counts, and the others get a note."""
    found: dict[Key, Path] = {}
    for path in paths:
        first = found.setdefault(key(path), path)
        if first is not path:
            notes.append(note(path.name, f"{path} is called like {first}, which is used; remove one of the two."))
    return found


def note_others(paths: Sequence[Path], title: str, notes: list[Rejection]) -> None:
    """Say in one line which videos do not belong to a data set, by their names."""
    if paths:
        what = f"{len(paths):,} video file(s) not named like those of {title} are left out"
        notes.append(note(paths[0].name, f"{what} ({some(list(map(str, paths)))})."))


def some(names: Sequence[str]) -> str:
    """The first few of many names."""
    return ", ".join(names[:3]) + (", …" if len(names) > 3 else "")


def note(item: str, reason: str) -> Rejection:
    """A word about something that was left out. Names of files that are no Unicode are written with backslashes."""
    item, reason = (text.encode(errors="backslashreplace").decode() for text in (item, reason))
    return Rejection(step="ingest", item=item, reason=reason)


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
