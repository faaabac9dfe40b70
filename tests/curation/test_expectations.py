import html
import json
import re
import unicodedata
from html.parser import HTMLParser

import pytest

from hawk_pipelines.curation.expectations import SUITES, Suite, Unexpected, docs_page, run_suite
from hawk_pipelines.curation.judging import AMISS, CHECKS, judge
from hawk_pipelines.plain_text import html_text, plain
from hawk_pipelines.schema import Clip
from tests.test_plain_text import HOSTILE


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
        ("videos", lambda video: video.model_copy(update={"id": "v0"}), "2 of 2 are there more than once"),
        ("videos", lambda video: video.model_copy(update={"fps": 0.0}), "have no frame rate"),
        ("clips", lambda _: _clips((0, 20), (25, 50))[1], "leave a gap before them or overlap"),
        ("clip_captions", lambda caption: caption.model_copy(update={"clip_id": "v7_0000000"}), "are of no clip of their video"),
        ("clip_captions", lambda caption: caption.model_copy(update={"text": " "}), "say nothing"),
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
    assert "drafts: 1 of 2 hold a refusal of a language model." in caplog.text
    assert "questions: their kinds are not spread evenly." in caplog.text
    told = {one.text: one for one in run_suite("drafts", judged, tmp_path)}
    assert told["It is no refusal of a language model"].examples == ["0.mp4"]
    page = docs_page(tmp_path).read_text()
    assert (
        "<td>It is no refusal of a language model</td><td><b>no</b></td><td>1 of 2 hold a refusal of a language model</td>"
        in page
    )


def test_names_from_outside_do_not_run_in_the_data_docs(tmp_path, videos):
    spoiled = [
        videos[0].model_copy(update={"id": f"{name}", "name": evil, "group": "g", "split": ("train", "test")[name % 2]})
        for name, evil in enumerate(HOSTILE.values())
        if evil.encode(errors="ignore").decode() == evil  # a record holds no half characters
    ]
    Suite(["videos"], str(tmp_path)).validate(spoiled)
    pages = [page.read_text() for page in tmp_path.rglob("*.html")]
    assert any("alert(1)" in page for page in pages)
    assert not any("<script" in page or "<img" in page for page in pages)
    assert not [c for page in pages for c in page if unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp") and c not in "\n\t"]


class _Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags = []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))


def test_the_data_docs_need_nothing_from_elsewhere(tmp_path, videos, captions):
    for _ in range(2):  # the site is built anew for each table
        run_suite("videos", videos, tmp_path)
        run_suite("clip_captions", captions, tmp_path)
    pages = [page for page in tmp_path.rglob("*.html") if page.name != "index.html"]
    assert len(pages) == 4
    for page in pages:
        text = page.read_text()
        read = _Tags()
        read.feed(text)
        assert not [tag for tag, _ in read.tags if tag in ("script", "img", "iframe", "style")]
        assert not re.search(r"https?://|@import|url\(", text)
        (style,) = [attrs["href"] for tag, attrs in read.tags if tag == "link"]
        assert (page.parent / style).resolve() == tmp_path / "data_docs" / "static" / "data_docs.css"
        leads = {(page.parent / attrs["href"].split("#")[0]).resolve() for tag, attrs in read.tags if tag == "a"}
        assert docs_page(tmp_path) in leads
        assert all(place.exists() for place in leads)
    assert 'content="0; url=../index.html"' in (tmp_path / "data_docs" / "index.html").read_text()
    assert "url(" not in (tmp_path / "data_docs" / "static" / "data_docs.css").read_text()
    assert sum(file.stat().st_size for file in tmp_path.rglob("*") if file.is_file()) < 400_000


@pytest.mark.parametrize("name", HOSTILE.values(), ids=HOSTILE)
def test_names_are_shown_as_they_are_on_the_first_page_and_in_what_is_kept(videos, name):
    (row, _) = SUITES["videos"].rows([videos[0].model_copy(update={"name": name}), videos[1]])
    assert row["name"] == html_text(name)
    assert html.unescape(row["name"]) == plain(name)


def test_every_check_says_what_is_right_and_what_is_amiss():
    assert list(AMISS) == list(CHECKS)


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
        with pytest.raises(Unexpected, match="say nothing"):
            suite.validate(wrong)
    assert len(looks) == 4
    docs_page(tmp_path).unlink()
    with pytest.raises(Unexpected):
        suite.validate(wrong)
    assert docs_page(tmp_path).is_file()
