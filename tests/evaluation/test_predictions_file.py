import json

import pytest

from hawk_pipelines.evaluation.predictions_file import (
    LONGEST_ANSWER,
    LONGEST_LINE,
    PredictionsFileError,
    notes,
    read_predictions,
    write_questions,
)
from hawk_pipelines.schema import QA, Annotation, Prediction, Span, Video
from tests.evaluation.made import asked

ASKED = [asked("i1"), asked("i1", "Who is there?"), asked("i1", "Where?"), asked("i2"), asked("i2", "Who is there?")]
NAMES = {"i1": "Abuse028_x264.mp4", "i2": "Arson009.mp4"}


@pytest.fixture
def read(tmp_path):
    def reading(*lines, raw=b""):
        path = tmp_path / "answers.jsonl"
        path.write_bytes(raw + "".join(json.dumps(line) + "\n" for line in lines).encode())
        return read_predictions(path, ASKED, NAMES, "somebody")

    return reading


def _line(item="i1", question=None, answer="A man.", **more):
    return {"item_id": item, "answer": answer} | ({"question": question} if question else {}) | more


def _times(found):
    return {kind: finding.times for kind, finding in found.findings.items() if finding.times}


def test_what_was_asked_can_be_answered_line_by_line(tmp_path):
    known = {"source": "s", "frames": 9, "fps": 3, "width": 8, "height": 8, "duration_s": 3, "label": None, "spans": []}
    videos = [
        Video(id=video, path=path, name=NAMES[item], **known, split="test", split_by="seeded")
        for item, video, path in (("i1", "v1", "raw/Abuse028_x264.mp4"), ("i2", "v2", "/elsewhere/Arson009.mp4"))
    ]
    known = {"description": "A man runs.", "QA": [QA(q="Who?", a="He.")], "provider": "rules", "sources": [], "split": "test"}
    annotations = [
        Annotation(item_id=item, video_id=video, video=NAMES[item], span=span, **known)
        for item, video, span in (("i1", "v1", None), ("i2", "v2", Span(start_s=1, end_s=2.5)))
    ]
    path = tmp_path / "new" / "questions.jsonl"
    write_questions(path, ASKED, annotations, videos)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert lines[0] == {
        "item_id": "i1",
        "video": "Abuse028_x264.mp4",
        "path": "raw/Abuse028_x264.mp4",
        "start_s": None,
        "end_s": None,
        "task": "description",
        "question": ASKED[0].question,
    }
    assert (lines[4]["path"], lines[4]["start_s"], lines[4]["end_s"]) == ("/elsewhere/Arson009.mp4", 1, 2.5)
    assert "A man runs." not in path.read_text()  # whoever answers is not told the reference
    path.write_text("".join(json.dumps(line | {"answer": f"It is {n}."}) + "\n" for n, line in enumerate(lines[::-1])))
    found = read_predictions(path, ASKED, NAMES, "somebody")
    wanted = [Prediction(**one.model_dump(), model="somebody", answer=f"It is {4 - n}.") for n, one in enumerate(ASKED)]
    assert found.predictions == wanted
    assert _times(found) == {}
    assert notes(found) == []


@pytest.mark.parametrize(
    ("line", "which"),
    [
        ({"video": "Arson009.mp4"}, 3),
        ({"video": "Arson009.mp4", "task": "question"}, 4),  # it is asked one thing of it
        ({"video": "Arson009.mp4", "question": "who is  there? "}, 4),
        ({"item_id": "i1", "question": "Who is there?", "video": "whatever.mp4"}, 1),
        ({"item_id": "i1", "task": "description", "question": None, "score": [1, {"a": 2}]}, 0),
    ],
)
def test_less_is_enough_where_it_says_what_is_meant(read, line, which):
    found = read(line | {"answer": "Fire."})
    assert [(one.item_id, one.question, one.answer) for one in found.predictions] == [
        (ASKED[which].item_id, ASKED[which].question, "Fire.")
    ]
    assert _times(found) == {"missing": 4}


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (_line("i9"), "line 1 on 'i9'"),
        (_line(question="Why?"), "line 1 on 'i1'"),
        (_line(task="question"), "line 1 on 'i1' (2 fit)"),
        (_line("i2", task="question", question="Where?"), "line 1 on 'i2'"),
        ({"answer": "A man."}, "line 1 on 'no item'"),
        ({"video": "x" * 500, "answer": "A man."}, f"line 1 on '{'x' * 80}…'"),
    ],
)
def test_what_is_about_nothing_that_is_asked_is_named(read, line, told):
    found = read(line, _line())
    assert found.findings["unknown"].first == [told]
    assert [one.answer for one in found.predictions] == ["A man."]


def test_of_two_answers_the_first_counts_also_where_they_are_the_same(read):
    found = read(_line(answer="One."), _line(answer="Two."), _line(answer="One."), {"video": NAMES["i1"], "answer": "Three."})
    assert [one.answer for one in found.predictions] == ["One."]
    assert found.findings["doubled"] == (3, ["line 2 on i1", "line 3 on i1", "line 4 on i1"])


ALL = [_line(answer="Ein Mädchen."), _line("i2")]


@pytest.mark.parametrize(
    ("raw", "seems"),
    [
        (json.dumps(ALL).encode(), "a JSON array"),
        (json.dumps(ALL, indent=2).encode(), "a JSON array"),
        (b"\xef\xbb\xbf" + json.dumps(ALL * 600, ensure_ascii=False).encode(), "a JSON array"),  # one endless line
        (json.dumps(ALL[0], indent=2).encode(), "JSON over several lines"),
        (json.dumps(ALL[0]).encode("utf-16"), "text in UTF-16"),
        (json.dumps(ALL[0]).encode("utf-16-le"), "text in UTF-16"),
        (json.dumps(ALL[0], ensure_ascii=False).encode("latin-1"), "text in another encoding than UTF-8"),
        (b"item_id,answer\ni1,A man.\n", "no JSON"),
        (b'{"item_id": "i1", "prediction": "A man."}\n', ""),  # which is told of the line
        (b"", ""),
        (json.dumps(ALL[0]).encode() + b"\n[1]\n", ""),
        (b'[1]\n{"item_id": "x", "answer": "A man."}\n', ""),
    ],
)
def test_a_file_of_another_kind_is_told_as_what_it_seems_to_be(read, raw, seems):
    told = notes(read(raw=raw))
    assert [one for one in told if one.startswith("It seems to be")] == (
        [f"It seems to be {seems}; what is wanted is JSON Lines: UTF-8, and one object a line."] if seems else []
    )


def test_what_is_told_elsewhere_can_be_left_out(read):
    found = read(_line(answer=""), _line(answer="A man."))
    assert [len(notes(found)), len(notes(found, without=("missing", "empty")))] == [3, 1]


def test_an_empty_answer_is_an_answer_and_counted(read):
    found = read(_line(answer=""), _line("i2", answer=" … "), _line(question="Where?", answer="Here."))
    assert [one.answer for one in found.predictions] == ["", "Here.", " … "]
    assert found.findings["empty"] == (2, ["i1", "i2"])


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"not json", "no JSON"),
        (b'{"item_id": "i1", "answer": "half', "no JSON"),
        (b"[" * 60_000, "no JSON"),
        (b'{"item_id": "i1", "answer": ' + b"9" * 6000 + b"}", "no JSON"),
        (b'{"item_id": "i1", "answer": "\xff"}', "no JSON"),
        (b'["i1", "A man."]', "no JSON object"),
        (b'{"item_id": "i1"}', "no `answer`"),
        (b'{"item_id": "i1", "answer": null}', "no `answer`"),
        (b'{"item_id": "i1", "answer": 3}', "`answer` is no text"),
        (b'{"item_id": 1, "answer": "A man."}', "`item_id` is no text"),
        (b'{"item_id": "i1", "answer": "' + b"a" * 3 * LONGEST_LINE + b'"}', "longer than 65,536 bytes"),
        (b"\x80\x04\x95cposix\nsystem", "no JSON"),  # a pickle, on two lines: neither is run
    ],
)
def test_a_line_that_is_none_is_named_and_the_next_ones_are_read(read, line, why):
    found = read(_line(answer="After it."), raw=b"\n" + line + b"\n")
    assert [one.answer for one in found.predictions] == ["After it."]
    assert found.findings["broken"].first[0] == f"line 2 ({why})"


def test_nothing_inside_a_line_that_is_too_long_is_read(read):
    """It comes in pieces, of which one is an answer by itself."""
    hidden = b'{"item_id": "i1", "answer": "Hidden."}'
    found = read(_line("i2", answer="After it."), raw=b" " * (2 * LONGEST_LINE + 2) + hidden + b"\n")
    assert [one.answer for one in found.predictions] == ["After it."]
    assert (found.lines, found.findings["broken"]) == (2, (1, ["line 1 (longer than 65,536 bytes)"]))


def test_an_endless_answer_is_cut_and_named(read):
    found = read(_line(answer="so " * 10_000))
    assert len(found.predictions[0].answer) == LONGEST_ANSWER
    assert found.findings["cut"] == (1, ["i1"])


def test_other_line_ends_marks_and_halves_of_letters_are_read(read, tmp_path):
    raw = b'\xef\xbb\xbf{"item_id": "i1", "answer": "One."}\r\n  \r\n{"item_id": "i2", "answer": "Half \\ud83d."}'
    found = read(raw=raw)
    assert [one.answer for one in found.predictions] == ["One.", "Half ?."]
    assert (found.lines, found.asked) == (2, 5)


def test_many_findings_are_counted_and_the_first_named(read):
    found = read(*(_line(f"x{n}") for n in range(2000)), _line(answer=""))
    assert found.findings["unknown"].times == 2000
    assert len(found.findings["unknown"].first) == 5
    missing, unknown, empty = notes(found)
    assert missing == (
        "4 of 5 things asked without an answer in it, and left out of the figures: "
        "i1 (Who is there?), i1 (Where?), i2, i2 (Who is there?)."
    )
    assert unknown.startswith("2,000 in 2,001 lines about nothing, or no single thing, that is asked: line 1 on 'x0',")
    assert unknown.endswith(" and 1,995 more.")
    assert empty == "1 in 2,001 lines empty answers, which are worth 0: i1."


def test_a_file_that_cannot_be_read_is_said(tmp_path):
    with pytest.raises(PredictionsFileError, match="is not there"):
        read_predictions(tmp_path / "answers.jsonl", ASKED, NAMES, "somebody")
    with pytest.raises(PredictionsFileError, match="is no file"):
        read_predictions(tmp_path, ASKED, NAMES, "somebody")


def test_a_file_without_a_usable_line_leaves_everything_missing(read):
    found = read()
    assert found.predictions == []
    assert _times(found) == {"missing": 5}
