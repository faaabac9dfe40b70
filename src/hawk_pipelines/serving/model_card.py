"""The card of a registered model, for people: what it is for, how well it does, what it was made from, and on what terms."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from hawk_pipelines.evaluation.scores import PARTS
from hawk_pipelines.model.configuration import HawkConfig
from hawk_pipelines.model.settings import PromptSettings
from hawk_pipelines.plain_text import markdown, markdown_code, markdown_table
from hawk_pipelines.schema import EvaluationScore
from hawk_pipelines.serving.gate import Decision
from hawk_pipelines.serving.provenance import Code, DataVersion, Source, TrainedOn, Training

_FOR = """\
To say in words what is unusual in a video of a fixed or vehicle camera, and to answer questions about it: for sorting footage,
for searching it, and for research.

It is **not** for decisions about people without a person who looks at the video. It knows nobody: it cannot say who somebody is,
and what it says of what somebody does is a guess from few sampled frames. What it never saw in training, such as other cameras,
places, customs or kinds of events, it describes in the words of what it did see, and just as confidently. It may call what is
usual unusual, and the other way round; it may name details that are not there. The figures below say how often its words agree
with those of a reference on the test videos named here, and nothing about other videos. What counts as unusual is what the
annotators of the sources found so.
"""


_FIGURES = "## How well it does"


class Results(NamedTuple):
    """What the figures are, and what they stand on."""

    scores: Sequence[EvaluationScore]
    """Of the model."""
    notes: Sequence[str]
    """What has to be said beside them."""
    sources: Mapping[str, Source]
    """The test videos, by data set."""


class Made(NamedTuple):
    """Where it comes from."""

    training: Training
    recorded: bool
    """Whether the model's folder says how it was trained; otherwise the videos are those of tables."""
    trained_on: TrainedOn
    data: DataVersion
    code: Code
    config: HawkConfig
    wordings: Mapping[str, str]
    """Hashes of what words questions and requests have, by name."""


def model_card(name: str, version: str, decision: Decision, results: Results, made: Made) -> str:
    """The card, in Markdown.

    Args:
        name, version: in the registry.
        decision: of the gate.
        results: figures on the test videos.
        made: where the model comes from.
    """
    parts = {
        f"# {name}, version {version}": "HAWK: a model that says what is unusual in a video and answers questions about it.",
        "## Why it is what it is": f"`{decision.alias}`. {markdown(decision.reason)}",
        "## What it is for, and what not": _FOR,
        _FIGURES: _figures(results),
        "## What it was trained on": _training(made),
        "## Data and code": _versions(made),
        "## How it is asked": _prompts(made),
        "## Terms of the sources": _terms(made, results),
    }
    return "\n\n".join(f"{title}\n\n{text.strip()}" for title, text in parts.items()) + "\n"


def card_head(card: str) -> str:
    """What of a card becomes the version's description: why it is what it is, and what it is for."""
    return f"{card.partition(_FIGURES)[0]}Figures, training, data and terms are in `README.md` beside the version's files."


def _figures(results: Results) -> str:
    rows = [
        [one.task, f"`{one.metric}`", _number(one.value), _interval(one), f"{one.items:,}", f"{one.videos:,}"]
        for one in results.scores
        if one.part == PARTS.get(one.metric, "all")
    ]
    table = markdown_table(["task", "metric", "value", "95 % interval", "answers", "source videos"], rows)
    what = "All lie between 0 and 1. BLEU is of the whole corpus, against one reference each."
    told = [f"{what} Intervals are resampled by source video.", " ".join(map(markdown, results.notes))]
    return "\n\n".join([table, *filter(None, told)])


def _training(made: Made) -> str:
    lines = []
    for stage in made.training.stages() if made.recorded else []:
        start = "new branches" if stage.init_from is None else markdown_code(str(stage.init_from))
        on = f"{stage.samples:,} samples of {len(stage.videos):,} videos"
        lines.append(f"- `{stage.stage}`: {stage.steps:,} steps over {on}, from {start}, seed {stage.seed}")
    if not made.recorded:
        tables = "the videos are those in the training tables of the run that registered it"
        lines.append(f"- Its folder does not say how it was trained; {tables}.")
    videos = f"{len(made.trained_on.videos):,} videos in all; `training_videos.json` beside this card has their ids"
    lines.append(f"- {videos} and the source videos they were cut from.")
    if made.trained_on.unknown:
        lines.append(f"- {markdown(made.trained_on.unknown)}")
    return "\n".join(lines)


def _versions(made: Made) -> str:
    data, code = made.data, made.code
    dvc = f"`{data.dvc_md5}`" if data.dvc_md5 else "not the product of `dvc repro` (no such hash in `dvc.lock`)"
    commit = f"`{code.commit}`" if code.commit else "the project is not under git"
    if code.changed:
        shown = ", ".join(markdown_code(name) for name in code.changed[:5]) + (" …" if len(code.changed) > 5 else "")
        commit += f", **with {len(code.changed)} file(s) that are not in it**: {shown}"
    config = made.config
    encoder = f"{markdown_code(_name(config.frame_encoder, 'kind'))}, sha256 {_hash(config.frame_encoder_sha256)}"
    frames = f"{config.frames} frames of {config.frame_size} pixels, {config.mask} mask, flow `{config.flow}`"
    speaks = f"{markdown_code(_name(config.language_model, 'source'))}, sha256 {_hash(config.language_model_sha256)}"
    return "\n".join(
        [
            f"- annotations: {data.items:,}, sha256 `{data.sha256}`",
            f"- annotations in DVC, md5: {dvc}",
            f"- git commit: {commit}",
            f"- frame encoder: {encoder}; {frames}",
            f"- language model: {speaks}",
        ]
    )


def _prompts(made: Made) -> str:
    prompt = PromptSettings.model_validate(made.config.prompt or {})
    said = f"“{markdown(prompt.system_prompt)}”" if prompt.system_prompt else "none of our own"
    turns = made.config.conversation_turns or 1
    talk = f"conversations of up to {turns} turns" if turns > 1 else "single questions, each of which is asked afresh"
    return "\n".join(
        [
            f"- trained on {talk}",
            f"- layout `{prompt.layout}`; times of the frames are {'told' if prompt.tell_times else 'not told'}",
            f"- system prompt: {said}",
            *(f"- {name}: sha256 `{value}`" for name, value in made.wordings.items()),
        ]
    )


def _terms(made: Made, results: Results) -> str:
    trained: dict[str, Source] = {}
    for stage in made.training.stages():
        trained |= stage.sources
    rows = []
    for name in sorted({*trained, *results.sources}):
        both = [one for one in (trained.get(name), results.sources.get(name)) if one]
        licences = sorted({licence for one in both for licence in one.licences})
        counts = [f"{places[name].videos:,}" if name in places else "–" for places in (trained, results.sources)]
        rows.append([markdown(name), *counts, markdown("; ".join(licences)) or "not stated"])
    table = markdown_table(["source", "trained on", "tested on", "terms, as the source states them"], rows)
    return f"{table}\n\nWhoever uses the model answers for keeping them; frozen parts have terms of their own."


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"


def _interval(score: EvaluationScore) -> str:
    return "–" if score.low is None or score.high is None else f"{score.low:.4f} to {score.high:.4f}"


def _name(settings: dict | None, key: str) -> str:
    return str((settings or {}).get(key) or "tiny, trained along")


def _hash(sha256: str | None) -> str:
    return f"`{sha256}`" if sha256 else "not recorded"
