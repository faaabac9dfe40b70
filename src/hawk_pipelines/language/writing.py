"""A language model writes the draft of an item: a description of its captions, label and times, then answers to its questions.

Whatever the model refuses or leaves empty it is asked for once more in other words. What it then still refuses stands in the
draft as it was said, or empty, for people to see: validation lets none of it through.
"""

import re
from collections.abc import Callable, Generator, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict, create_model

from hawk_pipelines.language.llm import Client, Failed, Reply, Request, Script
from hawk_pipelines.language.prompts import Prompt, messages, quoted, read_prompt
from hawk_pipelines.language.questions import Pool, Question, assign
from hawk_pipelines.language.refusals import is_refusal
from hawk_pipelines.language.rules import clean
from hawk_pipelines.schema import QA, Caption, Draft, Video, Written

PROVIDER = "openai"
TYPICAL_DESCRIPTION = 450
"""Characters, for estimates."""
TYPICAL_ANSWER = 110
_UNKNOWN = re.compile(
    r"\W*(?:null|none|nil|n\s?/\s?a|unknown|unclear|unspecified|no answer|"
    r"not (?:specified|known|stated|mentioned|available|applicable|provided|given|told)|"
    r"(?:it|that|this) is (?:unknown|unclear|not (?:specified|known|stated|mentioned|clear)))\W*",
    re.IGNORECASE,
)
"""How models say in words what they are to say as null."""


class Description(BaseModel):
    """What a model is asked for first."""

    model_config = ConfigDict(extra="forbid")

    description: str


class Prompts(NamedTuple):
    """The prompts of a draft, and the other wording of each."""

    description: Prompt
    description_again: Prompt
    answers: Prompt
    answers_again: Prompt


class Item(NamedTuple):
    """What is known of an item, and what is asked about it."""

    video: Video
    captions: Sequence[Caption]
    questions: Sequence[Question]


def read_prompts(folder: Path) -> Prompts:
    """The four prompts of a folder.

    Raises:
        PromptError: one is missing, or lacks a name that is filled in.
    """
    slots = {name: ("data", "questions") if name.startswith("answers") else ("data",) for name in Prompts._fields}
    return Prompts(**{name: read_prompt(folder, name, needed) for name, needed in slots.items()})


def items_of(
    videos: Sequence[tuple[Video, Sequence[Caption]]], pool: Pool, seed: int, count: int
) -> tuple[list[Item], list[tuple[str, str]]]:
    """What is known of every video, and the questions that it is asked; and (name, reason) of those of which nothing is known.

    Args:
        videos: each with its captions.
        pool: to choose questions from, all of which a language model may answer.
        seed: of the choice, which depends on it and on the video, and on no other video.
        count: questions of an item.
    """
    asks = {(one.kind, one.asks) for one in pool.questions}
    items, unknown = [], []
    for video, captions in videos:
        said = [caption for caption in captions if any(map(str.isalnum, caption.text))]
        if said or video.label:
            items.append(Item(video, said, assign(pool, asks, video.id, seed, count)))
        else:
            reason = "Nothing is known of it: it has no label and no caption. Run `caption` with captioners that see something."
            unknown.append((video.name, reason))
    return items, unknown


def scripts(items: Sequence[Item], prompts: Prompts, longest: int) -> list[Callable[[], Script[Draft]]]:
    """What is asked of every item, to be estimated or run."""
    return [partial(write, item, prompts, longest) for item in items]


def write_all(
    client: Client, items: Sequence[Item], scripts: Sequence[Callable[[], Script[Draft]]]
) -> tuple[list[Draft], list[tuple[str, str]]]:
    """The drafts, in the order of the items, and (name, reason) of those to which no usable reply came.

    Raises:
        LlmError: it is no use to go on, or the limit is reached.
    """
    drafts, failures = {}, {}
    for position, outcome in client.run(scripts, "annotate"):
        if isinstance(outcome, Failed):
            failures[position] = (items[position].video.name, outcome.reason)
        else:
            drafts[position] = outcome
    return [drafts[position] for position in sorted(drafts)], [failures[position] for position in sorted(failures)]


def write(item: Item, prompts: Prompts, longest: int) -> Script[Draft]:
    """Write the draft of one item.

    Args:
        item: what is known of it, and its questions.
        prompts: what is said to the model.
        longest: characters of captions that it is told; more are thinned out evenly.
    """
    shown = fitting(item.captions, longest)
    data = quoted(known(item.video, shown))
    told = _Told()
    description = yield from _described(data, prompts, told)
    answers: list[str | None] = []
    if item.questions and not _is_missing(description):
        answers = yield from _answered(data, item.questions, prompts, told)
    pairs = [QA(q=one.text, a=answer) for one, answer in zip(item.questions, answers, strict=False) if answer is not None]
    sources = [f"label: {item.video.label}"] * bool(item.video.label)
    sources += [f"caption of {caption.clip_id} by {caption.tool}: {caption.text}" for caption in shown]
    return Draft(
        item_id=item.video.id,
        video_id=item.video.id,
        description=description,
        QA=pairs,
        provider=PROVIDER,
        sources=sources,
        written=told.summary(),
    )


def known(video: Video, captions: Sequence[Caption]) -> dict[str, Any]:
    """What a model is told of a video: neither its name nor its place."""
    return {
        "length_s": round(video.duration_s, 1),
        "label": video.label,
        "anomaly_s": [[round(span.start_s, 1), round(span.end_s, 1)] for span in video.spans],
        "captions": [
            {"from_s": round(one.start_s, 1), "to_s": round(one.end_s, 1), "by": one.tool, "text": clean(one.text)}
            for one in captions
        ],
    }


def fitting(captions: Sequence[Caption], longest: int) -> list[Caption]:
    """As many captions as fit into so many characters, in their order and spread evenly; one that is too long is left out."""
    usable = [caption for caption in captions if len(caption.text) <= longest]
    count = len(usable)
    while count:
        chosen = [usable[k * len(usable) // count] for k in range(count)]
        length = sum(len(caption.text) for caption in chosen)
        if length <= longest:
            return chosen
        count = min(count - 1, int(count * longest / length))
    return []


class _Told:
    """What a draft's replies took, added up."""

    def __init__(self) -> None:
        self.replies: list[Reply] = []
        self.prompts: dict[str, str] = {}
        self.refusals = 0

    def summary(self) -> Written:
        kept = [reply.kept for reply in self.replies]
        return Written(
            model=kept[-1].model,
            prompts=self.prompts,
            requests=[reply.key for reply in self.replies],
            input_tokens=sum(one.input_tokens for one in kept),
            output_tokens=sum(one.output_tokens for one in kept),
            cost_usd=round(sum(one.cost_usd for one in kept), 9),
            latency_s=round(sum(one.latency_s for one in kept), 3),
            refusals=self.refusals,
        )


def _described(data: str, prompts: Prompts, told: _Told) -> Generator[Request, Reply, str]:
    description = ""
    for prompt in (prompts.description, prompts.description_again):
        typical = Description(description="x" * TYPICAL_DESCRIPTION)
        reply = yield from _asked(Request("description", messages(prompt, data=data), Description, typical), prompt, told)
        description = _refusal(reply) if reply.value is None else clean(reply.value.description)
        if not _is_missing(description):
            break
        told.refusals += 1
    return description


def _answered(
    data: str, questions: Sequence[Question], prompts: Prompts, told: _Told
) -> Generator[Request, Reply, list[str | None]]:
    """An answer to every question; None where the model says that nothing is known."""
    answers: dict[int, str | None] = {}
    wanted = list(range(len(questions)))
    for prompt in (prompts.answers, prompts.answers_again):
        asked = quoted({f"answer_{n}": questions[place].text for n, place in enumerate(wanted, start=1)})
        schema = answers_schema(len(wanted))
        typical = schema(**dict.fromkeys(schema.model_fields, "x" * TYPICAL_ANSWER))
        request = Request("answers", messages(prompt, data=data, questions=asked), schema, typical)
        reply = yield from _asked(request, prompt, told)
        for n, place in enumerate(wanted, start=1):
            text = _refusal(reply) if reply.value is None else getattr(reply.value, f"answer_{n}")
            answers[place] = None if text is None or _UNKNOWN.fullmatch(clean(text)) else clean(text)
        wanted = [place for place in wanted if _is_missing(answers[place])]
        told.refusals += len(wanted)
        if not wanted:
            break
    return [answers[place] for place in range(len(questions))]


def _asked(request: Request, prompt: Prompt, told: _Told) -> Generator[Request, Reply, Reply]:
    reply = yield request
    told.replies.append(reply)
    told.prompts[prompt.name] = prompt.sha256
    return reply


def _refusal(reply: Reply) -> str:
    """The words of a refusal where validation knows them for one; nothing where it would take them for a text."""
    return reply.said if is_refusal(reply.said) else ""


def _is_missing(text: str | None) -> bool:
    """Whether a text was refused or is empty; None is an answer: that it is not known."""
    return text is not None and (not any(character.isalnum() for character in text) or is_refusal(text))


@cache
def answers_schema(count: int) -> type[BaseModel]:
    """An object with `answer_1`, `answer_2` …, each a text or null."""
    fields: dict[str, Any] = {f"answer_{n}": (str | None, ...) for n in range(1, count + 1)}
    return create_model("Answers", __config__=ConfigDict(extra="forbid"), **fields)
