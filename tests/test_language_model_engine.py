"""The data engine with a real language model behind HTTP: two real clips, from raw files to judged drafts."""

import json
import os
import re
import signal
import subprocess
from pathlib import Path

import pytest
import yaml

from hawk_pipelines.evaluation.judge import JudgeParameters
from tests.conftest import BIN
from tests.evaluation.judging import judged_by, prediction
from tests.test_data_engine import CUTS, _project

pytest.importorskip("xllamacpp", reason="xllamacpp is not installed (extra `local-llm`)")

# Without a model: tests/pipelines/test_annotate.py and tests/evaluation/test_judge.py, over replies that a test wrote.
pytestmark = pytest.mark.slow

CLIPS = [f"ucf_crime/{name}_{first}_{last + 1}.mp4" for name, (first, last, _) in CUTS.items()]
KEY = "sk-made-up-6f0d2c5b9e8a47"
STEPS = "--pipelines=ingest,split,caption,annotate,validate"


ANSWERS = [prediction(0), prediction(1, "")]


def _judge(project):
    """The same model as a judge, with the settings of its environment."""
    settings = yaml.safe_load((project.folder / "conf/local_llm/parameters_annotate.yml").read_text())["annotate"]["openai"]
    settings |= {"base_url": project.address, "prices": project.folder / "conf/prices.yml", "max_tokens": 32}
    settings["replies"] = project.folder / "judge.sqlite"
    return JudgeParameters(prompts=project.folder / "conf/prompts", dimensions=["consistency"], calibration=None, openai=settings)


@pytest.fixture(scope="module")
def engine(tmp_path_factory, real_data):
    """A project that has run over two clips with the server of `hawk local-llm`, and what the run said."""
    project = _project(tmp_path_factory.mktemp("engine"), real_data, CLIPS)
    (project.folder / "conf/local_llm/parameters_ingest.yml").unlink()  # the clips, not its rendered videos
    path = project.folder / "conf/local_llm/parameters_annotate.yml"
    settings = yaml.safe_load(path.read_text())
    settings["annotate"] |= {"questions_per_item": 2, "longest_captions": 600}
    settings["annotate"]["openai"]["max_tokens"] = 120
    path.write_text(yaml.safe_dump(settings))
    server = subprocess.Popen(
        [BIN / "hawk", "local-llm", "--threads", "1"], cwd=project.folder, stdout=subprocess.PIPE, text=True,
        env=os.environ | {"PYTHONPATH": str(project.folder / "src")},
    )  # fmt: skip
    try:
        project.address = re.search(r"http://127\.0\.0\.1:\d+/v1", server.stdout.readline())[0]
        assert project.address in (project.folder / "conf/local_llm/globals.yml").read_text()
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("OPENAI_API_KEY", KEY)
            project.first = project.run("kedro", "run", STEPS, "--env", "local_llm", check=False)
        project.judge = _judge(project)
        project.judged = judged_by(project.judge, ANSWERS)[0]
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(timeout=30)
    return project


def test_every_clip_has_a_draft_by_the_model_that_says_where_it_comes_from(engine):
    drafts = engine.records("03_primary/drafts.jsonl", "Draft")
    refused = engine.records("03_primary/rejected_drafts.parquet", "Rejection")
    assert sorted([draft.provider for draft in drafts] + [one.step for one in refused]) in (
        ["openai", "openai"], ["annotate", "openai"]
    )  # fmt: skip
    for draft in drafts:
        assert draft.written.model == "SmolLM2-135M-Instruct"
        assert set(draft.written.prompts) >= {"description"}
        assert draft.written.input_tokens > 100
        assert any(source.startswith("label: ") for source in draft.sources)
        assert any(" by existing: " in source for source in draft.sources)


def test_every_draft_is_judged_and_what_it_took_is_reported(engine):
    judged = {draft.video: draft for draft in engine.records("03_primary/judged_drafts.jsonl", "JudgedDraft")}
    assert {draft.item_id for draft in judged.values()} == {d.item_id for d in engine.records("03_primary/drafts.jsonl", "Draft")}
    told = json.loads((engine.folder / "data/08_reporting/validation.json").read_text())["language_model"]
    assert told["labels"] == sum(1 + len(draft.QA) for draft in judged.values())
    calls = engine.records("03_primary/draft_calls.parquet", "LlmCall")
    assert {call.purpose for call in calls} <= {"description", "answers"}
    assert all(call.attempts >= 1 and call.latency_s > 0 for call in calls)
    import mlflow

    runs = mlflow.MlflowClient(f"sqlite:///{engine.folder}/mlflow.db").search_runs(["1"])
    assert runs[0].data.metrics["annotate.llm.requests"] == len(calls)
    assert runs[0].data.metrics["validate.language_model.labels"] == told["labels"]


def test_again_without_a_server_and_a_key(engine):
    """What was paid for is used: the server is gone, there is no key, and the drafts are the same."""
    before = (engine.folder / "data/03_primary/drafts.jsonl").read_bytes()
    calls = engine.records("03_primary/draft_calls.parquet", "LlmCall")
    if any(call.outcome == "failed" for call in calls):
        pytest.skip("the small model did not bring one of its drafts to an end, so that there is no reply to use again")
    assert not (engine.folder / "conf/local_llm/globals.yml").exists()
    run = engine.run("kedro", "run", "--pipelines=annotate", "--env", "local_llm")
    assert "Next: .venv/bin/kedro run --pipelines=validate --env local_llm" in run.stdout
    assert (engine.folder / "data/03_primary/drafts.jsonl").read_bytes() == before
    assert [call.attempts for call in engine.records("03_primary/draft_calls.parquet", "LlmCall")] == [0] * len(calls)


def test_a_real_model_judges_and_its_scores_are_kept(engine):
    """A small one does not keep to the range: what is outside is no score."""
    judged = engine.judged
    assert judged.judges == {"SmolLM2-135M-Instruct": 1}
    one, empty = judged.judgements
    assert one.outcome in ("judged", "out_of_range")
    assert (one.score is not None and 0 <= one.score <= 1) == (one.outcome == "judged")
    assert empty.outcome == "empty"
    again, client = judged_by(engine.judge, ANSWERS)  # the server is gone
    assert again == judged
    assert [call.sent for call in client.calls] == [0]


def test_the_key_is_nowhere(engine):
    said = engine.first.stdout + engine.first.stderr
    assert "write_drafts" in said
    assert KEY not in said
    looked_at = 0
    for folder, _, names in os.walk(engine.folder):  # follows no links: neither to the environment nor to the clips
        for path in (Path(folder, name) for name in names):
            if not path.is_symlink():
                assert KEY.encode() not in path.read_bytes(), path
                looked_at += 1
    assert looked_at > 100
