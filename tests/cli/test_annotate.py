import json
import re
import sqlite3

import pytest
from click.testing import CliRunner

from hawk_pipelines.cli import main
from hawk_pipelines.datasets.records import RecordsDataset
from hawk_pipelines.language.reply_store import STORE, Kept, ReplyStore
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


# --- forgetting ----------------------------------------------------------------------------------------------------------

SORRY = "I'm sorry, but I can't help with that."
REPLIES = {"a": ('{"description": "A man falls."}', False), "b": (SORRY, True), "c": ("", False), "d": ("", True)}
"""Texts of kept replies, and whether they were refused; the last as an earlier version kept it."""


@pytest.fixture
def kept(project):
    """The project's store of replies, with four in it."""
    path = project.folder / STORE
    path.parent.mkdir(parents=True)
    _keep(path, REPLIES)
    return path


def _keep(path, replies):
    store = ReplyStore(path)
    for key, (text, refused) in replies.items():
        store.put(key, {"model": "m"}, Kept(**KEPT | {"text": text, "refused": refused}))
    store.close()


def _keys(path):
    with sqlite3.connect(path) as connection:
        return sorted(key for (key,) in connection.execute("SELECT key FROM replies"))


KEPT = {"model": "m", "input_tokens": 9, "output_tokens": 4, "cost_usd": 0.1, "latency_s": 1, "attempts": 1}


def test_without_a_reason_it_lists_them_with_counts_and_drops_nothing(kept, monkeypatch):
    monkeypatch.chdir(kept.parents[3] / "conf" / "base")  # wherever one stands in the project
    done = _hawk("--forget")
    assert done.exit_code == 0
    counts = dict(re.findall(r"^  (\S+) +(\d+)  ", done.output, re.MULTILINE))
    assert counts == {"refused": "1", "empty": "2", "wrong-form": "0", "damaged": "0"}
    assert json.loads(_hawk("--forget", "--json").stdout) == {"kept": {name: int(count) for name, count in counts.items()}}
    assert _keys(kept) == ["a", "b", "c", "d"]


@pytest.mark.parametrize(
    ("reasons", "left", "words"),
    [
        (["refused"], ["a", "c", "d"], "1 kept replies were dropped"),
        (["empty", "Refused"], ["a"], "3 kept replies were dropped"),
        (["wrong form"], ["a", "b", "c", "d"], "0 kept replies were dropped"),
        (["wrong_form", "damaged"], ["a", "b", "c", "d"], "(0 wrong-form, 0 damaged)"),
    ],
)
def test_replies_are_dropped_by_reason(kept, reasons, left, words):
    done = _hawk("--forget", *reasons)
    assert done.exit_code == 0, done.output
    assert words in done.output
    assert _keys(kept) == left
    assert "0 kept replies were dropped" in _hawk("--forget", *reasons).output


def test_damaged_replies_can_be_dropped(kept):
    with sqlite3.connect(kept) as connection:
        connection.execute("UPDATE replies SET reply = 'x' WHERE key = 'b'")
    assert "1 damaged" in _hawk("--forget", "damaged").output
    assert _keys(kept) == ["a", "c", "d"]


def test_an_environment_and_settings_name_the_store(project, kept):
    (project.folder / "conf" / "team").mkdir()
    (project.folder / "conf" / "team" / "parameters_annotate.yml").write_text("annotate: {openai: {replies: data/team.sqlite}}\n")
    _keep(project.folder / "data" / "team.sqlite", REPLIES)
    for options in (("--env", "team"), ("--params", "annotate.openai.replies=data/team.sqlite")):
        done = _hawk("--forget", "refused", *options, "--json")
        assert json.loads(done.stdout)["dropped"]["refused"] == int(options[0] == "--env")
    assert _keys(project.folder / "data" / "team.sqlite") == ["a", "c", "d"]
    assert _keys(kept) == ["a", "b", "c", "d"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ["--forget", "refused", "rude"],
            "`rude` is no reason to drop a reply; there are refused (1), empty (2), wrong-form (0)",
        ),
        (["refused"], "Give one of the two"),
        (["--estimate", "refused"], "`hawk annotate --forget refused` drops kept replies"),
        (["--estimate", "--forget"], "Give one of the two"),
        (["--forget", "--params", "annotate.openai.replies=nowhere.sqlite"], "nowhere.sqlite is not there. Nothing was dropped."),
        (["--forget", "--params", "annotate.openai.replies=pyproject.toml"], "damaged or no store of replies"),
    ],
)
def test_what_cannot_be_forgotten_is_said_and_nothing_is_dropped(kept, arguments, words):
    done = _hawk(*arguments)
    assert done.exit_code in (1, 2)
    assert words in " ".join(done.output.split())
    assert _keys(kept) == ["a", "b", "c", "d"]
    assert not (kept.parents[3] / "nowhere.sqlite").exists()
