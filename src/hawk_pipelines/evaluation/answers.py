"""A model's answers to everything that is asked about the test items."""

import logging
from collections.abc import Callable, Sequence
from itertools import groupby

from hawk_pipelines.engine.progress import progress
from hawk_pipelines.evaluation.asked import HAWK, few
from hawk_pipelines.model.answering import Query, answer, context_of, has_room, watch
from hawk_pipelines.model.batch import FrameTokens
from hawk_pipelines.model.checkpoint import Parts
from hawk_pipelines.model.errors import PromptError
from hawk_pipelines.model.hawk import Watched
from hawk_pipelines.model.settings import GenerationSettings
from hawk_pipelines.schema import Asked, Prediction

logger = logging.getLogger(__name__)


def answer_all(
    parts: Parts,
    asked: Sequence[Asked],
    read: Callable[[str], FrameTokens],
    batch_size: int,
    generation: GenerationSettings | None = None,
    name: str = HAWK,
) -> list[Prediction]:
    """Ask a model everything. Each video is watched once, however often it is asked.

    What is batched together depends on what is asked and not on its order, so that the same is answered in every order. Questions
    that cannot be asked, as they are empty or too long for the model, are left out with a warning that names their items.

    Args:
        parts: model and tokenizer.
        asked: about items that can be read.
        read: what the frozen encoder saw of an item.
        batch_size: videos that are watched, and questions that are answered, at a time.
        generation: greedy by default.
        name: who answers.

    Returns:
        A prediction for each that can be asked, in the order of `asked`.

    Raises:
        PromptError: none of them can be asked.
        ModelError: what was seen is of another encoder than the model's.
    """
    once = sorted({one.key: one for one in asked}.values(), key=lambda one: one.key)
    items = [(item_id, list(questions)) for item_id, questions in groupby(once, lambda one: one.item_id)]
    answers: dict[tuple, str] = {}
    left_out: dict[str, list[str]] = {}
    for start in progress(range(0, len(items), batch_size), f"{name} answers"):
        now = items[start : start + batch_size]
        seen = [read(item_id) for item_id, _ in now]
        queue: list[tuple[int, Asked]] = []
        for row, one in ((row, one) for row, (_, questions) in enumerate(now) for one in questions):
            if fault := why_unaskable(parts, Query(one.question), seen[row].times_s, generation or GenerationSettings()):
                left_out.setdefault(fault, []).append(one.item_id)
            else:
                queue.append((row, one))
        watched = watch(parts.model, seen)
        # Questions of one length are answered together: little is padded, and answers to the same question end together.
        queue.sort(key=_length)
        for batch in (queue[begin : begin + batch_size] for begin in range(0, len(queue), batch_size)):
            rows = [row for row, _ in batch]
            queries = [Query(one.question) for _, one in batch]
            said = answer(parts, rows_of(watched, rows), queries, [seen[row].times_s for row in rows], generation)
            answers |= {one.key: text for (_, one), text in zip(batch, said, strict=True)}
    if left_out and not answers:
        msg = f"None of {len(once)} questions can be asked of {name}. {next(iter(left_out))}"
        raise PromptError(msg)
    for fault, ones in left_out.items():
        of = f"{len(ones):,} of {len(once):,} questions are left out, about {few(list(dict.fromkeys(ones)))}"
        logger.warning("%s: %s. %s", name, of, fault)
    return [one.answered(name, answers[one.key]) for one in asked if one.key in answers]


def why_unaskable(parts: Parts, query: Query, times_s: Sequence[float], generation: GenerationSettings) -> str | None:
    """Why a question cannot be asked; None where it can."""
    try:
        if has_room(parts, query, times_s, generation):
            return None
    except PromptError as error:
        return str(error)
    context, new = context_of(parts.model), generation.max_new_tokens
    has = f"The model has room for {context} tokens in all, of which an answer may take {new}"
    return f"{has}; with its prompt the question takes more than are left."


def _length(queued: tuple[int, Asked]) -> tuple[int, str, int]:
    row, one = queued
    return len(one.question), one.question, row


def rows_of(watched: Watched, rows: list[int]) -> Watched:
    """Some of the watched videos, one for each question that is asked now."""
    appearance_BQD, motion_BQD = watched
    return Watched(appearance_BQD[rows], None if motion_BQD is None else motion_BQD[rows])
