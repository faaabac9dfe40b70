"""Examples as the page shows them: what the model saw, what it was asked, what it said, and what others said."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import groupby
from typing import NamedTuple

from numpy.typing import NDArray

from hawk_pipelines.errors import HawkError
from hawk_pipelines.evaluation.report.cells import number
from hawk_pipelines.evaluation.report.examples import Ranked, ranked
from hawk_pipelines.evaluation.report.pictures import ItemPictures, data_uri, overlaid
from hawk_pipelines.schema import Judgement, Prediction, Task

MOST_PICTURES = 4_000_000
"""Characters of all pictures in a page; examples for which nothing is left have none."""
LONGEST = 1500
"""Characters of a text that are shown."""
Pictures = Callable[[str], ItemPictures | None]
"""Of an item."""


class Shot(NamedTuple):
    """A frame, as addresses that hold the pictures themselves."""

    frame: str
    moving: str
    """The same with what moves in it."""
    time_s: float


class Said(NamedTuple):
    """Somebody's answer."""

    model: str
    pieces: list[tuple[str, bool]]
    """Of its text, and whether that is a word which the reference has not got."""
    worth: str


class Answered(NamedTuple):
    """A question, and what was answered."""

    question: str
    kind: str
    reference: str
    said: Said
    others: list[Said]


class Example(NamedTuple):
    """What was asked about an item."""

    name: str
    item_id: str
    source: str
    normal: bool
    shots: list[Shot]
    without: str
    """Why there are no pictures of it; empty where there are."""
    answered: list[Answered]


def show(
    worst: Mapping[Task, Sequence[Ranked]],
    others: Sequence[Prediction],
    judgements: Sequence[Judgement],
    names: Mapping[str, str],
    pictures: Pictures,
) -> dict[Task, list[Example]]:
    """Examples by task: what is said of one item together, in the order of the worst that is said of it.

    Args:
        worst: the answers that are shown, by task.
        others: what others answered.
        judgements: of all of them.
        names: what each item's video is called.
        pictures: of an item. Where it raises a `HawkError`, that is shown in their place.
    """
    wanted = {one.prediction.key for few in worst.values() for one in few}
    said: dict[tuple[str, ...], list[Said]] = {}
    for other in ranked([one for one in others if one.key in wanted], judgements):
        said.setdefault(other.prediction.key, []).append(_said(other))
    left = MOST_PICTURES
    examples: dict[Task, list[Example]] = {}
    for task, few in worst.items():
        of_item: dict[str, list[Ranked]] = {}
        for one in few:
            of_item.setdefault(one.prediction.item_id, []).append(one)
        for item_id, answers in of_item.items():
            shots, without = _shots(pictures, item_id) if left > 0 else ([], _FULL)
            left -= sum(len(shot.frame) + len(shot.moving) for shot in shots)
            about = answers[0].prediction
            answered = [_answered(one, said.get(one.prediction.key, [])) for one in answers]
            example = Example(names.get(item_id, item_id), item_id, about.source, about.normal, shots, without, answered)
            examples.setdefault(task, []).append(example)
    return examples


_FULL = f"No pictures: those of this page are limited to {MOST_PICTURES / 1e6:g} MB. Show fewer examples (`evaluate.examples`)."


def _shots(pictures: Pictures, item_id: str) -> tuple[list[Shot], str]:
    """Pictures of an item; or why there are none."""
    try:
        seen = pictures(item_id)
        shots = [] if seen is None else [_shot(*one) for one in zip(*seen, strict=True)]
    except HawkError as error:
        return [], f"No pictures: {error}"
    return shots, "" if shots else "No pictures: no frames of this item are stored."


def _shot(frame: NDArray, mask: NDArray, time_s: float) -> Shot:
    return Shot(data_uri(frame), data_uri(overlaid(frame, mask)), float(time_s))


def _answered(one: Ranked, others: list[Said]) -> Answered:
    about = one.prediction
    return Answered(shortened(about.question), about.kind, shortened(about.reference), _said(one), others)


def _said(one: Ranked) -> Said:
    worth = [] if one.rouge_l is None else [f"ROUGE-L {number(one.rouge_l)}"]
    for judgement in one.judgements:
        why = "" if judgement.score is not None else f" ({judgement.outcome.replace('_', ' ')})"
        worth.append(f"{judgement.dimension.capitalize()} {number(judgement.score)}{why}")
    return Said(one.prediction.model, _pieces(one.prediction.answer, one.prediction.reference), " · ".join(worth))


def _pieces(answer: str, reference: str) -> list[tuple[str, bool]]:
    """Runs of words that the reference has got and of others; spaces are of the former."""
    known = set(_words(reference))
    pieces = [(piece, any(word not in known for word in _words(piece))) for piece in re.split(r"(\s+)", answer[:LONGEST])]
    runs = [("".join(piece for piece, _ in run), foreign) for foreign, run in groupby(pieces, lambda one: one[1])]
    cut = shortened(answer)[LONGEST:]
    return [run for run in [*runs, (cut, False)] if run[0]]


def _words(text: str) -> Iterable[str]:
    return re.findall(r"\w+", text.casefold())


def shortened(text: str) -> str:
    """A text, cut where it is too long to be shown."""
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}… ({len(text) - LONGEST:,} more characters)"
