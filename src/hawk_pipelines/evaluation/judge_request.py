"""One request to the judge: an answer, a dimension, and what became of it.

The judge is a language model that is told the reference and the answer (and the question, where one was asked) and says one
number. A number outside [0, 1], a refusal and a reply without a number are no scores, and nothing is made up in their place. What
is judged goes in as quoted data: an answer that asks for a high score is a text to evaluate, and no instruction.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

from pydantic import BaseModel, ConfigDict, Field, create_model

from hawk_pipelines.evaluation.asked import has_reference, has_words
from hawk_pipelines.language.llm import Request, Script
from hawk_pipelines.language.prompts import Prompt, messages, quoted, read_prompt
from hawk_pipelines.schema import Prediction

Dimension = Literal["reasonability", "detail", "consistency"]
DIMENSIONS: tuple[Dimension, ...] = get_args(Dimension)
Outcome = Literal["judged", "empty", "out_of_range", "refused", "broken", "no_reference"]
"""`empty`: an answer without a word is worth 0, and the judge is not asked. The others but `judged` have no score: the judge gave
a number outside [0, 1], or refused, or no usable reply came, or it was not asked because the reference is empty or a refusal."""
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)
SAID = 200
"""Characters of a refusal that are told."""

Prompts = Mapping[Dimension, Prompt]


class Question(NamedTuple):
    """What the judge is asked."""

    prediction: Prediction
    dimension: Dimension
    answer: str
    """As it is told: as it was given, or in another style."""
    repeat: int = 0
    """How often the same was asked before."""


class Verdict(NamedTuple):
    """What the judge made of it."""

    score: float | None
    """In [0, 1]; None where there is none."""
    outcome: Outcome
    reason: str | None = None
    """Why there is no score."""
    judge: str | None = None
    """The model, as the server names it; None where no reply came."""


def read_prompts(folder: Path, dimensions: Sequence[Dimension]) -> Prompts:
    """The prompt of each dimension, `judge_<dimension>.md`.

    Raises:
        PromptError: one is missing, or has not the one name that is filled in, `{{data}}`.
    """
    return {dimension: read_prompt(folder, f"judge_{dimension}", ("data",)) for dimension in dimensions}


def without_asking(prediction: Prediction) -> Verdict | None:
    """The verdict where there is nothing to ask; None where there is."""
    if not has_reference(prediction):
        said = f"a refusal ({prediction.reference[:SAID]})" if has_words(prediction.reference) else "empty"
        return Verdict(None, "no_reference", f"The reference is {said}.")
    if not has_words(prediction.answer):
        return Verdict(0.0, "empty", "The answer is empty.")
    return None


def ask(question: Question, prompt: Prompt) -> Script[Verdict]:
    """Ask for one score, in one request."""
    schema = score_schema(question.repeat)
    said = messages(prompt, data=quoted(told(question)))
    reply = yield Request(f"judge_{question.dimension}", said, schema, schema(score=0.5))
    judge = reply.kept.model
    if reply.value is None and not reply.said:
        return Verdict(None, "broken", "The judge's reply is empty.", judge)
    if reply.value is None:
        return Verdict(None, "refused", f"The judge refused: {reply.said[:SAID]}", judge)
    if not 0 <= reply.value.score <= 1:
        return Verdict(None, "out_of_range", f"The judge gave {reply.value.score:g}, which is not from 0 to 1.", judge)
    return Verdict(reply.value.score, "judged", None, judge)


def told(question: Question) -> dict[str, str]:
    """What the judge is told: neither the item nor who answered."""
    prediction = question.prediction
    texts = {"question": prediction.question} if prediction.task == "question" else {}
    texts |= {"reference": prediction.reference, "answer": question.answer}
    return {name: text.encode(errors="replace").decode() for name, text in texts.items()}  # halves of characters cannot be sent


@cache
def score_schema(repeat: int) -> type[BaseModel]:
    """An object with a `score`. The range is told and not enforced: what is outside is counted, and not asked for again.

    Args:
        repeat: how often the same was asked before. It is in the schema's title, so that the reply is not the one in the store,
            and in nothing that the judge reads.
    """
    number: Any = Field(strict=True, allow_inf_nan=False, json_schema_extra={"minimum": 0, "maximum": 1})
    title = f"Score_{repeat + 1}" if repeat else "Score"
    return create_model("Score", __config__=ConfigDict(extra="forbid", title=title), score=(float, number))
