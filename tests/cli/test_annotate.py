import json
import re

import pytest
from click.testing import CliRunner

from hawk_pipelines.cli import main
from hawk_pipelines.datasets.records import RecordsDataset
from hawk_pipelines.schema import Caption, Draft, Video
from tests.conftest import Project


def _save(project, name, record, rows):
    path = project.folder / "data" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    RecordsDataset(filepath=str(path), record=record).save(rows)


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Three videos with captions, of which one came with a description."""
    project = Project(tmp_path)
    videos = [
        Video(
            id=f"v{number}", source="folder", path=f"{number}.mp4", name=f"{number}.mp4", frames=50, fps=10, width=64, height=64,
            duration_s=5, label="falling", spans=[], split="train", split_by="seeded",
        )
        for number in range(3)
    ]  # fmt: skip
    captions = [
        Caption(
            clip_id=f"v{number}_0000000", video_id=f"v{number}", start_s=0, end_s=5, text=f"Man {number} falls.", tool="existing",
            version="1", score=1,
        )
        for number in range(3)
    ]  # fmt: skip
    published = Draft(item_id="v2", video_id="v2", description="A man falls.", QA=[], provider="published", sources=[])
    _save(project, "02_intermediate/videos.parquet", "Video", videos)
    _save(project, "03_primary/clip_captions.parquet", "Caption", captions)
    _save(project, "02_intermediate/published_drafts.jsonl", "Draft", [published])
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.chdir(tmp_path)
    return project


def _hawk(*arguments):
    return CliRunner().invoke(main, ["annotate", *arguments], catch_exceptions=False, env={"COLUMNS": "160"})


def _told(*arguments):
    done = _hawk("--estimate", "--json", *arguments)
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_it_says_what_drafts_would_cost_without_a_key(project):
    """Also where rules are configured."""
    told = _told()
    assert (told["model"], told["items"], told["requests"], told["stored"]) == ("gpt-4o", 2, 4, 0)
    assert 1500 < told["input_tokens"] < 4000
    assert told["usd"] == pytest.approx((2.5 * told["input_tokens"] + 10 * told["output_tokens"]) / 1e6, abs=1e-4)
    assert told["most_usd"] > told["usd"]
    shown = _hawk("--estimate").stdout
    assert re.search(r"items to describe +2\n", shown)
    assert "The provider is `rules`" in shown


def test_settings_and_environments_count(project):
    dear = _told("--params", "annotate.openai.model=gpt-4")
    assert dear["usd"] > 5 * _told()["usd"]
    assert _told("--params", "annotate.openai.batch=true")["usd"] == pytest.approx(_told()["usd"] / 2, abs=1e-4)
    assert _told("--params", "annotate.questions_per_item=0")["requests"] == 2
    assert _told("--env", "local_llm")["model"] == "SmolLM2-135M-Instruct"
    assert "asks for leave" in _hawk("--estimate", "--params", "annotate.openai.ask_above_usd=0.001").stdout


def test_it_runs_from_below_the_project(project, monkeypatch):
    monkeypatch.chdir(project.folder / "conf")
    assert _told()["items"] == 2


@pytest.mark.parametrize(
    ("name", "pipelines"),
    [("03_primary/clip_captions.parquet", "split,caption"), ("02_intermediate/videos.parquet", "ingest,split,caption")],
)
def test_it_says_what_to_run_first(project, name, pipelines):
    (project.folder / "data" / name).unlink()
    done = _hawk("--estimate")
    assert done.exit_code == 1
    assert f"run `kedro run --pipelines={pipelines}` first" in done.output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "Drafts are written by `kedro run --pipelines=annotate`"),
        (["--estimate", "--params", "annotate.openai.model=gpt-99"], "no price for the model 'gpt-99'"),
        (["--estimate", "--params", "annotate.openai.modell=x"], "`annotate.openai.modell` is unknown; did you mean `model`?"),
        (["--estimate", "--params", "annotate.openai.base_url=https://me:hunter2@host/v1"], "it holds no password"),
        (["--estimate", "--params", "validate.review_share=7"], "`validate.review_share` is 7"),
        (["--estimate", "--params", "annotate.prompts=nowhere"], "The prompt nowhere/description.md cannot be read"),
        (["--estimate", "--params", "annotate"], "`annotate` has no `=`. Settings are NAME=VALUE"),
        (["--estimate", "--env", "nowhere"], "conf/nowhere"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(project, arguments, said):
    done = _hawk(*arguments)
    assert done.exit_code in (1, 2)
    assert said in done.output
    assert "Traceback" not in done.output
    assert "hunter2" not in done.output


def test_outside_a_project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "There is no HAWK project here" in _hawk("--estimate").output
