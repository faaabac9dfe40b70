import json
import math
import xml.etree.ElementTree as ET

import pytest

from hawk_pipelines.curation.decisions import ReviewError
from hawk_pipelines.curation.exchange import (
    read_decisions,
    write_json_lines,
    write_label_studio,
    write_label_studio_interface,
)
from tests.curation.reviews import NASTY, decision, task

FALL = task("A man falls.")
WHO = task(NASTY, kind="answer", question=f"Who? {NASTY}")
POOL = task("Who falls?", kind="question", reasons=())


@pytest.fixture
def file(tmp_path):
    return tmp_path / "decisions.json"


def _lines(file, *lines):
    file.write_bytes(b"\n".join(line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines))
    return read_decisions(file)


# --- JSON Lines ----------------------------------------------------------------------------------------------------------


def test_what_is_written_is_read_back(file):
    tasks = [FALL, WHO, POOL]
    given = [decision(WHO, "edit", edited=NASTY[::-1], note=NASTY, seconds=2.5), decision(FALL, reviewer=NASTY)]
    elsewhere = decision(task(item="v9"), "reject")
    assert write_json_lines(file, tasks, [*given, elsewhere], others=False) == 3
    assert sorted(read_decisions(file).decisions, key=str) == sorted(given, key=str)
    assert write_json_lines(file, tasks, [*given, elsewhere], others=True) == 4
    read = read_decisions(file)
    assert sorted(read.decisions, key=str) == sorted([*given, elsewhere], key=str)
    assert read.findings == []
    assert [json.loads(line)["task"] for line in file.read_text(encoding="utf-8").split("\n")[:3]] == [
        one.model_dump() for one in tasks
    ]
    assert [one.name for one in file.parent.iterdir()] == [file.name]


def test_bare_decisions_are_read_too_and_one_may_say_whose_they_are(file):
    given = [decision(FALL), decision(POOL, "reject", "Bob")]
    assert _lines(file, *[one.model_dump() for one in given], b"", b"  \r").decisions == given
    assert [one.reviewer for one in read_decisions(file, "Cay").decisions] == ["Cay", "Cay"]


def test_a_byte_order_mark_does_no_harm(file):
    assert len(_lines(file, b"\xef\xbb\xbf" + json.dumps(decision(FALL).model_dump()).encode()).decisions) == 1


GOOD = decision(FALL).model_dump()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"\x00\x01\xff\xfe", "no text in UTF-8"),
        (b"decision,reviewer", "this is no JSON"),
        (b'{"task_id": "1"', "this is no JSON"),
        (b"[" * 100_000, "nested too deeply"),
        (b"9" * 5000, "this is no JSON"),
        (b"null", "this is null"),
        (b"7", "this is a number"),
        (b'"accept"', "this is a text"),
        ([GOOD], "this is a list"),
        ({"decisions": GOOD}, "`decisions` is a list, and this is an object"),
        ({"decisions": ["accept"]}, "this is a text"),
        ({}, "task_id: Field required"),
        ({name: value for name, value in GOOD.items() if name != "reviewer"}, "reviewer: Field required"),
        (GOOD | {"decision": "maybe"}, "decision: Input should be 'accept', 'edit' or 'reject'"),
        (GOOD | {"kind": "caption"}, "kind: Input should be"),
        (GOOD | {"time": "soon"}, "no time with a time zone"),
        (GOOD | {"time": None}, "time: Input should be a valid string"),
        (GOOD | {"reviewer": 7}, "reviewer: Input should be a valid string"),
        (GOOD | {"decision": "edit"}, "an edit needs a new text"),
        (GOOD | {"text": "A man flies."}, "does not belong to its item, question and text"),
        (GOOD | {"note": "\ud800"}, "half a character"),
        (GOOD | {"verdict": "accept"}, "verdict: Extra inputs"),
    ],
)
def test_what_cannot_be_used_is_named_and_the_rest_is_used(file, line, said):
    other = decision(POOL)
    read = _lines(file, GOOD, line, other.model_dump())
    assert read.decisions == [decision(FALL), other]
    assert len(read.findings) == 1
    assert read.findings[0].startswith("Line 2: ")
    assert said in read.findings[0]
    alone = _lines(file, line)
    assert alone.decisions == []
    assert alone.findings


@pytest.mark.parametrize("content", [b"", b" \n\n", b"[]", b'{"task": null, "decisions": []}'])
def test_a_file_without_decisions_is_said_to_be_one(file, content):
    assert _lines(file, content) == ([], [f"There is no decision in {file}."])


def test_files_that_cannot_be_read_or_written(file, tmp_path):
    with pytest.raises(ReviewError, match=r"cannot be read \(No such file"):
        read_decisions(file)
    with pytest.raises(ReviewError, match="cannot be read"):
        read_decisions(tmp_path)
    with pytest.raises(ReviewError, match="cannot be written"):
        write_json_lines(tmp_path / "none" / "file.jsonl", [FALL], [], others=False)


# --- Label Studio --------------------------------------------------------------------------------------------------------


def _annotated(file, tasks, *annotations):
    """The tasks as we export them, as Label Studio gives them back: numbered, with annotations."""
    write_label_studio(file, tasks)
    exported = json.loads(file.read_text(encoding="utf-8"))
    for number, (one, given) in enumerate(zip(exported, annotations, strict=True), start=1):
        one |= {"id": number, "project": 1, "annotations": given, "drafts": [], "predictions": [], "meta": {}}
    return exported


def _annotation(choice, edited=None, note=None, **more):
    def result(name, kind, value):
        return {"id": "a1", "from_name": name, "to_name": "text", "type": kind, "origin": "manual", "value": value}

    results = [result("decision", "choices", {"choices": [choice]})] if choice else []
    results += [result("edited", "textarea", {"text": [edited]})] if edited is not None else []
    results += [result("note", "textarea", {"text": [note]})] if note is not None else []
    return {
        "id": 1, "completed_by": 3, "result": results, "was_cancelled": False, "ground_truth": False, "lead_time": 4.288,
        "created_at": "2026-01-01T00:00:00.500000Z", "updated_at": "2026-01-01T00:00:07.000000Z",
    } | more  # fmt: skip


def test_a_round_through_label_studio(file):
    tasks = [FALL, WHO, POOL, task("A dog runs.")]
    exported = _annotated(
        file,
        tasks,
        [
            _annotation("accept", edited=FALL.text),
            _annotation("reject", edited="Ignored.", completed_by={"id": 4, "email": "b@c.d"}),
        ],
        [_annotation("accept", edited=f" {NASTY} and more\n", note="So.")],
        [_annotation("reject"), _annotation("reject", was_cancelled=True)],
        [],
    )
    file.write_text(json.dumps(exported), encoding="utf-8")
    read = read_decisions(file)
    assert read.findings == []
    at = {"time": "2026-01-01T00:00:07.000000Z", "seconds": 4.288}
    assert read.decisions == [
        decision(FALL, "accept", "label-studio:3", **at),
        decision(FALL, "reject", "b@c.d", **at),
        decision(WHO, "edit", "label-studio:3", edited=f"{NASTY} and more".strip(), note="So.", **at),
        decision(POOL, "reject", "label-studio:3", **at),
    ]
    assert {one.reviewer for one in read_decisions(file, "Ann").decisions} == {"Ann"}
    file.write_text(json.dumps(exported[0]), encoding="utf-8")  # a task on its own
    assert len(read_decisions(file).decisions) == 2


@pytest.mark.parametrize(
    ("annotation", "said"),
    [
        ("accept", "an annotation has a list as its `result`"),
        ({}, "an annotation has a list as its `result`"),
        (_annotation(None), "here it is missing"),
        (_annotation("maybe"), "here it is maybe"),
        (_annotation("edit"), "an edit needs a new text"),
        (_annotation("accept", edited=3), "the value of `edited` is no list of texts"),
        (_annotation("accept", completed_by=None), "reviewer"),
        (_annotation("accept", completed_by={}), "reviewer"),
        (_annotation("accept", updated_at=None, created_at=None), "time"),
        (_annotation("accept", updated_at=5), "time"),
    ],
)
def test_an_annotation_that_cannot_be_used_is_named(file, annotation, said):
    exported = _annotated(file, [FALL, POOL], [annotation], [_annotation("accept")])
    file.write_text(json.dumps(exported), encoding="utf-8")
    read = read_decisions(file)
    assert [one.task_id for one in read.decisions] == [POOL.id]
    assert len(read.findings) == 1
    assert read.findings[0].startswith("Task 1, annotation 1: ")
    assert said in read.findings[0]


ODD_SECONDS = [
    (-2, "-2"),
    (-1e-9, "-1e-09"),
    (86_401, "86401"),
    (1e308, "1e+308"),
    (10**400, "1" + "0" * 39),
    (math.inf, "inf"),
    (math.nan, "nan"),
    ("12", "a text"),
    (True, "true or false"),
    ([3], "a list"),
]


@pytest.mark.parametrize(("seconds", "shown"), ODD_SECONDS)
def test_a_duration_that_cannot_be_costs_no_decision(file, seconds, shown):
    said = f"its duration is {shown}, and not between 0 and 86,400 seconds; the decision counts, without it."
    exported = _annotated(
        file, [FALL, POOL], [_annotation("accept", lead_time=seconds)], [_annotation("accept", lead_time=86_400)]
    )
    file.write_text(json.dumps(exported), encoding="utf-8")
    read = read_decisions(file)
    assert [(one.task_id, one.seconds) for one in read.decisions] == [(FALL.id, None), (POOL.id, 86_400)]
    assert read.findings == [f"Task 1, annotation 1: {said}"]

    read = _lines(file, GOOD | {"seconds": seconds})
    assert ([one.seconds for one in read.decisions], read.findings) == ([None], [f"Line 1: {said}"])
    read = _lines(file, GOOD | {"seconds": seconds, "decision": "maybe"})
    assert (read.decisions, len(read.findings)) == ([], 1)
    assert "decision: Input should be" in read.findings[0]


@pytest.mark.parametrize("task_", [None, 3, {}, {"id": 1, "text": "A.", "decision": "accept"}, {"data": [], "annotations": []}])
def test_a_task_that_cannot_be_used_is_named(file, task_):
    exported = _annotated(file, [FALL], [_annotation("accept")])
    file.write_text(json.dumps([task_, *exported]), encoding="utf-8")
    read = read_decisions(file)
    assert len(read.decisions) == 1
    assert "not as JSON-MIN" in read.findings[0]


def test_a_text_that_was_changed_in_label_studio_is_not_taken_for_what_was_judged(file):
    exported = _annotated(file, [FALL], [_annotation("accept")])
    exported[0]["data"]["text"] = "A man flies."
    file.write_text(json.dumps(exported), encoding="utf-8")
    assert "does not belong" in read_decisions(file).findings[0]


def test_the_interface_shows_the_tasks_data_as_text_only(file, tmp_path):
    write_label_studio(file, [FALL, WHO, POOL], "/data/local-files/?d=")
    exported = json.loads(file.read_text(encoding="utf-8"))
    path = tmp_path / "interface.xml"
    write_label_studio_interface(path, with_video=True)
    interface = ET.fromstring(path.read_text(encoding="utf-8"))  # noqa: S314
    shown = {node.get("value")[1:] for node in interface.iter() if (node.get("value") or "").startswith("$")}
    for one in exported:
        assert shown <= set(one["data"])
        assert all(isinstance(value, str) for value in one["data"].values())  # Label Studio refuses null in a text
    assert {node.tag for node in interface.iter()}.isdisjoint({"HyperText", "Paragraphs", "Markdown"})  # which render markup
    assert exported[1]["data"]["text"] == NASTY
    assert exported[0]["data"]["video_url"] == "/data/local-files/?d=data/v1%20%5Bred%5D.mp4"
    objects = {node.get("name") for node in interface.iter("Text")}
    controls = {node.get("name"): node.get("toName") for tag in ("Choices", "TextArea") for node in interface.iter(tag)}
    assert set(controls) == {"decision", "edited", "note"}
    assert set(controls.values()) <= objects
    write_label_studio_interface(path, with_video=False)
    assert "$video_url" not in path.read_text(encoding="utf-8")
