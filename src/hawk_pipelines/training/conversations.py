"""Conversations to train on: several questions about one item, some of which only make sense after an earlier one.

An item is annotated question by question. A conversation is put together from its samples: in a seeded order, a part of them in
short forms ("And where?"), and now and then the user asks whether the model is sure. So that "yes" is not always right, the
answer before is sometimes wrong; that answer has no labels, and the reply corrects it.
"""

from collections.abc import Callable, Sequence

import numpy as np

from hawk_pipelines.curation.answers import kind_of
from hawk_pipelines.curation.follow_ups import CHECKS, can_be_checked, checked_answer, short_forms
from hawk_pipelines.model.prompting import Turn
from hawk_pipelines.schema import Sample
from hawk_pipelines.training.parameters import ConversationParameters
from hawk_pipelines.training.samples import SampleFile

WrongAnswer = Callable[[Sample, np.random.Generator], str | None]
"""An answer to a sample's question that is not its own; None where there is none."""
TRIES = 16
"""Samples that are drawn to find a wrong answer."""


def draw_turn_counts(parameters: ConversationParameters, steps: int, seed: int) -> np.ndarray:
    """How many turns the samples of each step have, int [steps].

    All samples of a step have as many, so that little is padded. Before `parameters.start` there are single turns alone.
    """
    rng = np.random.default_rng([seed, 1])
    is_conversation = (rng.random(steps) < parameters.share) & (np.arange(steps) >= parameters.start * steps)
    return np.where(is_conversation, rng.integers(2, parameters.max_turns + 1, steps), 1)


def draw_turns(
    first: Turn,
    first_sample: Sample,
    samples: Sequence[Sample],
    requests: Sequence[str],
    n_turns: int,
    parameters: ConversationParameters,
    wrong_answer: WrongAnswer,
    rng: np.random.Generator,
) -> list[Turn]:
    """A conversation about one item. A longer one by the same draws begins like a shorter one.

    Args:
        first: the first question, in its words, and its answer.
        first_sample: what it asks.
        samples: all of the item.
        requests: wordings of the request for a description.
        n_turns: how many; fewer where nothing is left to ask.
        parameters: how often what is asked.
        wrong_answer: see there.
        rng: decides all of it.
    """
    turns, previous, was_check = [first], first_sample, False
    while len(turns) < n_turns:
        asks_check, asks_short, is_right = rng.random(3) < (
            parameters.check_share,
            parameters.follow_up_share,
            1 - parameters.correction_share,
        )
        others = [sample for sample in samples if sample.question != previous.question]
        if (asks_check or not others) and not was_check and can_be_checked(previous):
            wrong = None if is_right else wrong_answer(previous, rng)
            if wrong is not None:
                turns[-1] = Turn(turns[-1].question, wrong, is_learned=False)
            turns.append(Turn(str(rng.choice(CHECKS)), checked_answer(previous.answer, wrong is None)))
            was_check = True
            continue
        if not others:
            break
        sample = others[int(rng.integers(len(others)))]
        forms = short_forms(sample, previous) if asks_short else ()
        wordings = forms or (requests if sample.task == "description" else (sample.question,))
        turns.append(Turn(str(wordings[int(rng.integers(len(wordings)))]), sample.answer))
        previous, was_check = sample, False
    return turns


def wrong_answer_from(samples: SampleFile, sample: Sample, rng: np.random.Generator) -> str | None:
    """Another item's answer to a question of the same kind; None where a few draws find none."""
    kind = kind_of(sample.question)
    for number in rng.integers(0, len(samples), TRIES).tolist():
        other = samples[number]
        same_kind = other.task == sample.task and (sample.task == "description" or kind_of(other.question) == kind)
        if same_kind and other.item_id != sample.item_id and other.answer != sample.answer and can_be_checked(other):
            return other.answer
    return None
