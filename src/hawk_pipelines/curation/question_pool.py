"""The question pool: proposed by a language model by the paper's two principles, scored, thinned out, and chosen by people.

The principles: a question is about the anomaly, and it asks what, who, where, when, how, how much or why (5W2H). The model
proposes questions of each kind and scores them; what says nearly the same as a better one is dropped; the best are kept, about
as many of each kind. People reject what they do not want (`hawk review`), and the next best takes its place.
"""

from collections import defaultdict
from collections.abc import Generator, Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, create_model

from hawk_pipelines.curation.answers import kind_of
from hawk_pipelines.curation.decisions import task_id
from hawk_pipelines.curation.review import Text, rule
from hawk_pipelines.language.llm import Client, Failed, LlmError, Reply, Request, Script
from hawk_pipelines.language.parsing import look_up
from hawk_pipelines.language.prompts import Prompt, messages, quoted, read_prompt
from hawk_pipelines.language.questions import ASKS, LONGEST, Pool, PoolError, pool_of
from hawk_pipelines.schema import Candidate, Decision, ReviewTask

MEANING: Mapping[str, str] = {
    "what": "what the unusual event is, what belongs to it, or what comes of it.",
    "who": "who or what takes part in the unusual event, causes it or suffers from it.",
    "where": "at which place, or where in the picture, the unusual event is.",
    "when": "when the unusual event begins or ends, or in which part of the video it is.",
    "how": "in which way the unusual event happens, or how things and people move in it.",
    "how much": 'how long, how often, how many or how severe (it begins with "How long", "How many" and the like).',
    "why": "for which reason something is unusual, or why it happens.",
}
"""What each kind asks, for the model."""
SCORED_AT_ONCE = 20


class Proposed(BaseModel):
    """What a model is asked for first."""

    model_config = ConfigDict(extra="forbid")

    questions: list[str]


class Prompts(NamedTuple):
    """The prompts of the pool."""

    questions: Prompt
    question_scores: Prompt


def read_prompts(folder: Path) -> Prompts:
    """The two prompts of a folder.

    Raises:
        PromptError: one is missing, or lacks a name that is filled in.
    """
    return Prompts(
        read_prompt(folder, "questions", ("kind", "meaning", "count")),
        read_prompt(folder, "question_scores", ("kind", "asks", "questions")),
    )


def propose_all(client: Client, prompts: Prompts, count: int) -> list[Candidate]:
    """Proposals of every kind with their scores, in the order of the kinds.

    Raises:
        LlmError: to one of the kinds no usable reply came, or it is no use to go on.
    """
    found = {}
    for position, outcome in client.run(scripts(prompts, count), "questions"):
        if isinstance(outcome, Failed):
            msg = f"There are no questions of the kind {list(ASKS)[position]!r}. {outcome.reason} What was answered is kept."
            raise LlmError(msg)
        found[position] = outcome
    return [candidate for position in sorted(found) for candidate in found[position]]


def scripts(prompts: Prompts, count: int) -> list[partial[Script[list[Candidate]]]]:
    """What is asked for every kind, to be estimated or run."""
    return [partial(propose, kind, prompts, count) for kind in ASKS]


def propose(kind: str, prompts: Prompts, count: int) -> Script[list[Candidate]]:
    """Questions of a kind, and the model's scores of those that are usable.

    Args:
        kind: one of the seven.
        prompts: what is said to the model.
        count: how many to ask for.
    """
    said = messages(prompts.questions, kind=kind, meaning=MEANING[kind], count=count)
    reply = yield Request("questions", said, Proposed, Proposed(questions=["x" * 70] * count))
    texts = [" ".join(text.split()) for text in (reply.value.questions[: 2 * count] if reply.value else [])]
    candidates = [Candidate(kind=kind, text=text, against=_fault(kind, text)) for text in dict.fromkeys(texts)]
    usable = [one for one in candidates if one.against is None]
    for start in range(0, len(usable), SCORED_AT_ONCE):
        portion = usable[start : start + SCORED_AT_ONCE]
        scored = yield from _scored(kind, portion, prompts.question_scores)
        usable[start : start + SCORED_AT_ONCE] = scored
    return [*usable, *(one for one in candidates if one.against is not None)]


def _fault(kind: str, text: str) -> str | None:
    """Why a proposal is no question of its kind."""
    if not text.isprintable() or not any(map(str.isalnum, text)):
        return "It is no plain writing."
    if len(text) > LONGEST:
        return f"It has {len(text)} characters, more than {LONGEST}."
    if not text.endswith("?"):
        return "It is no question."
    if (asks := kind_of(text)) != kind:
        return f"It asks `{asks}`, not `{kind}`."
    return None


def _scored(kind: str, portion: Sequence[Candidate], prompt: Prompt) -> Generator[Request, Reply, list[Candidate]]:
    schema = _scores_schema(kind, len(portion))
    asked = quoted({f"question_{n}": one.text for n, one in enumerate(portion, start=1)})
    said = messages(prompt, kind=kind, asks=", ".join(f'"{asks}"' for asks in ASKS[kind]), questions=asked)
    usual = {"anomaly": 0.5, "clarity": 0.5, "asks": ASKS[kind][0]}
    reply = yield Request("question_scores", said, schema, schema(**dict.fromkeys(schema.model_fields, usual)))
    if reply.value is None:
        return [one.model_copy(update={"against": "The model refused to score it."}) for one in portion]
    scores = [getattr(reply.value, f"question_{n}") for n in range(1, len(portion) + 1)]
    return [
        one.model_copy(update={"anomaly": score.anomaly, "clarity": score.clarity, "asks": score.asks})
        for one, score in zip(portion, scores, strict=True)
    ]


@cache
def _scores_schema(kind: str, count: int) -> type[BaseModel]:
    strict = ConfigDict(extra="forbid")
    number = (float, Field(ge=0, le=1))
    parts: dict[str, Any] = {"anomaly": number, "clarity": number, "asks": (Literal[ASKS[kind]], ...)}
    score: Any = create_model("Score", __config__=strict, **parts)
    fields: dict[str, Any] = {f"question_{n}": (score, ...) for n in range(1, count + 1)}
    return create_model("Scores", __config__=strict, **fields)


def choose(candidates: Sequence[Candidate], rejected: frozenset[str], keep: int, least: float, alike: float) -> list[Candidate]:
    """All candidates with what is kept of them: the best, about as many of each kind; the others say why not.

    Args:
        candidates: proposals with their scores.
        rejected: texts that reviewers do not want.
        keep: how many, if there are so many.
        least: score from which on a question is good enough: the smaller of its two.
        alike: share of the words of two questions that they have in common, from which on they say the same.
    """
    reasons: dict[str, str] = {}
    chosen: dict[str, list[Candidate]] = defaultdict(list)
    ranked = sorted(candidates, key=lambda one: (-one.score, one.text))
    kept: list[tuple[Candidate, frozenset[str]]] = []
    for one in ranked:
        words = _words(one.text)
        same = next((other.text for other, theirs in kept if _shared(words, theirs) >= alike), None)
        if one.against:
            reasons[one.text] = one.against
        elif one.text in rejected:
            reasons[one.text] = "Reviewers rejected it."
        elif one.score < least:
            reasons[one.text] = f"Its score is {one.score:.2f}, less than {least:g}."
        elif same:
            reasons[one.text] = f"It says nearly the same as {same!r}."
        else:
            kept.append((one, words))
            chosen[one.kind].append(one)
    for one in _balanced_out(chosen, keep):
        reasons[one.text] = "There are better ones of its kind."
    return [one.model_copy(update={"against": reasons.get(one.text)}) for one in candidates]


def _balanced_out(chosen: Mapping[str, Sequence[Candidate]], keep: int) -> list[Candidate]:
    """What is too much: each kind has its share, and what a kind lacks the others have more, the best first."""
    quota = dict.fromkeys(chosen, 0)
    while sum(quota.values()) < keep:
        open_kinds = [kind for kind in chosen if quota[kind] < len(chosen[kind])]
        if not open_kinds:
            break
        least = min(quota[kind] for kind in open_kinds)
        best = max((kind for kind in open_kinds if quota[kind] == least), key=lambda kind: chosen[kind][quota[kind]].score)
        quota[best] += 1
    return [one for kind in chosen for one in chosen[kind][quota[kind] :]]


def _words(text: str) -> frozenset[str]:
    """The words that say something, in their dictionary form."""
    words = [word.strip("?,.'\"").lower() for word in text.split()]
    found = look_up([word for word in words if word])
    return frozenset(one.lemma for word, one in found.items() if word not in _EMPTY)


_EMPTY = frozenset(
    """
    a an the is are was were be do does did in on at of to for with by and or this that it its there unusual anomaly anomalous
    abnormal event incident video happen happens
    """.split()  # noqa: SIM905
)
"""Words that nearly every question has."""


def _shared(one: frozenset[str], other: frozenset[str]) -> float:
    return len(one & other) / max(1, len(one | other))


def as_file(candidates: Sequence[Candidate]) -> dict[str, dict[str, list[str]]]:
    """What is kept, as a pool file has it: kind, what is asked for, questions."""
    kept = [one for one in candidates if one.against is None]
    return {
        kind: {
            asks: [one.text for one in kept if (one.kind, one.asks) == (kind, asks)]
            for asks in ASKS[kind]
            if any((one.kind, one.asks) == (kind, asks) for one in kept)
        }
        for kind in ASKS
    }


def queue_of(candidates: Sequence[Candidate]) -> list[ReviewTask]:
    """A task for every question that is kept."""
    return [
        ReviewTask(
            id=task_id("question", None, None, one.text),
            kind="question",
            item_id=None,
            video=None,
            path=None,
            question=None,
            text=one.text,
            reasons=[],
            sources=[f"kind: {one.kind}, asks for: {one.asks}, scores: anomaly {one.anomaly:g}, clarity {one.clarity:g}"],
        )
        for one in candidates
        if one.against is None
    ]


# --- what people decided -------------------------------------------------------------------------------------------------


def rejected_questions(texts: Sequence[str], decisions: Sequence[Decision]) -> frozenset[str]:
    """Of these questions, those that reviewers have rejected."""
    subjects = [Text("question", None, None, text) for text in texts]
    rulings = rule(decisions, subjects)
    outcomes = [(subject.text, rulings.of(*subject)) for subject in subjects]
    return frozenset(text for text, ruling in outcomes if ruling is not None and ruling.outcome == "reject")


def without_rejected(pool: Pool, decisions: Sequence[Decision]) -> Pool:
    """The pool without the questions that reviewers have rejected, so that nobody is asked them and nothing is paid for them.

    Edited questions stay as they are in the file: `validate` puts the new words in their place.

    Raises:
        PoolError: no question is left.
    """
    rejected = rejected_questions([question.text for question in pool.questions], decisions)
    left = [question for question in pool.questions if question.text not in rejected]
    if not left:
        msg = "Reviewers have rejected every question of the pool; write others and set `annotate.questions`."
        raise PoolError(msg)
    return pool_of(left) if rejected else pool
