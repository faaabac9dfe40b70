"""A language model as judge of answers: Reasonability, Detail and Consistency, each from 0 to 1.

One request for each answer and dimension, through the project's client for language models: replies are kept, and a run that was
killed or is done again pays for nothing twice. What has no score has none in the result, with the reason, and every mean says how
many scores it is the mean of. No evaluation code of HAWK was released and its judge's version is not stated: scores of one judge
are comparable among themselves, and not with those of another.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, field_validator

from hawk_pipelines.evaluation import judge_calibration
from hawk_pipelines.evaluation.judge_calibration import Calibration, CalibrationParameters, calibrate
from hawk_pipelines.evaluation.judge_request import (
    DIMENSIONS,
    OUTCOMES,
    Dimension,
    Outcome,
    Prompts,
    Question,
    Verdict,
    ask,
    without_asking,
)
from hawk_pipelines.evaluation.statistics import Figure, figure, mean, plain
from hawk_pipelines.language.llm import Client, Failed
from hawk_pipelines.language.llm_estimate import estimate, insist_on_leave
from hawk_pipelines.language.llm_parameters import LlmParameters
from hawk_pipelines.language.prompts import FOLDER
from hawk_pipelines.schema import Judgement, Prediction, Task

NOT_CONFIGURED = "No judge was configured (`evaluate.judge` is null), so there is no Reasonability, Detail or Consistency."


class JudgeParameters(BaseModel):
    """Who judges the answers, and how much."""

    model_config = ConfigDict(extra="forbid")

    dimensions: list[Dimension] = Field(default=list(DIMENSIONS), min_length=1)
    """One request for each of them and each answer."""
    prompts: Path = FOLDER
    """`judge_<dimension>.md` is in it."""
    most_items: int | None = Field(default=None, ge=1)
    """Of all that is asked about the test items, of each task as large a share; None: all. A larger number keeps what a smaller
    one chose."""
    seed: int = 0
    """Of the choice. It is not the run's, so that models of several seeds are judged on the same."""
    calibration: CalibrationParameters | None = CalibrationParameters()
    """Whether the judge agrees with itself and minds the style; None: not looked at."""
    openai: LlmParameters = LlmParameters()
    """The judge: any server that speaks OpenAI's chat API."""

    @field_validator("dimensions")
    @classmethod
    def _each_once(cls, dimensions: list[Dimension]) -> list[Dimension]:
        if len(set(dimensions)) < len(dimensions):
            msg = "each dimension stands in it once"
            raise ValueError(msg)
        return dimensions


class Result(NamedTuple):
    """The judge's scores of one model, task and dimension."""

    model: str
    """Whose answers they are."""
    task: Task
    dimension: Dimension
    mean: Figure
    """Over the answers that have a score."""
    outcomes: dict[Outcome, int]
    """How many answers came to what."""

    @property
    def answers(self) -> int:
        """With those that have no score."""
        return sum(self.outcomes.values())


class Judged(NamedTuple):
    """What the judge made of predictions."""

    judgements: list[Judgement]
    """In the order of the predictions, and of each in the order of the dimensions."""
    results: list[Result]
    judges: dict[str, int]
    """The judge's model as the server names it, and its replies, with those of the calibration; none where no reply came."""
    prompts: dict[Dimension, str]
    """The hash of each prompt file."""
    chosen: int
    """Different things asked that were judged: item, task and question."""
    of: int
    """All of them."""
    seed: int
    calibration: Calibration | None


class _Plan(NamedTuple):
    chosen: list[Prediction]
    again: list[Prediction]
    """Of these, which the calibration asks about."""
    questions: list[Question]


def questions(predictions: Sequence[Prediction], parameters: JudgeParameters) -> list[Question]:
    """All that the judge is asked, in the order in which `judge` runs it."""
    return _plan(predictions, parameters).questions


def judge(predictions: Sequence[Prediction], client: Client, prompts: Prompts, parameters: JudgeParameters) -> Judged:
    """Have answers judged.

    Args:
        predictions: of one or more models; of all that are to be compared at once, so that the same is chosen of each.
        client: for the judge.
        prompts: of its dimensions.
        parameters: what is judged.

    Raises:
        SpendingLimit: it costs more than may be spent without leave, and nothing was sent; or the limit was reached.
        LlmError: it is no use to ask for more. What was paid for is in the store.
        ReplyStoreError: a reply could not be kept.
    """
    plan, dimensions, calibration = _plan(predictions, parameters), parameters.dimensions, parameters.calibration
    scripts = [partial(ask, question, prompts[question.dimension]) for question in plan.questions]
    insist_on_leave(client, estimate(client, scripts))
    verdicts: dict[Question, Verdict] = {}
    for position, outcome in client.run(scripts, "judge"):
        verdict = Verdict(None, "broken", outcome.reason) if isinstance(outcome, Failed) else outcome
        verdicts[plan.questions[position]] = verdict
    judgements = [_judgement(one, dimension, verdicts) for one in plan.chosen for dimension in dimensions]
    return Judged(
        judgements=judgements,
        results=_results(judgements, dimensions),
        judges=dict(Counter(verdict.judge for verdict in verdicts.values() if verdict.judge is not None)),
        prompts={dimension: prompts[dimension].sha256 for dimension in dimensions},
        chosen=len({one.key for one in plan.chosen}),
        of=len({one.key for one in predictions}),
        seed=parameters.seed,
        calibration=None if calibration is None else calibrate(plan.again, dimensions, calibration, verdicts),
    )


def _plan(predictions: Sequence[Prediction], parameters: JudgeParameters) -> _Plan:
    chosen = choose(predictions, parameters.most_items, parameters.seed, lambda one: one.key)
    to_ask = [one for one in chosen if without_asking(one) is None]
    asked = [Question(one, dimension, one.answer) for one in to_ask for dimension in parameters.dimensions]
    again: list[Prediction] = []
    if parameters.calibration is not None:
        again = choose(to_ask, parameters.calibration.items, parameters.seed, _answered)
        asked += judge_calibration.questions(again, parameters.dimensions, parameters.calibration)
    return _Plan(chosen, again, asked)


def choose(
    predictions: Sequence[Prediction], most: int | None, seed: int, which: Callable[[Prediction], tuple[str, ...]]
) -> list[Prediction]:
    """Predictions of at most so many things, of each task about as many as it has a share, in their order.

    Whether a thing is among them depends on the seed, on it and on the others of its task, and not on who answered or what.

    Args:
        predictions: to choose from.
        most: how many different things; None: all.
        seed: of the choice.
        which: what the thing is.
    """
    of_task: dict[str, set[tuple[str, ...]]] = {one.task: set() for one in sorted(predictions, key=lambda one: one.task)}
    for one in predictions:
        of_task[one.task].add(which(one))
    if most is None or most >= sum(map(len, of_task.values())):
        return list(predictions)
    taken = dict.fromkeys(of_task, 0)
    for _ in range(most):  # the task of which the smallest share is taken has the next one, so that none is left out
        taken[min(taken, key=lambda task: taken[task] / len(of_task[task]))] += 1
    chosen = {
        thing
        for task, things in of_task.items()
        for thing in sorted(things, key=lambda thing: hashlib.sha256(json.dumps([seed, *thing]).encode()).digest())[: taken[task]]
    }
    return [one for one in predictions if which(one) in chosen]


def notes(judged: Judged) -> list[str]:
    """What has to be said beside the scores, in sentences."""
    judges = ", ".join(f"{name} ({count:,} replies)" for name, count in sorted(judged.judges.items()))
    said = [f"The judge: {judges}." if judges else "The judge gave no reply."]
    if judged.chosen < judged.of:
        said.append(
            f"It judged {judged.chosen:,} of {judged.of:,} questions and requests, drawn by task with the seed {judged.seed}."
        )
    for result in judged.results:
        without = {name: count for name, count in result.outcomes.items() if count and name != "judged"}
        if without:
            told = ", ".join(f"{count:,} {_TOLD[name]}" for name, count in without.items())
            of = f"the mean of {result.mean.items:,}" if result.mean.items else "not known of any"
            which = f"{result.dimension.capitalize()} of {result.model} ({result.task})"
            said.append(f"{which} is {of} of {result.answers:,} answers: {told}.")
    styles = judged.calibration.styles if judged.calibration else []
    return said + [
        f"The judge minds the style: `{one.style}`, which keeps every fact, changes {one.dimension} by "
        f"{one.change.value:+.3f} ({one.change.low:+.3f} to {one.change.high:+.3f}; {one.change.items:,} answers)."
        for one in styles
        if one.change.low > 0 or one.change.high < 0
    ]


_TOLD: Mapping[Outcome, str] = {
    "empty": "empty and worth 0",
    "out_of_range": "without score because the judge gave a number outside [0, 1]",
    "refused": "without score because the judge refused",
    "broken": "without score because no usable reply came",
    "no_reference": "without score because the reference is empty or a refusal",
}


def summary(judged: Judged) -> dict[str, Any]:
    """All but the single scores, as JSON; what is no number is null."""
    told = judged._asdict() | {"judgements": len(judged.judgements)}
    told["results"] = [plain(result) for result in judged.results]
    told["calibration"] = None if judged.calibration is None else plain(judged.calibration)
    return told


def _answered(one: Prediction) -> tuple[str, ...]:
    return *one.key, one.model


def _judgement(prediction: Prediction, dimension: Dimension, verdicts: Mapping[Question, Verdict]) -> Judgement:
    verdict = without_asking(prediction) or verdicts[Question(prediction, dimension, prediction.answer)]
    known = prediction.model_dump()
    return Judgement(**known, dimension=dimension, score=verdict.score, outcome=verdict.outcome, reason=verdict.reason)


def _results(judgements: Sequence[Judgement], dimensions: Sequence[Dimension]) -> list[Result]:
    results = []
    for model, task in dict.fromkeys((one.model, one.task) for one in judgements):
        for dimension in dimensions:
            mine = [one for one in judgements if (one.model, one.task, one.dimension) == (model, task, dimension)]
            scored = [(one.score, one.video) for one in mine if one.score is not None]
            counts = Counter(one.outcome for one in mine)
            found = figure([(score, 1) for score, _ in scored], [video for _, video in scored], mean)
            results.append(Result(model, task, dimension, found, {name: counts[name] for name in OUTCOMES}))
    return results
