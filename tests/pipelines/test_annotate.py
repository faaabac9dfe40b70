"""The node over a server that fails in many ways; what its parts do is tried in tests/language."""

import json
import logging

import mlflow
import pytest
from pydantic import SecretStr

from hawk_pipelines.engine.run import EngineParameters
from hawk_pipelines.engine.store import ItemStore
from hawk_pipelines.language.llm import LlmError, SpendingLimit
from hawk_pipelines.pipelines.annotate.nodes import write_drafts
from hawk_pipelines.pipelines.annotate.parameters import AnnotateParameters
from hawk_pipelines.pipelines.validate.parameters import ValidateParameters
from hawk_pipelines.schema import Caption, Draft, Video
from tests.conftest import ROOT
from tests.language.asking import PRICES
from tests.servers.llm import MODEL, LlmServer, completion, error


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run the node over videos of which the last is unknown and the first came with a description."""
    monkeypatch.chdir(ROOT)
    (tmp_path / "prices.yml").write_text(PRICES)
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path / 'mlflow.db'}")
    mlflow.create_experiment("annotate", artifact_location=str(tmp_path / "artifacts"))
    mlflow.set_experiment("annotate")
    servers = []

    def start(count=4, answer=None, **settings):
        servers.append(LlmServer(answer=answer))
        videos = [
            Video(
                id=f"{n:032x}", source="s", path=f"{n}.mp4", name=f"{n}.mp4", frames=300, fps=30, width=320, height=240,
                duration_s=10, label=None if n == count - 1 else "falling", spans=[], split="train", split_by="seeded",
            )
            for n in range(count)
        ]  # fmt: skip
        captions = [
            Caption(
                clip_id="c", video_id=video.id, start_s=0, end_s=2, text=f"A person falls at item-{n:04d}.", tool="existing",
                version="1", score=1,
            )
            for n, video in enumerate(videos[:-1])
        ]  # fmt: skip
        published = [Draft(item_id=videos[0].id, video_id=videos[0].id, description="", QA=[], provider="published", sources=[])]
        openai = {"base_url": servers[-1].url, "model": MODEL, "prices": tmp_path / "prices.yml", "ask_above_usd": 1000}
        openai |= {"replies": tmp_path / "replies.sqlite", "first_wait_s": 0.01, "attempts": 2} | settings
        with mlflow.start_run() as active:
            try:
                return write_drafts(
                    videos, captions, published, AnnotateParameters(provider="openai", openai=openai),
                    ValidateParameters(decisions=tmp_path / "decisions.sqlite"), 0, EngineParameters(),
                    SecretStr("sk-made-up-0123456789"), ItemStore(tmp_path / "drafts"),
                )  # fmt: skip
            finally:
                start.run_id, start.server = active.info.run_id, servers[-1]

    yield start
    mlflow.set_tracking_uri(None)
    for server in servers:
        server.close()


def _logged(run_id):
    """Metrics, and the rows of the table of calls."""
    metrics = mlflow.get_run(run_id).data.metrics
    table = mlflow.artifacts.load_text(f"runs:/{run_id}/annotate_calls.json")
    return metrics, json.loads(table)["data"]


def test_every_item_has_a_draft_of_its_own_or_a_reason(run):
    drafts, rejected, calls = run()
    assert [draft.item_id for draft in drafts] == [f"{n:032x}" for n in (1, 2)]
    assert all(f"item-{n:04d}" in draft.description for n, draft in zip((1, 2), drafts, strict=True))
    assert [(one.item, one.reason.split(":")[0]) for one in rejected] == [("3.mp4", "Nothing is known of it")]
    assert [(call.item_id, call.purpose) for call in calls] == [
        (f"{n:032x}", purpose) for n in (1, 2) for purpose in ("description", "answers")
    ]
    metrics, rows = _logged(run.run_id)
    assert metrics["annotate.llm.requests"] == metrics["annotate.llm.attempts"] == len(run.server.chats) == len(rows) == 4
    assert metrics["annotate.llm.spent_usd"] == pytest.approx(sum(call.cost_usd for call in calls))


def test_some_items_without_a_reply_are_warned_of_and_asked_again(run, caplog):
    logging.getLogger("hawk_pipelines").propagate = True

    def too_long(asked):
        return error(400, "too long") if asked.marker == "item-0001" else None

    drafts, rejected, _ = run(answer=too_long)
    assert [draft.item_id for draft in drafts] == [f"{2:032x}"]
    assert ("1.mp4", True) in [(one.item, "too long" in one.reason) for one in rejected]
    assert "1 of 2 items have no draft" in caplog.text
    drafts, _, calls = run()
    assert len(drafts) == 2
    assert [call.attempts for call in calls] == [1, 1, 0, 0]


def test_where_no_item_has_a_draft_the_run_ends(run):
    with pytest.raises(LlmError, match=r"2 of 2 items have no draft.*too long"):
        run(answer=lambda _: error(400, "too long"))
    assert _logged(run.run_id)[0]["annotate.llm.failed"] == 2


def test_what_was_spent_is_told_where_the_run_ends_at_its_limit(run):
    with pytest.raises(SpendingLimit, match=r"annotate\.openai\.limit_usd"):
        run(count=12, limit_usd=0.3, concurrency=1)
    metrics, rows = _logged(run.run_id)
    assert metrics["annotate.llm.spent_usd"] == pytest.approx(0.4)
    assert len(rows) >= 2


def _said(text, **more):
    return lambda asked: completion(text, **more)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (_said("I'm sorry, but I can't help with that."), "4 refused, 0 empty (the first: “I'm sorry, but I can't help"),
        (_said('{"description": "As an AI, I cannot view the video."}'), "4 refused, 0 empty (the first: “{"),
        (_said("", finish="stop"), "0 refused, 4 empty (the first came with finish_reason stop, prompt_tokens 100"),
        (_said('{"description": " - "}'), "0 refused, 4 empty"),
    ],
    ids=["refused", "refused in JSON", "empty", "empty in JSON"],
)
def test_where_every_reply_is_empty_or_refused_the_run_ends_each_time_and_pays_once(run, answer, words):
    for sent in (4, 0):
        with pytest.raises(LlmError) as raised:
            run(answer=answer)
        assert f"Not one of the 4 replies of {MODEL}" in str(raised.value)
        assert words in str(raised.value)
        assert "(`annotate.openai.model`)" in str(raised.value)
        assert "`hawk annotate --forget refused empty`" in str(raised.value)
        assert len(run.server.chats) == sent
        metrics, _ = _logged(run.run_id)
        assert metrics["annotate.llm.refused"] + metrics["annotate.llm.empty"] == 4


def test_one_answer_among_refusals_is_a_draft(run):
    drafts, _, calls = run(answer=lambda asked: None if asked.marker == "item-0001" else completion("I cannot see the video."))
    assert [bool(draft.description) for draft in drafts] == [True, True]
    assert {call.outcome for call in calls} == {"answered", "refused"}
