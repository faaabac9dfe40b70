"""What is trained on and asked: one sample for an annotation's description and one for each of its questions."""

from collections.abc import Callable, Sequence

from hawk_pipelines.schema import DESCRIBE, Annotation, Sample, Split, Task


def make_samples(annotations: Sequence[Annotation], split: Split, motion_text: Callable[[str], str]) -> list[Sample]:
    """The samples of one split, from its annotations and nothing else."""
    samples = []
    for annotation in annotations:
        if annotation.split != split:
            continue
        pairs: list[tuple[Task, str, str]] = [
            ("description", DESCRIBE, annotation.description),
            *(("question", qa.q, qa.a) for qa in annotation.QA),
        ]
        for task, question, answer in pairs:
            samples.append(
                Sample(
                    item_id=annotation.item_id,
                    task=task,
                    question=question,
                    answer=answer,
                    motion_text=motion_text(answer),
                )
            )
    return samples
