"""A model's answers to everything that is asked about the test items."""

from collections.abc import Callable, Sequence
from itertools import groupby

from hawk_pipelines.engine.progress import progress
from hawk_pipelines.evaluation.asked import HAWK
from hawk_pipelines.model.answering import Query, answer, watch
from hawk_pipelines.model.batch import FrameTokens
from hawk_pipelines.model.checkpoint import Parts
from hawk_pipelines.model.hawk import Watched
from hawk_pipelines.model.settings import GenerationSettings
from hawk_pipelines.schema import Asked, Prediction


def answer_all(
    parts: Parts,
    asked: Sequence[Asked],
    read: Callable[[str], FrameTokens],
    batch_size: int,
    generation: GenerationSettings | None = None,
    name: str = HAWK,
) -> list[Prediction]:
    """Ask a model everything. Each video is watched once, however often it is asked.

    What is batched together depends on what is asked and not on its order, so that the same is answered in every order.

    Args:
        parts: model and tokenizer.
        asked: about items that can be read.
        read: what the frozen encoder saw of an item.
        batch_size: videos that are watched, and questions that are answered, at a time.
        generation: greedy by default.
        name: who answers.

    Returns:
        A prediction for each, in the order of `asked`.

    Raises:
        PromptError: a question is empty or too long for the model.
        ModelError: what was seen is of another encoder than the model's.
    """
    once = sorted({one.key: one for one in asked}.values(), key=lambda one: one.key)
    items = [(item_id, list(questions)) for item_id, questions in groupby(once, lambda one: one.item_id)]
    answers: dict[tuple, str] = {}
    for start in progress(range(0, len(items), batch_size), f"{name} answers"):
        few = items[start : start + batch_size]
        seen = [read(item_id) for item_id, _ in few]
        watched = watch(parts.model, seen)
        # Questions of one length are answered together: little is padded, and answers to the same question end together.
        queue = sorted(((row, one) for row, (_, questions) in enumerate(few) for one in questions), key=_length)
        for batch in (queue[begin : begin + batch_size] for begin in range(0, len(queue), batch_size)):
            rows = [row for row, _ in batch]
            queries = [Query(one.question) for _, one in batch]
            said = answer(parts, _rows(watched, rows), queries, [seen[row].times_s for row in rows], generation)
            answers |= {one.key: text for (_, one), text in zip(batch, said, strict=True)}
    return [one.answered(name, answers[one.key]) for one in asked]


def _length(queued: tuple[int, Asked]) -> tuple[int, str, int]:
    row, one = queued
    return len(one.question), one.question, row


def _rows(watched: Watched, rows: list[int]) -> Watched:
    appearance_BQD, motion_BQD = watched
    return Watched(appearance_BQD[rows], None if motion_BQD is None else motion_BQD[rows])
