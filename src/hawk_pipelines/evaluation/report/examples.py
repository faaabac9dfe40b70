"""Which answers are shown: the worst first."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from hawk_pipelines.evaluation.asked import has_reference
from hawk_pipelines.evaluation.rouge import rouge_l
from hawk_pipelines.plain_text import markdown, markdown_table
from hawk_pipelines.schema import Judgement, Prediction, Task


class Ranked(NamedTuple):
    """An answer and what it is ranked by."""

    prediction: Prediction
    rouge_l: float | None
    """None where there is no reference to compare with."""
    judgements: list[Judgement]
    """One for each dimension, where it was judged."""

    @property
    def worth(self) -> float | None:
        """The judge's mean over the dimensions that have a score; ROUGE-L where none has; None without reference."""
        scores = [one.score for one in self.judgements if one.score is not None]
        return sum(scores) / len(scores) if scores else self.rouge_l


def ranked(predictions: Sequence[Prediction], judgements: Sequence[Judgement]) -> list[Ranked]:
    """Answers, in their order, and what they are worth.

    Args:
        predictions: of any models.
        judgements: of these and others; empty where there is no judge.
    """
    judged: dict[tuple[str, ...], list[Judgement]] = {}
    for judgement in judgements:
        judged.setdefault((*judgement.key, judgement.model), []).append(judgement)
    rows = [row for row, one in enumerate(predictions) if has_reference(one)]
    alike = rouge_l([predictions[row].answer for row in rows], [predictions[row].reference for row in rows])
    known = dict(zip(rows, alike, strict=True))
    return [Ranked(one, known.get(row), judged.get((*one.key, one.model), [])) for row, one in enumerate(predictions)]


def worst_first(predictions: Sequence[Prediction], judgements: Sequence[Judgement], count: int) -> dict[Task, list[Ranked]]:
    """A model's worst answers to each task, of each task as many if there are as many.

    They are ordered by the judge's mean over its dimensions where it has scored them, else by ROUGE-L, which also decides between
    equals. What has no reference comes last. Further equals keep their order.

    Args:
        predictions: of one model.
        judgements: of any models.
        count: of all tasks together.
    """
    of_task: dict[Task, list[Ranked]] = {}
    for one in sorted(ranked(predictions, judgements), key=_badness):
        of_task.setdefault(one.prediction.task, []).append(one)
    shares: dict[Task, int] = {}
    for place, task in enumerate(sorted(of_task, key=lambda task: len(of_task[task]))):
        left = count - sum(shares.values())
        shares[task] = min(len(of_task[task]), left // (len(of_task) - place))
    return {task: of_task[task][: shares[task]] for task in sorted(of_task)}


def examples_table(
    predictions: Sequence[Prediction], names: Mapping[str, str], count: int, judgements: Sequence[Judgement] = ()
) -> str:
    """The same as a Markdown table.

    Args:
        predictions: what was generated.
        names: what each item's video is called.
        count: rows.
        judgements: what a judge made of them.
    """
    worst = [one.prediction for few in worst_first(predictions, judgements, count).values() for one in few]
    rows = [(names.get(one.item_id, one.item_id), one.question, one.reference, one.answer) for one in worst]
    titles = ["video", "question", "reference", "answer"]
    return markdown_table(titles, [[markdown(cell) for cell in row] for row in rows]) + "\n"


def _badness(one: Ranked) -> tuple[bool, float, float]:
    return one.worth is None, one.worth or 0.0, one.rouge_l or 0.0
