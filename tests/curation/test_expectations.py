import json

import pytest

from hawk_pipelines.curation.expectations import SUITES, Suite, Unexpected, docs_page, run_suite
from hawk_pipelines.curation.judging import judge
from hawk_pipelines.schema import Clip


def _clips(*spans):
    return [
        Clip(
            id=f"v0_{start:07d}", video_id="v0", start_s=start / 10, end_s=end / 10, start_frame=start, end_frame=end,
            cut_by="stride", activity=0,
        )
        for start, end in spans
    ]  # fmt: skip


def test_tables_as_they_should_be_pass_and_have_their_pages(tmp_path, videos, captions, draft, caplog):
    tables = {
        "videos": videos,
        "clips": _clips((0, 20), (20, 50)),
        "clip_captions": captions,
        "drafts": judge([draft(0), draft(2)], videos, captions),
    }
    for name, records in tables.items():
        assert Suite([name], str(tmp_path)).validate(records) is records
    assert caplog.text == ""
    page = docs_page(tmp_path).read_text()
    assert all(f">{name}</a>" in page for name in tables)
    assert (tmp_path / "suites" / "drafts.json").is_file()


@pytest.mark.parametrize(
    ("name", "spoil", "says"),
    [
        ("videos", lambda video: video.model_copy(update={"id": "v0"}), "Every video is there once"),
        ("videos", lambda video: video.model_copy(update={"fps": 0.0}), "has a frame rate"),
        ("clips", lambda _: _clips((0, 20), (25, 50))[1], "without gap or overlap"),
        ("clip_captions", lambda caption: caption.model_copy(update={"clip_id": "v7_0000000"}), "of a clip of its video"),
        ("clip_captions", lambda caption: caption.model_copy(update={"text": " "}), "says something"),
    ],
)
def test_a_table_that_cannot_be_right_stops_the_run(tmp_path, videos, captions, name, spoil, says):
    records = {"videos": videos, "clips": _clips((0, 20), (20, 50)), "clip_captions": captions}[name]
    with pytest.raises(Unexpected, match=says):
        Suite([name], str(tmp_path)).validate([records[0], spoil(records[1])])


def test_what_is_amiss_with_drafts_is_told_and_stops_nothing(tmp_path, videos, captions, draft, caplog):
    bad = "As an AI language model, I cannot say."
    judged = judge([draft(0, bad, qa=[("Who falls?", bad)]), draft(2)], videos, captions)
    Suite(["drafts", "questions"], str(tmp_path)).validate(judged)
    assert "drafts: It is no refusal of a language model: 1 of 2 are not." in caplog.text
    assert "questions: Questions are spread evenly" in caplog.text
    told = {one.text: one for one in run_suite("drafts", judged, tmp_path)}
    assert told["It is no refusal of a language model"].examples == ["0.mp4"]


def test_names_from_outside_do_not_run_in_the_data_docs(tmp_path, videos):
    evil = "<script>alert(1)</script>"
    spoiled = [video.model_copy(update={"name": evil, "group": "g"}) for video in videos]
    Suite(["videos"], str(tmp_path)).validate(spoiled)
    pages = list((tmp_path / "data_docs").rglob("*.html"))
    assert any("alert(1)" in page.read_text() for page in pages)
    assert not any(evil in page.read_text() for page in pages)


def test_the_latest_result_takes_the_place_of_the_one_before(tmp_path, videos):
    for _ in range(2):
        Suite(["videos"], str(tmp_path)).validate(videos)
    (result,) = (tmp_path / "results").rglob("*.json")
    assert json.loads(result.read_text())["success"] is True


def test_a_suite_that_is_not_there():
    with pytest.raises(Unexpected, match="There is no suite 'movies'; known are videos"):
        Suite(["movies"], "x")
    assert set(SUITES) == {"videos", "clips", "clip_captions", "drafts", "questions"}


def test_a_table_that_is_as_it_was_is_not_looked_at_again(tmp_path, captions, caplog, monkeypatch):
    from hawk_pipelines.curation import expectations

    suite, looks = Suite(["clip_captions"], str(tmp_path)), []
    monkeypatch.setattr(expectations, "run_suite", lambda *told: (looks.append(told[0]), run_suite(*told))[1])
    wrong = [captions[0], captions[1].model_copy(update={"text": " "})]
    for table, count in ((captions, 1), (captions, 1), (captions[:1], 2), (captions, 3)):
        suite.validate(table)
        assert len(looks) == count
    for _ in range(2):  # what was amiss stops a second run, too
        with pytest.raises(Unexpected, match="says something"):
            suite.validate(wrong)
    assert len(looks) == 4
    docs_page(tmp_path).unlink()
    with pytest.raises(Unexpected):
        suite.validate(wrong)
    assert docs_page(tmp_path).is_file()
