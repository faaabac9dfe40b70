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
from hawk_pipelines.curation.review import Ruling, Text, rule
from hawk_pipelines.curation.wording import instruction, unprintable
from hawk_pipelines.language.llm import Client, Failed, LlmError, Reply, Request, Script
from hawk_pipelines.language.parsing import look_up
from hawk_pipelines.language.prompts import Prompt, messages, quoted, read_prompt
from hawk_pipelines.language.questions import ASKS, LONGEST, Pool, PoolError, Question, pool_of
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
    if not text.isprintable() or not any(map(str.isalnum, text)) or unprintable(text):
        return "It is no plain writing."
    if instruction(text):
        return "It speaks to a language model."
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
        why = "The model refused to score it." if reply.said else "The model gave no score: its reply is empty."
        return [one.model_copy(update={"against": why}) for one in portion]
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
    reasons: dict[int, str] = {}
    chosen: dict[str, list[int]] = defaultdict(list)
    taken = [(text, _words(text), ", which reviewers rejected") for text in sorted(rejected)]
    for place in sorted(range(len(candidates)), key=lambda place: (-candidates[place].score, candidates[place].text)):
        one = candidates[place]
        words = _words(one.text)
        same = next((f"{text!r}{note}" for text, theirs, note in taken if _shared(words, theirs) >= alike), None)
        if one.against:
            reasons[place] = one.against
        elif one.text in rejected:
            reasons[place] = "Reviewers rejected it."
        elif one.score < least:
            reasons[place] = f"Its score is {one.score:.2f}, less than {least:g}."
        elif same:
            reasons[place] = f"It says nearly the same as {same}."
        else:
            taken.append((one.text, words, ""))
            chosen[one.kind].append(place)
    for place in _too_many(candidates, chosen, keep):
        reasons[place] = "There are better ones of its kind."
    return [one.model_copy(update={"against": reasons.get(place)}) for place, one in enumerate(candidates)]


def _too_many(candidates: Sequence[Candidate], chosen: Mapping[str, Sequence[int]], keep: int) -> list[int]:
    """Of the chosen, what is too much: each kind has its share, and what a kind lacks the others have more, the best first."""
    quota = dict.fromkeys(chosen, 0)
    while sum(quota.values()) < keep:
        open_kinds = [kind for kind in chosen if quota[kind] < len(chosen[kind])]
        if not open_kinds:
            break
        least = min(quota[kind] for kind in open_kinds)
        with_least = [kind for kind in open_kinds if quota[kind] == least]
        quota[max(with_least, key=lambda kind: candidates[chosen[kind][quota[kind]]].score)] += 1
    return [place for kind in chosen for place in chosen[kind][quota[kind] :]]


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
    return frozenset(text for text, ruling in _rulings(texts, decisions) if ruling and ruling.outcome == "reject")


def as_reviewed(pool: Pool, decisions: Sequence[Decision]) -> Pool:
    """The pool as reviewers want it: without what they have rejected, and with the words of their edits.

    So nobody is asked, and nothing is paid for, what is not wanted.

    Raises:
        PoolError: no question is left.
    """
    left: dict[str, Question] = {}
    rulings = _rulings([question.text for question in pool.questions], decisions)
    for question, (text, ruling) in zip(pool.questions, rulings, strict=True):
        if ruling is None or ruling.outcome != "reject":
            wanted = ruling.text if ruling and ruling.outcome == "edit" else text
            left.setdefault(wanted.casefold(), question._replace(text=wanted))  # an edit may say what is there already
    if not left:
        msg = "Reviewers have rejected every question of the pool; write others and set `annotate.questions`."
        raise PoolError(msg)
    questions = tuple(left.values())
    return pool if questions == pool.questions else pool_of(questions)


def _rulings(texts: Sequence[str], decisions: Sequence[Decision]) -> list[tuple[str, Ruling | None]]:
    subjects = [Text("question", None, None, text) for text in texts]
    rulings = rule(decisions, subjects)
    return [(subject.text, rulings.of(*subject)) for subject in subjects]
