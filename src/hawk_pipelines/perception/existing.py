"""The sentences that came with the source, each given to its clip."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from pydantic import BaseModel, ConfigDict

from hawk_pipelines.perception.captioner import Captioner, LooksAt, Said, Seen
from hawk_pipelines.perception.checking import plain, shortened
from hawk_pipelines.schema import Clip, Rejection, SourceCaption, Video

TOOL = "existing"
LOOKS_AT: LooksAt = "sentences"
VERSION = 1


class Parameters(BaseModel):
    """There is nothing to set."""

    model_config = ConfigDict(extra="forbid")


@contextmanager
def open_captioner(_: Parameters) -> Iterator[Captioner]:
    """A sentence says what it says, when it says it."""
    yield Captioner(f"{VERSION}", _describe)


def _describe(seen: Seen) -> list[Said]:
    return [Said(sentence.start_s, sentence.end_s, sentence.text) for sentence in seen.sentences]


def assign(
    clips: Sequence[Clip], sentences: Sequence[SourceCaption]
) -> tuple[dict[str, list[SourceCaption]], list[SourceCaption]]:
    """Give every sentence to the clip that its middle lies in.

    Returns:
        The sentences of each clip that has any, by the clip's id, in order of time; and the sentences of no clip.
    """
    clips_of: dict[str, list[Clip]] = defaultdict(list)
    for clip in clips:
        clips_of[clip.video_id].append(clip)
    assigned: dict[str, list[SourceCaption]] = defaultdict(list)
    homeless: list[SourceCaption] = []
    for sentence in sorted(sentences, key=lambda sentence: (sentence.start_s, sentence.end_s)):
        middle = (sentence.start_s + sentence.end_s) / 2
        around = [clip.id for clip in clips_of[sentence.video_id] if clip.start_s <= middle < clip.end_s]
        place = assigned[around[0]] if around else homeless
        place.append(sentence)
    return dict(assigned), homeless


def refuse(sentence: SourceCaption, videos: Mapping[str, Video]) -> Rejection:
    """What became of a sentence of no clip."""
    video = videos.get(sentence.video_id)
    what = f"The sentence “{shortened(plain(sentence.text))}” is about {sentence.start_s:.2f} to {sentence.end_s:.2f} s"
    why = "the middle of which lies in no clip of its video" if video else "of a video that is not there"
    return Rejection(step=f"caption-{TOOL}", item=video.name if video else sentence.video_id, reason=f"{what}, {why}.")
