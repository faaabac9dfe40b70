"""What is trained on and asked: one sample for an annotation's description and one for each of its questions."""

from collections.abc import Callable

from hawk_pipelines.schema import DESCRIBE, Annotation, Sample, Task

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
