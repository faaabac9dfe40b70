import json
import os
import pty
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from hawk_pipelines.cli.review import review
from hawk_pipelines.curation.decisions import STORE, read, record, task_id
from hawk_pipelines.curation.review import QUEUE
from hawk_pipelines.schema import JudgedDraft
from tests.curation.reviews import NASTY, decision, task, write_queue

SRC = Path(__file__).parents[2] / "src"
FALL = task("A man falls.")
WHO = task("A man.", kind="answer", question="Who falls?")
POOL = task("Who falls?", kind="question", reasons=())


@pytest.fixture
def hawk(tmp_path, monkeypatch):
    """Runs `hawk review` in a project whose queue holds three tasks."""
    monkeypatch.chdir(tmp_path)
    write_queue(QUEUE, [FALL, WHO, POOL])

    def run(*arguments, status=0, stdin=None, reviewer="Ann"):
        environment = {"COLUMNS": "200", "HAWK_REVIEWER": reviewer}
        done = CliRunner().invoke(review, list(map(str, arguments)), input=stdin, env=environment, catch_exceptions=False)
        assert done.exit_code == status, done.output
        return done.output

    return run


def _decided():
    return [(one.task_id, one.decision, one.edited, one.reviewer) for one in read(STORE)]


def test_tasks_are_offered_in_order_and_once(hawk):
    assert FALL.id in hawk("next")
    assert f"{FALL.id} accepted by Ann: A man falls." in hawk("accept", FALL.id, "--seconds", 3, "--note", "Clear.")
    told = hawk("next")
    for part in (WHO.id, "Who falls?", "A man.", "why: It is short.", "from: caption: a man", f"hawk review accept {WHO.id}"):
        assert part in told
    assert POOL.id in hawk("next", "--kind", "question")
    hawk("reject", WHO.id[:4], POOL.id, "--reviewer", "Bob")
    assert "Nothing more waits for you." in hawk("next", reviewer="Cay")
    assert FALL.id in hawk("next", "--second", reviewer="Bob")
    assert WHO.id in hawk("next", "--second")
    assert "nothing more to give a second opinion on" in hawk("next", "--second", "--kind", "description")
    assert [(one.seconds, one.note) for one in read(STORE)] == [(3, "Clear."), (None, None), (None, None)]
    assert [one[:2] for one in _decided()] == [(FALL.id, "accept"), (WHO.id, "reject"), (POOL.id, "reject")]


def test_a_second_opinion_is_not_told_the_first(hawk):
    hawk("edit", FALL.id, "--text", "A woman sits.", reviewer="Bob")
    told = hawk("next", "--second")
    assert "Bob" not in told
    assert "sits" not in told


def test_an_edit_is_given_or_piped_and_is_not_empty(hawk):
    hawk("edit", FALL.id, "--text", " He trips. ")
    hawk("edit", WHO.id, stdin=f"{NASTY}\n")
    assert _decided() == [(FALL.id, "edit", "He trips.", "Ann"), (WHO.id, "edit", NASTY, "Ann")]
    for empty in ("", " \n\t"):
        assert "an edit needs a new text" in hawk("edit", FALL.id, "--text", empty, status=1)
        assert "an edit needs a new text" in hawk("edit", FALL.id, stdin=empty, status=1)
    assert "not in UTF-8" in hawk("edit", FALL.id, stdin=b"\xff", status=1)
    assert len(_decided()) == 2


def test_the_loop_records_each_decision_at_once(hawk):
    told = hawk("next", "--loop", stdin="x\ne\nA man falls.\ne\nHe trips.\ns\nr\n")
    assert "(2 needed, 1 more to look at)" in told
    assert f"{FALL.id} edited by Ann: He trips." in told
    assert _decided() == [(FALL.id, "edit", "He trips.", "Ann"), (POOL.id, "reject", None, "Ann")]
    assert all(one.seconds is not None for one in read(STORE))
    assert "Nothing more waits" in told
    for end in ("q\n", ""):
        hawk("next", "--loop", stdin=end)
        assert len(_decided()) == 2


def test_what_is_needed_comes_first_and_is_counted_apart(hawk):
    """A run waits for what the checks doubt, and for nothing else."""
    pool = [task(f"Who is number {number}?", kind="question", reasons=()) for number in range(3)]
    write_queue(QUEUE, [pool[0], FALL, *pool[1:], WHO])
    done = "All that needs a decision has one"
    told = hawk("next", "--loop", stdin="a\na\na\ns\nq\n")
    headings = [line for line in told.splitlines() if "more to look at" in line]
    assert [re.search(r"\((.*)\)", line)[1] for line in headings] == [
        f"{needed} needed, {more} more to look at" for needed, more in ((2, 3), (1, 3), (0, 3), (0, 2), (0, 1))
    ]
    assert told.count(done) == 1
    assert told.index(WHO.id) < told.index(done) < told.index(pool[0].id)
    assert done in hawk("next", "--once")
    assert "No question needs a decision." in hawk("next", "--once", "--kind", "question")
    assert done not in hawk("next", "--second", reviewer="Bob")


def test_what_is_needed_is_not_done_by_skipping_it(hawk):
    told = hawk("next", "--loop", stdin="s\ns\nq\n")
    assert "(0 needed, 1 more to look at)" in told
    assert "All that needs a decision" not in told


@pytest.mark.parametrize("command", ["accept", "reject", "edit"])
def test_a_task_that_is_not_known_is_named(hawk, command):
    assert "No task in the queue has an id that begins with 'zz'" in hawk(command, "zz", stdin="x", status=1)
    assert not STORE.exists()


def test_of_several_ids_all_are_decided_or_none(hawk):
    assert "No task" in hawk("accept", FALL.id, "zz", status=1)
    assert not STORE.exists()


def test_an_abbreviation_of_several_is_refused(hawk):
    write_queue(QUEUE, [FALL, WHO.model_copy(update={"id": f"{FALL.id[:6]}000000"})])
    assert f"2 tasks have an id that begins with '{FALL.id[:6]}'" in hawk("accept", FALL.id[:6], status=1)


def test_what_is_no_duration_or_no_reviewer_is_refused(hawk):
    assert "are no duration" in hawk("accept", FALL.id, "--seconds", "nan", status=1)
    assert "is not in the range 0<=x<=86400" in hawk("accept", FALL.id, "--seconds", "inf", status=2)
    assert "--seconds" in hawk("accept", FALL.id, "--seconds", -1, status=2)
    assert "Who decides?" in hawk("accept", FALL.id, "--reviewer", " ", status=1)


@pytest.mark.parametrize(
    "arguments", [["next"], ["accept", "a"], ["edit", "a", "--text", "b"], ["list"], ["stats"], ["export", "file"]]
)
def test_without_a_queue_it_is_said_what_makes_it(hawk, arguments):
    QUEUE.unlink()
    assert "There is no review queue" in hawk(*arguments, status=1)


@pytest.mark.parametrize(
    "arguments", [["next"], ["accept", FALL.id], ["list"], ["stats"], ["export", "file"], ["import", "good.jsonl"]]
)
def test_a_damaged_store_is_said_in_a_sentence_and_left(hawk, arguments):
    Path("good.jsonl").write_text(decision(FALL).model_dump_json())
    STORE.parent.mkdir(parents=True)
    STORE.write_bytes(b"no database" * 99)
    assert hawk(*arguments, status=1).startswith("Error: data/01_raw/review/decisions.sqlite is damaged")
    assert STORE.read_bytes() == b"no database" * 99


def test_the_list_says_how_each_task_stands(hawk):
    old = task("A dog.", kind="answer", question="Who falls?")
    record(STORE, [decision(FALL), decision(FALL, "reject", "Bob"), decision(old, "edit", edited="A cat.")])
    states = {line.split()[0]: line.split()[2] for line in hawk("list").splitlines()[1:]}
    assert states == {FALL.id: "disputed", WHO.id: "stale", POOL.id: "waiting"}
    assert [line.split()[0] for line in hawk("list", "--state", "disputed").splitlines()] == ["id", FALL.id]
    assert "There is none." in hawk("list", "--state", "accepted", "--kind", "question")
    told = hawk("next")  # the edit of the earlier text is shown with the new one
    assert "before: Ann edited an earlier text" in told
    assert "edit: A cat." in told


def test_stats_count_and_compare(hawk):
    drawn = task("A dog runs.", item="v2", reasons=())
    write_queue(QUEUE, [FALL, WHO, drawn, POOL])
    assert "Queue: 4 tasks (1 drawn at random): 4 waiting." in hawk("stats")
    gone = decision(task(item="v9"))
    record(STORE, [decision(FALL, seconds=4), decision(FALL, "reject", NASTY), decision(WHO, seconds=6), gone])
    assert "why: Drawn at random" in hawk("next", "--kind", "description")
    assert "why: Every question of the pool" in hawk("next", "--kind", "question")
    told = hawk("stats")
    for part in (
        "1 accepted, 1 disputed, 2 waiting",
        "4 decisions on 3 tasks; 1 of them on nothing",
        "5.0 s",
        "several judged: 0%",
    ):
        assert part in told
    assert "\x1b" not in told
    figures = json.loads(hawk("stats", "--json"))
    assert figures["queue"] == {"tasks": 4, "drawn_at_random": 1, "states": {"accepted": 1, "disputed": 1, "waiting": 2}}
    assert figures["not_in_queue"] == 1
    assert figures["by_reviewer"]["Ann"] == {"tasks": 3, "median_seconds": 5}


def test_what_is_shown_cannot_steer_the_terminal(hawk):
    nasty = task(NASTY, item=NASTY, kind="answer", question=NASTY, reasons=[NASTY])
    write_queue(QUEUE, [nasty, task("x" * 9999, item="v2")])
    told = hawk("next")
    assert told.count("[red]b[/red]") == 5  # video, file, question, text and reason
    told += hawk("list") + hawk("accept", nasty.id, "--reviewer", NASTY)
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", told)
    assert "<script>alert(1)</script>" in told
    assert "and 5,999 characters more" in hawk("next")


def test_exported_decisions_can_be_imported_as_often_as_one_likes(hawk):
    gone = decision(task(item="v9"), "reject")
    given = [decision(FALL), decision(WHO, "edit", "Bob", edited=NASTY), gone]
    record(STORE, given)
    assert "1 lines written" in hawk("export", "waiting.jsonl")
    assert "2 lines written" in hawk("export", "decided.jsonl", "--tasks", "decided")
    assert "4 lines written" in hawk("export", "all.jsonl", "--tasks", "all")
    STORE.unlink()
    told = hawk("import", "all.jsonl")
    assert "3 decisions added" in told
    assert "1 of them match nothing in the queue" in told
    assert sorted(read(STORE), key=str) == sorted(given, key=str)
    assert "0 decisions added to data/01_raw/review/decisions.sqlite; 3 were there already." in hawk("import", "all.jsonl")
    assert len(read(STORE)) == 3
    QUEUE.unlink()
    assert "match" not in hawk("import", "all.jsonl")


def test_decisions_are_exported_to_whatever_the_name_leads_to(hawk, tmp_path):
    hawk("export", "plain.jsonl")
    lines = Path("plain.jsonl").read_text()
    os.mkfifo("pipe")
    heard = []
    reader = threading.Thread(target=lambda: heard.append(Path("pipe").read_text()), daemon=True)
    reader.start()
    assert "3 lines written to pipe" in hawk("export", "pipe")
    reader.join(10)
    assert (heard, Path("pipe").is_fifo()) == ([lines], True)
    Path("target").write_text("before")
    Path("link").symlink_to("target")
    hawk("export", "link")
    assert (Path("target").read_text(), Path("link").is_symlink()) == (lines, True)
    assert "cannot be written" in hawk("export", "none/file.jsonl", status=1)
    assert "cannot be written" in hawk("export", "x" * 300, status=1)


def test_decisions_are_exported_to_the_standard_output_alone(hawk, tmp_path):
    hawk("export", "plain.jsonl")
    done = CliRunner().invoke(review, ["export", "-"])
    assert done.exit_code == 0
    assert (done.stdout, done.stderr) == (Path("plain.jsonl").read_text(), "3 lines written to -.\n")
    assert "and not `-`" in hawk("export", "-", "--format", "label-studio", status=1)
    assert not Path("./-").exists()
    assert "`-` is the standard output" in hawk("export", "--help")


def test_of_a_file_with_faults_the_rest_is_imported(hawk):
    lines = [json.dumps(decision(FALL).model_dump()), "\x1b[31mno", *["{}"] * 30]
    Path("file.jsonl").write_text("\n".join(lines), encoding="utf-8")
    told = hawk("import", "file.jsonl", status=1)
    assert "1 decisions added" in told
    assert "Line 2: this is no JSON" in told
    assert "… and 11 more." in told
    assert [one[:2] for one in _decided()] == [(FALL.id, "accept")]
    assert "cannot be read" in hawk("import", "none.jsonl", status=1)


def test_label_studio_gets_its_interface_beside_the_tasks(hawk):
    assert "3 tasks written to tasks.json, and the labelling interface to tasks.xml" in hawk(
        "export", "tasks.json", "--format", "label-studio", "--videos-at", "http://localhost/"
    )
    assert "<Video" in Path("tasks.xml").read_text()
    assert "give the tasks another name" in hawk("export", "tasks.xml", "--format", "label-studio", status=1)
    exported = json.loads(Path("tasks.json").read_text())
    result = {"from_name": "decision", "to_name": "text", "type": "choices", "value": {"choices": ["reject"]}}
    exported[1]["annotations"] = [{"completed_by": 1, "result": [result], "created_at": "2026-01-01T00:00:00Z", "lead_time": 2}]
    for one in exported:
        one.setdefault("annotations", [])
    Path("done.json").write_text(json.dumps(exported))
    assert "1 decisions added" in hawk("import", "done.json", "--reviewer", "Ann")
    assert _decided() == [(WHO.id, "reject", None, "Ann")]


_HAWK = [sys.executable, "-c", "from hawk_pipelines.cli.review import review; review()"]


def test_in_a_terminal_the_editor_opens(hawk, tmp_path):
    editor = tmp_path / "editor"
    editor.write_text("#!/bin/sh\nsed -i 's/falls/falls down/' \"$1\"\n")
    editor.chmod(0o755)
    ours, theirs = pty.openpty()
    environment = os.environ | {"PYTHONPATH": str(SRC), "EDITOR": str(editor), "VISUAL": str(editor), "HAWK_REVIEWER": "Ann"}
    running = subprocess.Popen([*_HAWK, "next"], stdin=theirs, stdout=theirs, stderr=theirs, env=environment)
    os.close(theirs)
    os.write(ours, b"e\na\nq\n")
    told = b""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        try:
            told += os.read(ours, 4096)
        except OSError:  # the other side has closed
            break
    os.close(ours)
    assert running.wait(timeout=10) == 0, told
    assert [one[1:3] for one in _decided()] == [("edit", "A man falls down."), ("accept", None)]
    assert b"(2 needed, 1 more to look at)" in told


def test_two_reviewers_at_once(hawk):
    tasks = [task(f"Text {number}.") for number in range(12)]
    write_queue(QUEUE, tasks)
    environment = os.environ | {"PYTHONPATH": str(SRC)}
    running = [
        subprocess.Popen(
            [*_HAWK, "accept", *(one.id for one in half), "--reviewer", name], env=environment, stdout=subprocess.PIPE
        )
        for name, half in (("Ann", tasks[:8]), ("Bob", tasks[4:]))
    ]
    assert [one.communicate(timeout=60) and one.returncode for one in running] == [0, 0]
    assert len(read(STORE)) == 16
    assert list(STORE.parent.iterdir()) == [STORE]


def test_the_defaults_are_the_projects_files():
    defaults = {option.name: option.default for option in review.commands["next"].params}
    assert (defaults["queue"], defaults["store"]) == (str(QUEUE), str(STORE))


def test_a_text_that_is_not_queued_is_found_by_its_video_and_can_be_judged(hawk):
    draft = JudgedDraft(
        item_id="v7", video_id="v7", description="A dog sleeps.", QA=[], provider="rules", sources=[], video="yard/7.mp4",
        split="train", verdict="accepted", findings=[],
    )  # fmt: skip
    Path("data/03_primary/judged_drafts.jsonl").write_text(draft.model_dump_json() + "\n")
    identity = task_id("description", "v7", None, "A dog sleeps.")
    listed = hawk("list", "--video", "yard")
    assert identity in listed
    assert "not queued" in listed
    assert FALL.id not in listed
    hawk("reject", identity[:6])
    assert _decided() == [(identity, "reject", None, "Ann")]


def test_ids_and_states_are_whole_on_a_narrow_terminal(hawk):
    done = CliRunner().invoke(review, ["list"], env={"COLUMNS": "80"})
    assert all(part in done.output for part in (FALL.id, WHO.id, "description", "waiting"))
