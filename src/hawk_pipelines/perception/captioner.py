"""What every captioner is given, and what it gives back. A back-end is one module of this room; see `BackEnd`."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, Literal, NamedTuple, Protocol

from hawk_pipelines.errors import HawkError
from hawk_pipelines.schema import Clip, LlmCall, SourceCaption, Video
from hawk_pipelines.video.motion_signal import Signal

LooksAt = Literal["sentences", "signal", "pictures"]


REFUSED, EMPTY = "refused to caption it", "gave an empty reply"
"""Words of a reason that is a reply without an answer."""


class CaptionError(HawkError):
    """A clip that a captioner cannot caption, or a captioner that cannot be used."""


class Seen(NamedTuple):
    """A clip, as a captioner is given it."""

    clip: Clip
    video: Video
    sentences: tuple[SourceCaption, ...] = ()
    """What the source says of it."""
    signal: Signal | None = None
    """What moves in it; None unless the captioner looks at the signal."""


class Said(NamedTuple):
    """A sentence about a clip. Nothing about it is checked yet (`checking.py` does that)."""

    start_s: float
    """Seconds from the beginning of the video."""
    end_s: float
    text: str
    score: float = 1.0
    """How sure the captioner is, 0 to 1."""


class Captioner(NamedTuple):
    """A captioner that is ready."""

    version: str
    """Of the tool, and of the weights where it has any."""
    describe: Callable[[Seen], list[Said]]
    """Raises a `HawkError` where a clip cannot be captioned."""
    in_workers: bool = False
    """Whether `describe` may be pickled to the engine's workers, where a crash or a hang costs one clip only."""
    insist: Callable[[], None] = lambda: None
    """Raises a `HawkError` when it is no use to go on with further clips."""


class Answer(NamedTuple):
    """What a server says of a clip."""

    said: list[Said]
    call: LlmCall
    """What that took, as the runs after this one tell it: with no attempts."""


class Undescribed(NamedTuple):
    """Why a clip has no caption."""

    reason: str
    for_good: bool
    """Whether it would be the same again. Otherwise nothing is kept of it, and the next run tries it again."""


class RemoteCaptioner(NamedTuple):
    """A captioner that waits for a server, and therefore is given all clips: it decides how many are on their way at a time."""

    version: str
    describe_all: Callable[[Sequence[Seen]], Iterator[tuple[int, Answer | Undescribed]]]
    """Yields (position of the clip, what is said of it), in the order in which they get ready. It is given those clips whose
    captions are not kept yet, and raises a `HawkError` where it may not begin or it is no use to go on."""


class BackEnd(Protocol):
    """What is in the module of a back-end, beside `Parameters`: its settings, a pydantic model.

    Settings with `exclude=True` change no caption (time limits, where a program lies).
    """

    TOOL: str
    """Its name, which every caption carries."""
    LOOKS_AT: LooksAt
    """What of a clip decides its captions."""
    VERSION: int
    """Raised whenever the module makes other captions of the same clip."""

    def open_captioner(self, parameters: Any, /) -> AbstractContextManager[Captioner | RemoteCaptioner]:
        """A context in which clips can be captioned: what must be loaded, or started and ended again."""
