import logging

import pytest
from pydantic import SecretStr

from hawk_pipelines.language.llm_server import LlmError
from hawk_pipelines.language.prices import PriceError
from hawk_pipelines.language.prompts import PromptError
from hawk_pipelines.perception.captioner import CaptionError
from hawk_pipelines.perception.openai_vision import Parameters as Vision
from hawk_pipelines.perception.parameters import CaptionParameters
from hawk_pipelines.pipelines.annotate.parameters import AnnotateParameters
from hawk_pipelines.pipelines.llm_preflight import look_ahead
from tests.conftest import ROOT

NO_VISION = CaptionParameters()
KEY = SecretStr("sk-made-up-1234567890")


STEPS = {"ingest_videos", "write_drafts"}


@pytest.fixture(autouse=True)
def _at_the_root(monkeypatch):
    monkeypatch.chdir(ROOT)


def _settings(provider="openai", **others):
    own = {name: others.pop(name) for name in ("model", "base_url", "replies") if name in others}
    openai = {"base_url": "http://127.0.0.1:9/v1", "replies": "no/such/replies.sqlite"} | own
    return AnnotateParameters(provider=provider, openai=openai, **others)


def test_what_a_later_step_needs_is_missed_before_the_first():
    steps = {"ingest_videos", "write_drafts"}
    with pytest.raises(PriceError, match="no price for the model 'gpt-99'"):
        look_ahead(steps, _settings(model="gpt-99"), NO_VISION, KEY)
    with pytest.raises(PromptError, match=r"nowhere/description\.md"):
        look_ahead(steps, _settings(prompts="nowhere"), NO_VISION, KEY)
    with pytest.raises(PriceError, match="gpt-99"):
        look_ahead({"write_questions"}, _settings("rules", model="gpt-99"), NO_VISION, KEY)


def test_a_server_that_is_not_there_or_a_missing_key_ends_the_run_before_its_first_step():
    with pytest.raises(LlmError, match="Nothing answers at http"):
        look_ahead(STEPS, _settings(), NO_VISION, KEY)
    with pytest.raises(LlmError, match="There is no key for api"):
        look_ahead(STEPS, _settings(base_url="https://api.openai.com/v1"), NO_VISION, None)


@pytest.mark.parametrize("kept", [True, False])
def test_where_nothing_may_have_to_be_asked_it_is_warned_of(caplog, tmp_path, kept):
    """Replies are kept from earlier, or descriptions come with the source."""
    logging.getLogger("hawk_pipelines").propagate = True
    (tmp_path / "replies.sqlite").touch()
    replies = tmp_path / "replies.sqlite" if kept else tmp_path / "none.sqlite"
    look_ahead(STEPS, _settings(replies=replies), NO_VISION, KEY, published=not kept)
    (told,) = (record.getMessage() for record in caplog.records)
    assert "Nothing answers at http://127.0.0.1:9/v1" in told
    assert "ends where it does" in told


@pytest.mark.parametrize(("steps", "provider"), [({"ingest_videos", "write_drafts"}, "rules"), ({"train"}, "openai")])
def test_nothing_is_looked_at_where_no_model_is_asked(caplog, steps, provider):
    look_ahead(steps, _settings(provider, model="gpt-99"), NO_VISION, None)
    assert not caplog.records


def test_that_frames_may_not_leave_is_said_before_the_first_step():
    vision = CaptionParameters(captioners=["motion", "openai_vision"])
    with pytest.raises(CaptionError, match="allow_frames_to_leave"):
        look_ahead({"ingest_videos", "caption_clips"}, _settings("rules"), vision, None)
    look_ahead({"ingest_videos"}, _settings("rules"), vision, None)
    nowhere = {"allow_frames_to_leave": True, "openai": _settings().openai}
    with pytest.raises(LlmError, match="Nothing answers"):
        look_ahead({"caption_clips"}, _settings("rules"), vision.model_copy(update={"openai_vision": Vision(**nowhere)}), KEY)
