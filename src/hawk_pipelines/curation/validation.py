"""Which drafts may be trained on. A draft that fails a check is rejected with its reason; the rest become annotations."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from hawk_pipelines.curation.refusals import is_refusal
from hawk_pipelines.errors import HawkError
from hawk_pipelines.schema import QA, Annotation, Draft, Rejection, Split, Video

logger = logging.getLogger(__name__)


class NothingLeft(HawkError):
    """Not a single valid annotation."""


class Validated(NamedTuple):
    """What passed, and what did not."""

    annotations: list[Annotation]
    rejections: list[Rejection]


def validate(drafts: Sequence[Draft], videos: Sequence[Video]) -> Validated:
    """Check every draft: its video is there, it says something, and a language model did not refuse to say it.

    A question without a usable answer is left out; its item stays while it has a description.

    Args:
        drafts: at most one per item; a later one of the same item is rejected.
        videos: the usable videos.

    Raises:
        NothingLeft: no annotation is left at all.
    """
    by_id = {video.id: video for video in videos}
    annotations: dict[str, Annotation] = {}
    rejections = []
    for draft in drafts:
        video = by_id.get(draft.video_id)
        reason = _fault(draft, video, draft.item_id in annotations)
        if reason is not None or video is None:
            item = draft.item_id if video is None else video.name
            rejections.append(Rejection(step="validate", item=item, reason=reason or ""))
            continue
        kept = []
        for number, pair in enumerate(draft.QA):
            fault = _pair_fault(pair)
            if fault is None:
                kept.append(pair)
            else:
                place = f"{video.name} QA[{number}]"
                rejections.append(Rejection(step="validate", item=place, reason=f"Question {number} of {video.name} {fault}"))
        annotations[draft.item_id] = Annotation(**draft.model_dump(exclude={"QA"}), QA=kept, video=video.name, split=video.split)
    result = Validated(list(annotations.values()), rejections)
    _insist(result, videos)
    return result


def _fault(draft: Draft, video: Video | None, doubled: bool) -> str | None:
    if video is None:
        return f"The draft of item {draft.item_id} has no usable video; add the video or remove the draft."
    if not Path(video.path).exists():
        return f"The video {video.path} is no longer there; put it back or run `ingest` again."
    if doubled:
        return f"{video.name} has more than one draft and the first is used; remove the others."
    if not draft.description.strip():
        return f"The description of {video.name} is empty; write one or remove the item."
    if is_refusal(draft.description):
        said = draft.description[:60]
        return f"The description of {video.name} is a language model's refusal ({said!r}…); describe the video anew."
    return None


def _pair_fault(pair: QA) -> str | None:
    if not pair.q.strip() or not pair.a.strip():
        return "has no text in its question or its answer; complete it or remove it."
    if is_refusal(pair.a):
        return f"is answered by a language model's refusal ({pair.a[:60]!r}…); answer it anew."
    return None


def _insist(validated: Validated, videos: Sequence[Video]) -> None:
    if not validated.annotations:
        first = f" The first rejection: {validated.rejections[0].reason}" if validated.rejections else ""
        msg = (
            f"No annotation is left: of {len(videos)} video(s) none has a valid description. "
            f"Give the videos captions or labels (`captions.csv` in a folder), or published annotations.{first}"
        )
        raise NothingLeft(msg)
    splits: tuple[tuple[Split, str], ...] = (("train", "trained on"), ("test", "tested on"))
    for split, done in splits:
        if not any(annotation.split == split for annotation in validated.annotations):
            logger.warning("The %s split has no annotation: nothing can be %s.", split, done)
