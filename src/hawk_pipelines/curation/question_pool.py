"""The question pool as people want it."""

from collections.abc import Sequence

from hawk_pipelines.curation.review import Text, rule
from hawk_pipelines.language.questions import Pool, PoolError, pool_of
from hawk_pipelines.schema import Decision


def without_rejected(pool: Pool, decisions: Sequence[Decision]) -> Pool:
    """The pool without the questions that reviewers have rejected, so that nobody is asked them and nothing is paid for them.

    Edited questions stay as they are in the file: `validate` puts the new words in their place.

    Raises:
        PoolError: no question is left.
    """
    texts = [Text("question", None, None, question.text) for question in pool.questions]
    rulings = rule(decisions, texts)
    left = []
    for question, text in zip(pool.questions, texts, strict=True):
        ruling = rulings.of(*text)
        if ruling is None or ruling.outcome != "reject":
            left.append(question)
    if not left:
        msg = "Reviewers have rejected every question of the pool; write others and set `annotate.questions`."
        raise PoolError(msg)
    return pool_of(left) if len(left) < len(pool.questions) else pool
