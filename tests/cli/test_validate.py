"""`hawk validate FILE`: whatever is in a file, what is good is checked, the rest is named, and there is no traceback."""

import json

import pytest
from click.testing import CliRunner

from hawk_pipelines.cli import main

GOOD = {"video": "a.mp4", "description": "A man falls.", "QA": [{"q": "Who falls?", "a": "A man."}]}


def _run(*arguments):
    return CliRunner().invoke(main, ["validate", *map(str, arguments)])


def _file(folder, value, name="a.json"):
    path = folder / name
    path.write_bytes(value if isinstance(value, bytes) else json.dumps(value).encode())
    return path


def test_a_clean_file(tmp_path):
    done = _run(_file(tmp_path, [GOOD]))
    assert (done.exit_code, done.exception) == (0, None)
    assert "1 item(s)" in done.output
    assert "1 accepted" in done.output


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is not JSON"),
        (b"{", "is not JSON"),
        (b'[{"video": "a.mp4", "descr', "is not JSON"),
        (b"\x00\xff\xfe\x89PNG\r\n", "is no text"),
        (b"caf\xe9", "is no text"),
        (b"[" * 200_000, "is not JSON"),
        (b"{}", "holds an object"),
        (b"null", "holds null"),
        (b"3", "holds a number"),
        (b"[]", "holds an empty list"),
        (b'{"a": 1}\n{"b": 2}', "is not JSON"),
    ],
)
def test_a_file_that_cannot_be_read(tmp_path, content, says):
    done = _run(_file(tmp_path, content))
    assert done.exit_code == 2
    assert isinstance(done.exception, SystemExit)
    assert says in done.output


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        ("a text", "a.json[0]: Item 0"),
        (None, "it is null, not an object"),
        ([], "it is a list, not an object"),
        ({"description": "No video.", "QA": []}, "video: text is needed"),
        ({"video": 3, "description": "x"}, "there is a number"),
        ({"video": "../../etc/passwd", "description": "A man falls."}, "climbs out of its folder"),
        ({"video": "https://example.invalid/a.mp4", "description": "A man falls."}, "is an address on the web"),
        ({"video": "b\x00.mp4", "description": "A man falls."}, "holds a zero byte"),
        ({"video": "b.mp4"}, "has no description"),
        ({"video": "b.mp4", "description": None}, "The description is empty"),
        ({"video": "b.mp4", "description": "", "QA": []}, "a.json has no description: text is needed, but there is nothing"),
        ({"video": "b.mp4", "description": " \n", "QA": []}, "a.json has no description: text is needed, but there is nothing"),
        ({"video": "b.mp4", "description": "A man falls."}, "a.json has no `QA`. Add its questions"),
        ({"video": "b.mp4", "description": "A man falls.", "qa": []}, "a.json has no `QA`, but `qa`, which is not read"),
        ({"video": "b.mp4", "description": "A man falls.", "QA": None}, "a.json has no questions: QA: a list is needed, but"),
        ({"video": "b.mp4", "description": "A man falls.", "QA": 3}, "a list is needed, but there is a number"),
        (
            {"video": "b.mp4", "description": "People walk by.", "QA": [], "label": "Normal", "span": {"start_s": 1, "end_s": 2}},
            "a.json calls its video normal, but gives times of an anomaly (span: {'start_s': 1",
        ),
        ({"video": "b.mp4", "description": ["A man falls."]}, "there is a list"),
        ({"video": "b.mp4", "description": "A man falls.", "QA": "none"}, "has no questions"),
        ({"video": "b.mp4", "description": "A man falls.", "QA": {"q": "Who?", "a": "A man."}}, "a list is needed"),
        ({"video": "b.mp4", "description": "A man falls.", "QA": ["Who?"]}, "an object with `q` and `a` is needed"),
        ({"video": "b.mp4", "description": "A man falls.", "QA": [{"q": "Who?"}]}, "QA[0] of item 0"),
        ({"video": "b.mp4", "description": "A man falls.", "QA": [{"q": 1, "a": 2}]}, "there is a number"),
        ({"video": "b.mp4", "description": "x" * 1_000_000}, "1,000,000 characters"),
        ({"video": "b.mp4", "description": "A \x1b[31mman\x07 falls."}, "control character U+001B"),
        ({"video": "b.mp4", "description": "<script>alert(1)</script> A man falls."}, "markup"),
        (
            {"video": "b.mp4", "description": "[red]As an AI language model, I cannot say."},
            "a language model's refusal ('[red]As",
        ),
        ({"video": "a.mp4", "description": "A man falls."}, "is described by a.json[0] already"),
        ({"video": "b.mp4", "description": "A man falls.", "QA": [{"q": "", "a": ""}]}, "The question is empty"),
    ],
)
def test_an_item_that_is_amiss_is_named_and_the_good_one_is_used(tmp_path, bad, says):
    done = _run(_file(tmp_path, [bad, GOOD]), "--all")
    assert (done.exit_code, type(done.exception)) == (1, SystemExit)
    assert says in done.output
    assert "\x1b[31m" not in done.output
    assert "\x07" not in done.output
    told = json.loads(_run(_file(tmp_path, [bad, GOOD]), "--json").output)
    assert told["verdicts"]["accepted"] >= 1
    assert told["unusable"] or told["findings"]


def test_json_lines_are_read_line_by_line(tmp_path):
    lines = json.dumps(GOOD) + '\n\n{"video": \n' + json.dumps(GOOD | {"video": "b.mp4"}) + "\n"
    done = _run(_file(tmp_path, lines.encode(), "a.jsonl"))
    assert done.exit_code == 1
    assert "2 accepted" in done.output
    assert "a.jsonl:3: Line 3" in done.output


def test_a_file_or_a_folder_that_is_not_there(tmp_path):
    assert _run(tmp_path / "gone.json").exit_code == 2
    assert _run(tmp_path).exit_code == 2
    assert _run(_file(tmp_path, [GOOD]), "--videos", tmp_path / "gone").exit_code == 2


def test_with_the_videos_their_times_are_checked(real_data):
    file, videos = real_data / "hawk_format/all_videos_all.json", real_data / "videos"
    without = json.loads(_run(file, "--json").output)
    assert [(one["item"], one["check"]) for one in without["findings"]] == [
        ("all_videos_all.json[11]", "refusal"),
        ("all_videos_all.json[11]", "refusal"),
    ]
    told = json.loads(_run(file, "--videos", videos, "--json").output)
    times = [(one["item"], one["place"]) for one in told["findings"] if one["check"] == "time"]
    assert times == [(f"all_videos_all.json[{item}]", place) for item, place in ((0, "QA[3]"), (1, "QA[1]"), (3, "QA[1]"))]
    assert [one["item"] for one in told["unusable"]] == ["all_videos_all.json[12]"]
