"""What a run prints of what its steps refused."""

import pytest

from hawk_pipelines.schema import Rejection
from hawk_pipelines.summary import show_rejections

TABLE = "data/02_intermediate/rejected_videos.parquet"


def _refused(count):
    return [Rejection(step="ingest", item=f"{number}.mp4", reason=f"Reason {number}.") for number in range(count)]


@pytest.mark.parametrize(
    ("count", "lines"),
    [
        (0, []),
        (1, ["- 0.mp4: Reason 0.", f"(in {TABLE})"]),
        (3, ["- 0.mp4: Reason 0.", "- 1.mp4: Reason 1.", "- 2.mp4: Reason 2.", f"(in {TABLE})"]),
        (4, ["- 0.mp4: Reason 0.", "- 1.mp4: Reason 1.", "- 2.mp4: Reason 2.", f"… and 1 more in {TABLE}"]),
        (2003, ["- 0.mp4: Reason 0.", "- 1.mp4: Reason 1.", "- 2.mp4: Reason 2.", f"… and 2,000 more in {TABLE}"]),
    ],
)
def test_the_first_reasons_are_shown_and_where_the_others_are(capsys, count, lines):
    show_rejections(_refused(count), "ingest_videos", TABLE)
    head = [f"ingest_videos left out or changed {count:,} thing(s):"] if count else []
    assert capsys.readouterr().out.splitlines() == head + lines


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\x1b[31mb\x07c", "a[31mbc"),
        ("[red]a[/red] [link=file:///etc]b[/link]", "[red]a[/red] [link=file:///etc]b[/link]"),
        ("a\nb\r\nc\u2028d", "a b c d"),
        ("a\u202eb\u2066c\ufeff", "abc"),
        ("\ud800a", "a"),
        ("x" * 100_000, "x" * 500 + " …"),
    ],
)
def test_what_comes_from_a_file_is_shown_on_one_line_and_does_nothing(capsys, text, shown):
    refused = Rejection.model_construct(step="ingest", item=text, reason=text)
    show_rejections([refused], "ingest_videos", TABLE)
    assert capsys.readouterr().out.splitlines()[1] == f"- {shown}: {shown}"
