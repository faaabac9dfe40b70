"""What is trained on and asked: one sample for an annotation's description and one for each of its questions; and what is
pretrained on: pairs of a video and its caption.
"""

from collections.abc import Callable, Sequence

from hawk_pipelines.schema import DESCRIBE, Annotation, Pair, Sample, Task

SAMPLES_VERSION = 1
"""Raised whenever the same annotation gives other samples."""


def make_samples(annotation: Annotation, motion_text: Callable[[str], str]) -> list[Sample]:
    """The samples of one annotation, from it and nothing else."""
    pairs: list[tuple[Task, str, str]] = [
        ("description", DESCRIBE, annotation.description),
        *(("question", qa.q, qa.a) for qa in annotation.QA),
    ]
    return [
        Sample(item_id=annotation.item_id, task=task, question=question, answer=answer, motion_text=motion_text(answer))
        for task, question, answer in pairs
    ]


def make_pairs(annotation: Annotation, samples: Sequence[Sample]) -> list[Pair]:
    """The pair to pretrain on, where the annotation is only a caption: its source says nothing of anomalies.

    A captioned video that also has a published description is fine-tuned on, and not pretrained on.

    Args:
        annotation: of a whole video.
        samples: what `make_samples` made of it.
    """
    if annotation.provider != "captions":
        return []
    return [
        Pair(item_id=annotation.item_id, caption=sample.answer, motion_text=sample.motion_text, split=annotation.split)
        for sample in samples
        if sample.task == "description"
    ]
