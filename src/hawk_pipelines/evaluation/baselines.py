"""Answers without a trained model: what it has to beat. Both know the training split and nothing of the references."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from hawk_pipelines.evaluation.asked import CONSTANT, NEIGHBOUR
from hawk_pipelines.evaluation.bleu import best_constant
from hawk_pipelines.evaluation.similarity import TfidfCosine
from hawk_pipelines.schema import Asked, Prediction, Sample, Task


def constant_answers(asked: Sequence[Asked], training: Sequence[Sample]) -> list[Prediction]:
    """The same answer to everything of a task: the training answer that is the best constant one for the training split itself.

    `bleu.best_constant` is the best one for the test references: chosen with what no model can know, it is the bar of the gate.

    Args:
        asked: what is to be answered.
        training: samples of the training split; the answer to a task of which there are none is empty.
    """
    constant: dict[Task, str] = {}
    for task in dict.fromkeys(one.task for one in asked):
        answers = [sample.answer for sample in training if sample.task == task]
        constant[task] = best_constant(answers, answers)[0] if answers else ""
    return [one.answered(CONSTANT, constant[one.task]) for one in asked]


def nearest_neighbour(
    asked: Sequence[Asked], training: Sequence[Sample], train_vectors: Mapping[str, NDArray], test_vectors: Mapping[str, NDArray]
) -> list[Prediction]:
    """What is said of the training item that looks most alike, by the cosine of their vectors without what all have in common.

    That is the mean of the training items' vectors: an encoder puts much the same into every vector, beside which what tells two
    videos apart is small. The neighbour is looked for among training items that have a sample of the task. Of its questions the
    one that is worded most like what is asked gives the answer (`TfidfCosine`, weights from the training questions); the first
    one among equals.

    Args:
        asked: what is to be answered.
        training: samples of the training split.
        train_vectors: by item, [D]: what its features come to. Items without one are nobody's neighbour.
        test_vectors: by item, [D]. Nothing is answered about items without one.

    Returns:
        Predictions in the order of `asked`, without those that cannot be made.
    """
    if not train_vectors:
        return []
    common = np.mean(np.stack(list(train_vectors.values())), axis=0)
    similarity = TfidfCosine([sample.question for sample in training])
    answers: dict[tuple[str, str, str], str] = {}
    for task in dict.fromkeys(one.task for one in asked):
        of_item: dict[str, list[Sample]] = {}
        for sample in training:
            if sample.task == task and sample.item_id in train_vectors:
                of_item.setdefault(sample.item_id, []).append(sample)
        mine = [one for one in asked if one.task == task and one.item_id in test_vectors]
        if not of_item or not mine:
            continue
        items, others = sorted({one.item_id for one in mine}), sorted(of_item)
        nearest = _nearest([test_vectors[item] - common for item in items], [train_vectors[item] - common for item in others])
        neighbour = {item: others[row] for item, row in zip(items, nearest, strict=True)}
        pairs = [(one, sample) for one in mine for sample in of_item[neighbour[one.item_id]]]
        alike = similarity.of([one.question for one, _ in pairs], [sample.question for _, sample in pairs])
        most: dict[tuple[str, str, str], float] = {}
        for (one, sample), value in zip(pairs, alike, strict=True):
            if value > most.get(one.key, -1):
                most[one.key], answers[one.key] = value, sample.answer
    return [one.answered(NEIGHBOUR, answers[one.key]) for one in asked if one.key in answers]


def _nearest(vectors: Sequence[NDArray], others: Sequence[NDArray]) -> list[int]:
    """Of each vector which of the others has the smallest angle to it."""
    return (_unit(vectors) @ _unit(others).T).argmax(axis=1).tolist()


def _unit(vectors: Sequence[NDArray]) -> NDArray:
    """[N, D], each of length 1; one of zeros stays so."""
    stacked = np.stack(vectors).astype(np.float32)
    return stacked / np.maximum(np.linalg.norm(stacked, axis=1, keepdims=True), 1e-12)
