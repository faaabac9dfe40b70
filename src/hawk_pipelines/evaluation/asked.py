"""What a model is asked about the test items, and what is known of each."""

import logging
from collections.abc import Iterator, Sequence

from hawk_pipelines.curation.answers import kind_of
from hawk_pipelines.engine.joins import check_annotated, check_joined
from hawk_pipelines.language.refusals import is_refusal
from hawk_pipelines.schema import Annotation, Asked, Sample, Video

HAWK, CONSTANT, NEIGHBOUR = "hawk", "constant", "nearest neighbour"
"""Who answers: the model that is evaluated, and the baselines of this project."""
NORMAL = "normal"
"""The label of a video in which nothing unusual happens."""
NAMED = 5
"""Items of a kind that are told by name; of the rest, how many there are."""

logger = logging.getLogger(__name__)


def asked(samples: Sequence[Sample], annotations: Sequence[Annotation], videos: Sequence[Video]) -> list[Asked]:
    """Every question about a test item once, in the order of the samples.

    Args:
        samples: of the test split.
        annotations: of these items, at least.
        videos: that they are about, at least.

    Returns:
        One for each item, task and question; where it has several answers, the first is the reference. A stretch of a video
        counts as normal where no anomaly lies in it.

    Raises:
        TablesApart: a sample is of another annotation, or an annotation of another video, than those that are there.
    """
    of_item, of_video = {one.item_id: one for one in annotations}, {video.id: video for video in videos}
    check_joined("test_samples", (sample.item_id for sample in samples), "annotations", of_item, "item")
    check_annotated([of_item[item_id] for item_id in dict.fromkeys(sample.item_id for sample in samples)], videos)
    found = list(_asked(samples, of_item, of_video))
    references = {one.key: one.reference for one in found}
    others = {key: None for one in samples if references[key := (one.item_id, one.task, one.question)] != one.answer}
    if others:
        items = list(dict.fromkeys(item_id for item_id, _, _ in others))
        logger.warning(
            "%d question(s) stand there more than once with different answers, of which the first counts; in item %s.",
            len(others),
            few(items),
        )
    return found


def few(names: Sequence[str]) -> str:
    """The first of them, and how many more there are."""
    more = f" and {len(names) - NAMED:,} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def in_words(one: Asked) -> str:
    """What is asked, as it is told to people."""
    return one.item_id if one.task == "description" else f"{one.item_id} ({one.question})"


def has_words(text: str) -> bool:
    """Whether a text says anything: an answer that does not is empty, and worth 0."""
    return any(map(str.isalnum, text))


def has_reference(one: Asked) -> bool:
    """Whether there is anything to compare an answer with: a refusal says nothing of the video."""
    return has_words(one.reference) and not is_refusal(one.reference)


def _asked(samples: Sequence[Sample], annotations: dict[str, Annotation], videos: dict[str, Video]) -> Iterator[Asked]:
    seen = set()
    for sample in samples:
        which = sample.item_id, sample.task, sample.question
        if which in seen:
            continue
        seen.add(which)
        annotation = annotations[sample.item_id]
        video = videos[annotation.video_id]
        yield Asked(
            item_id=sample.item_id,
            task=sample.task,
            question=sample.question,
            reference=sample.answer,
            kind="description" if sample.task == "description" else kind_of(sample.question),
            source=video.source,
            video=video.group or video.id,
            normal=_is_normal(annotation, video),
        )


def _is_normal(annotation: Annotation, video: Video) -> bool:
    if video.label == NORMAL:
        return True
    if annotation.span is None or not video.spans:
        return False
    return all(span.end_s <= annotation.span.start_s or span.start_s >= annotation.span.end_s for span in video.spans)
