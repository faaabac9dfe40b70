"""The records that every room speaks: what a video, a clip, a caption, an annotation, a sample and a refusal are.

Times are seconds from the first frame of the video, as half-open spans [start, end). Frame indices are zero-based.
"""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

DESCRIBE = "Describe the unusual event in the video."
"""The request of the description task."""

ANOMALY = "anomaly"
"""The label of an anomaly whose class the source does not say."""

Split = Literal["train", "validation", "test"]
"""Validation videos are neither trained on nor tested on: they are for choosing between models."""
Task = Literal["description", "question"]
Verdict = Literal["accepted", "needs_review", "rejected"]
"""What became of a draft. Only what is accepted is trained on; what needs review waits for a person."""
ConversationForm = Literal["full", "short", "check"]
"""A question in its own words, in a short form that needs an earlier turn, or whether the model is sure of its last answer."""
ReviewKind = Literal["description", "answer", "question"]
"""What a person judges: a draft's description, one of its answers, or a question of the pool."""


class Record(BaseModel):
    """Base of all records: unknown fields are errors, so that a renamed column is noticed at once."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Span(Record):
    """A half-open stretch of time [start_s, end_s) in seconds."""

    start_s: float = Field(ge=0, allow_inf_nan=False)
    end_s: float = Field(allow_inf_nan=False)

    @model_validator(mode="after")
    def _forwards(self) -> "Span":
        if self.end_s <= self.start_s:
            msg = f"a span ends after it starts, but this one goes from {self.start_s} to {self.end_s}"
            raise ValueError(msg)
        return self


class FrameSpan(Span):
    """A stretch of a video in seconds and in frames, which agree by the video's clock: it begins when its first frame does."""

    start_frame: int = Field(ge=0)
    end_frame: int
    """Half-open: the first frame after the stretch."""


class Video(Record):
    """A usable video, a file or a folder of pictures, known by the hash of its content."""

    id: str
    source: str
    path: str
    """Relative to the project's root where it lies inside, absolute elsewhere."""
    name: str
    """What the source calls it; unique within the source."""
    copies: list[str] = []
    """Names of other inputs with the same content, which were left out."""
    group: str | None = None
    """The source video that it was cut from; no group is on both sides of the split."""
    frames: int
    fps: float
    """Frames a second, on average. When a frame is shown is for `video.clock.clock_of` to say."""
    width: int
    height: int
    duration_s: float
    frame_intervals: str | None = None
    """How long each frame is shown, as `video.clock.Clock.intervals` writes it; None where frame n is shown at n / fps."""
    label: str | None
    """The class of the anomaly (`ANOMALY` where it is not said), "normal", or None where the source does not say."""
    spans: list[FrameSpan]
    """Where the anomaly is, in order and without overlap; empty when unknown or normal."""
    split: Split
    split_by: Literal["published", "official", "seeded"]
    licence: str | None = None
    """The terms of its source."""


class Clip(Record):
    """A stretch of a video that is captioned as one."""

    id: str
    video_id: str
    start_s: float
    end_s: float
    start_frame: int
    end_frame: int
    """Half-open: the first frame after the clip."""
    cut_by: str
    """Why it ends where it does."""
    activity: float = Field(ge=0)
    """How much moves in it (`motion_signal.activity`), mean over the clip. Never a reason to leave a clip out."""


class MotionSignal(Record):
    """The dense look along a video: where it is kept, and what it comes to."""

    video_id: str
    key: str
    """In the item store."""
    looks: int
    looks_per_s: float
    """How many there really are in a second of the video."""
    activity: float = Field(ge=0)
    """How much moves, as its mean over the video: picture widths a second, mean over the whole picture."""
    moving_share: float = Field(ge=0, le=1)
    """Of the looks, in which anything moves."""
    shots: int
    """Shots that the picture is made of; 1 where the camera is never switched."""


class SourceCaption(Record):
    """A sentence that came with the source, about a stretch of a video."""

    video_id: str
    start_s: float
    end_s: float
    text: str


class Caption(Record):
    """A sentence about a clip, when it holds (from the beginning of the video), and the tool that wrote it.

    Its middle lies in the clip.
    """

    clip_id: str
    video_id: str
    start_s: float
    end_s: float
    text: str
    tool: str
    version: str
    """Of the tool, and of the weights where it has any."""
    score: float = Field(ge=0, le=1)


class QA(Record):
    """A question and its answer, in the published annotation's field names."""

    q: str
    a: str


class Written(Record):
    """How a language model wrote a draft, and what that took."""

    model: str
    """As the server names it."""
    prompts: dict[str, str]
    """The hash of every prompt file that was used, by its name."""
    requests: list[str]
    """The keys of its replies in the store of replies."""
    input_tokens: int
    output_tokens: int
    cost_usd: float
    """When it was paid for, which may have been in an earlier run."""
    latency_s: float
    """From the first request to the last reply, without what lay between."""
    refusals: int
    """Texts that were refused or left empty and asked for again in other words."""


class Draft(Record):
    """A description and answers that nobody has checked yet, and where their words came from."""

    item_id: str
    """The video's id, where the item is the whole video."""
    video_id: str
    span: Span | None = None
    """The stretch of the video that is spoken of; None for all of it."""
    description: str
    QA: list[QA]
    provider: str
    """Who wrote it: `rules`; `captions` where it is only what the captions of a video without label say; `motion` where it is
    only what was measured; `openai` for a language model; `published` where it came with the source."""
    sources: list[str]
    """What it was written from: captions and labels, or the annotation file."""
    written: Written | None = None
    """None unless a language model wrote it."""


class Annotation(Draft):
    """A draft that passed validation: the published HAWK format (`video`, `description`, `QA`) plus provenance."""

    video: str
    split: Split
    reviewers: list[str] = []
    """Who accepted or edited something of it."""


class Finding(Record):
    """Something that a check has against a draft."""

    check: str
    """The check's name."""
    place: str
    """`description`, or `QA[n]`."""
    verdict: Literal["needs_review", "rejected"]
    """What it makes of the place: a fault in an answer costs that answer, one in the description the item."""
    reason: str


class JudgedDraft(Draft):
    """A draft, what the checks and the reviewers made of it, and why. Its texts are as edited, where somebody edited them."""

    video: str
    """The video's name; the item's id where the video is not there."""
    split: Split | None
    """None where the video is not there."""
    verdict: Verdict
    findings: list[Finding]
    """What stands against it still: a person's decision takes back what the checks found."""
    reviewers: list[str] = []
    """Who accepted or edited something of it."""


class ReviewTask(Record):
    """Something for a person to judge."""

    id: str
    """A hash of what is judged (kind, item, question and text): another text is another task."""
    kind: ReviewKind
    item_id: str | None
    """None for a question of the pool."""
    video: str | None
    """The video's name."""
    path: str | None
    """Where the video is."""
    question: str | None
    """What was asked, where an answer is judged."""
    text: str
    """What is judged."""
    reasons: list[str]
    """Why it needs review; empty where it was drawn at random from what does not."""
    sources: list[str]
    """What the text was written from."""


class Decision(Record):
    """What a person decided, and when."""

    task_id: str
    kind: ReviewKind
    item_id: str | None
    question: str | None
    text: str
    """The text that was judged."""
    decision: Literal["accept", "edit", "reject"]
    edited: str | None = None
    """The new text of an edit."""
    reviewer: str
    time: str
    """ISO 8601, UTC."""
    seconds: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    """How long it took, where that is known."""
    note: str | None = None


class Candidate(Record):
    """A question that a language model proposed for the pool."""

    kind: str
    """What, who, where, when, how, how much or why."""
    text: str
    asks: str = "open"
    """What would answer it (`language.questions.ASKS`)."""
    anomaly: float = 0.0
    """How much it is about the anomaly, 0 to 1."""
    clarity: float = 0.0
    """How clear it is and how surely of its kind, 0 to 1."""
    against: str | None = None
    """Why it is not in the pool; None where it is."""

    @property
    def score(self) -> float:
        """The smaller of its two."""
        return min(self.anomaly, self.clarity)


class LlmCall(Record):
    """What became of a request to a language model in a run."""

    item_id: str
    purpose: str
    """What was asked for: `description`, `answers` …"""
    outcome: Literal["answered", "refused", "empty", "failed"]
    """`refused` and `empty` are replies in which there is nothing else; `failed` is no reply at all."""
    attempts: int
    """Sent in this run; 0 where the reply was in the store."""
    model: str
    input_tokens: int
    output_tokens: int
    cost_usd: float
    latency_s: float
    key: str
    """In the store of replies."""


class Sample(Record):
    """One thing to train on or to be asked: an item, a question, its answer and the answer's motion text."""

    item_id: str
    task: Task
    question: str
    answer: str
    motion_text: str


class Pair(Record):
    """A video and its caption to pretrain on, and the caption's motion text."""

    item_id: str
    caption: str
    motion_text: str
    split: Split


class Truth(Record):
    """What is really to be seen in a rendered video, slot by slot; only the evaluation reads it."""

    video_id: str
    slots: dict[str, str]


class Rejection(Record):
    """Something refused: at which step, what, and why in a full sentence."""

    step: str
    item: str
    reason: str


class StoredItem(Record):
    """Where an item's arrays lie in an item store."""

    item_id: str
    key: str


class Asked(Record):
    """What the evaluation asks of a test item, and what is known of it."""

    item_id: str
    task: Task
    question: str
    reference: str
    kind: str
    """Of question: what, who, where, when, how, how much, why, or `other`; `description` for that task."""
    source: str
    """The data set."""
    video: str
    """The source video. What comes from one is resampled together: it is not independent."""
    normal: bool
    """Whether nothing unusual is to be seen in the item."""

    @property
    def key(self) -> tuple[str, str, str]:
        """Item, task and question: what is asked."""
        return self.item_id, self.task, self.question

    def answered(self, model: str, answer: str) -> "Prediction":
        """The same with an answer; also of what somebody else answered."""
        return Prediction(**self.model_dump(include=set(Asked.model_fields)), model=model, answer=answer)


class Prediction(Asked):
    """A generated answer beside the reference."""

    model: str
    """Who answered: `hawk`, the name of a baseline, or that of a variant."""
    answer: str


class ConversationTurn(Prediction):
    """An answer in the course of a conversation, beside the reference of the question that it stands for."""

    turn: int = Field(ge=1)
    """1: the first question of the conversation."""
    form: ConversationForm
    wording: str
    """What the user says; `question` is what is meant."""


class ConversationScore(Record):
    """A figure of the answers of a turn, beside that of the same questions when each is asked by itself."""

    form: ConversationForm
    turn: int | None
    """None: all turns but the first."""
    metric: str
    """`accuracy`, where it is known what is to be seen, and `bleu_4`."""
    value: float | None
    low: float | None
    high: float | None
    """The 95 % interval, by source video; None where fewer than two are behind it."""
    alone: float | None
    """Of the same questions, each asked by itself and in its own words."""
    items: int
    videos: int


class Judgement(Prediction):
    """What a language model as judge made of an answer in a dimension."""

    dimension: Literal["reasonability", "detail", "consistency"]
    score: float | None
    """In [0, 1]; None where there is none."""
    outcome: Literal["judged", "empty", "out_of_range", "refused", "broken", "no_reference"]
    reason: str | None
    """Why there is no score, or 0 without asking."""


class EvaluationScore(Record):
    """A figure of a model's answers (`evaluation.scores.Score`)."""

    model: str
    task: Task
    part: str
    """`all`, `normal`, `anomalous`, `kind:<kind of question>` or `source:<data set>`."""
    metric: str
    value: float | None
    low: float | None
    high: float | None
    """The 95 % interval, by source video; None where fewer than two are behind it."""
    items: int
    videos: int


class EvaluationDifference(Record):
    """What a second model has over a first, on what both answered (`evaluation.scores.Comparison`)."""

    first: str
    second: str
    task: Task
    part: str
    metric: str
    value: float | None
    """Second − first."""
    low: float | None
    high: float | None
    p: float | None
    items: int
    videos: int
    only_first: int
    """Items that only the first has a figure of; they are not behind this."""
    only_second: int


class WindowPart(FrameSpan):
    """A part of a video that is sampled as one."""

    item_id: str
    video_id: str
    looks: int
    """Frames that are sampled, evenly."""


class Window(FrameSpan):
    """A stretch of a video that is looked at by itself."""

    item_id: str
    video_id: str


class WindowScore(Window):
    """What a window was given."""

    score: float
    """The model's probability that something unusual happens in it."""
    share: float
    """Of the model's answers, those that begin in one of the ways that are told apart."""
    flow: float
    """Plain motion: pixels a frame, mean over the window's sampled frames."""
    peak_flow: float
    """The same of the point that moves most, mean over the frames."""


class AnomalyScore(Record):
    """How unusual a video is, along it."""

    video_id: str
    video: str
    """Its name."""
    raw: list[float]
    """By frame: the mean of the windows that cover it."""
    smoothed: list[float]
    """By frame; what figures and spans are made of."""
    predicted: list[FrameSpan]
    """Where the smoothed score is at or above the threshold."""


class Ablated(Prediction):
    """What a variant's model answered."""

    seed: int
    """That it was trained with."""

    @property
    def variant(self) -> str:
        """The model's name."""
        return self.model


class AblationRow(Record):
    """A figure of a variant, and what it has over the reference."""

    variant: str
    task: Task
    metric: str
    value: float
    """Mean over its seeds."""
    lowest: float
    highest: float
    """Of the seeds."""
    seeds: int
    difference: float | None
    """Variant − reference, over the seeds that both have; None for the reference itself."""
    low: float | None
    high: float | None
    """The 95 % interval of the difference; None where it is of one seed."""
    p: float | None
    """Two-sided, of no difference; None where it is of one seed."""
    compared_seeds: int
    """Seeds behind the difference: those that both have."""
    compared_items: int
    """Answers behind the difference, over these seeds."""
    items: int
    """Answers behind the value, over all seeds."""
    videos: int
    """Source videos that these are about."""
