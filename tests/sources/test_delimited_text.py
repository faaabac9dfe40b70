"""Tables as text: their encodings, and quotes as people and programs write them."""

import pytest

from hawk_pipelines.sources.reading import SourceError


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "windows-1252"])
def test_umlauts_in_every_encoding_of_spreadsheet_programs(ingested, encoding):
    result = ingested("video;caption;label\ngate.mp4;Ein Mann läuft über die Straße.;Überfall\n", encoding)
    assert result.facts() == ("Überfall", [], ["Ein Mann läuft über die Straße."])
    assert ["Windows-1252" in reason for reason in result.reasons] == [True] * (encoding == "windows-1252")


@pytest.mark.parametrize(
    ("text", "encoding"),
    [("Ein Mann läuft.", "cp850"), ("Ein Mann läuft.", "mac_roman"), ("Человек упал.", "cp1251"), ("男が倒れる。", "shift_jis"),
     ("Deux voitures à côté.", "windows-1252"), ("Padł na ziemię.", "windows-1250")],
)  # fmt: skip
def test_an_encoding_that_is_not_certain_is_refused_with_what_to_save_as(ingested, text, encoding):
    with pytest.raises(SourceError, match=r"is not certain; save it as UTF-8 \(in Excel: `CSV UTF-8`\)"):
        ingested(f"video;caption\ngate.mp4;{text}\n", encoding)


@pytest.mark.parametrize(
    "text",
    ["The guard’s cap – fallen.", "“Stop,” he says.", "He can’t say ‘no’ — he runs.", "Öl läuft: “Überfall”, 3–5 s.", "• A man"],
)
def test_typographic_marks_of_windows_end_no_run(ingested, text):
    result = ingested(f"video;caption\ngate.mp4;{text}\n", "windows-1252")
    assert result.facts()[2] == [text]
    (reason,) = result.reasons
    assert ("quotation marks or dashes" in reason, "umlauts" in reason) == (True, "Öl" in text)


@pytest.mark.parametrize(
    ("text", "encoding"), [("Es así.", "mac_roman"), ("La canción.", "mac_roman"), ("Un kör.", "cp437"), ("Blod flöt.", "cp850"),
                           ("Noël.", "mac_roman"), ("Sí.", "mac_roman"), ("Une voix “à part”.", "windows-1252")],
)  # fmt: skip
def test_letters_of_other_encodings_are_not_taken_for_such_marks(ingested, text, encoding):
    with pytest.raises(SourceError, match=r"is not certain; save it as UTF-8"):
        ingested(f"video;caption\ngate.mp4;{text}\n", encoding)


@pytest.mark.parametrize(
    "table",
    [
        'video,caption,label\ngate.mp4,"A man climbs.\nHe falls, too.",climbing\nother.mp4,A dog barks.,dog\n',
        'video,caption,label\r\ngate.mp4,"A man climbs.\r\nHe falls, too.",climbing\r\nother.mp4,A dog barks.,dog\r\n',
        'video, caption, label\ngate.mp4, "A man climbs.\nHe falls, too.", climbing\nother.mp4, A dog barks., dog\n',
    ],
)
def test_a_quoted_caption_may_run_over_lines(ingested, table):
    result = ingested(table)
    assert result.facts()[2][0].split() == ["A", "man", "climbs.", "He", "falls,", "too."]
    assert (result.facts("other.mp4"), result.reasons) == (("dog", [], ["A dog barks."]), [])


@pytest.mark.parametrize(
    ("rows", "refused"),
    [
        ('gate.mp4,"A man climbs.,climbing\nother.mp4,A dog barks.,dog\n', [2]),
        ('gate.mp4,"A man climbs.,climbing\nother.mp4,"A dog, barks.",dog\n', [2]),
        ('gate.mp4,"A man climbs.,climbing\nother.mp4,A dog barks.",dog\n', [2, 3]),
        ('gate.mp4,"A man climbs.,climbing\nabsent.mp4,A dog barks.",dog\n', [2, 3]),
        ('gate.mp4,"A man\nclimbs.,climbing\nother.mp4,A dog barks.,dog\n', [2, 3]),
    ],
)
def test_an_open_quote_costs_the_line_where_it_began(ingested, rows, refused):
    result = ingested("video,caption,label\n" + rows)
    assert [item for item in result.items if ":" in item] == [f"captions.csv:{line}" for line in refused]
    assert result.facts()[0] is None
    assert all("climbs" not in text for name in ("gate.mp4", "other.mp4") for text in result.facts(name)[2])


def test_quotes_inside_a_text_are_its_own(ingested):
    result = ingested('video,caption\ngate.mp4,"Stop" he says.\nother.mp4,A 5" pipe and "a stop" sign.\n')
    assert [result.facts(name)[2] for name in ("gate.mp4", "other.mp4")] == [
        ['"Stop" he says.'],
        ['A 5" pipe and "a stop" sign.'],
    ]
    assert result.reasons == []


RIGHTLY_QUOTED = {  # a row about gate.mp4 with the label fall: its caption
    'gate.mp4,"Two clips:\nother.mp4, and this one.",fall': "Two clips:\nother.mp4, and this one.",
    'gate.mp4,"Clips, two:\nother.mp4, and this one.",fall': "Clips, two:\nother.mp4, and this one.",
    'gate.mp4,"A man, in red" ,fall': "A man, in red",
    'gate.mp4,"A man,\nin red" ,"fall" ': "A man,\nin red",
    'gate.mp4, "A man, in red" , fall': "A man, in red",
    'gate.mp4,"He says ""no"" , and goes.",fall': 'He says "no" , and goes.',
    r'gate.mp4,"He says \"stop\", then runs.",fall': 'He says "stop", then runs.',
    r'gate.mp4,"He says \"stop\"",fall': 'He says "stop"',
    'gate.mp4,"He shows C:\\dir\\",fall': "He shows C:\\dir\\",
}


@pytest.mark.parametrize("row", RIGHTLY_QUOTED)
def test_rightly_quoted_texts_are_read_as_they_are_meant(ingested, row):
    result = ingested(f"video,caption,label\n{row}\nother.mp4,A dog barks.,dog\n")
    assert (result.facts(), result.reasons) == (("fall", [], [RIGHTLY_QUOTED[row]]), [])
    assert result.facts("other.mp4") == ("dog", [], ["A dog barks."])


@pytest.mark.parametrize("row", [r"gate.mp4,He says \"stop\".,fall", r'gate.mp4,"He says \"no\" and ""yes"".",fall'])
def test_quotes_with_backslashes_that_may_mean_several_are_refused_by_their_line(ingested, row):
    result = ingested(f"video,caption,label\n{row}\nother.mp4,A dog barks.,dog\n")
    assert (result.items, result.facts()) == (["captions.csv:2"], (None, [], []))
    assert r"what \" in it means is not certain" in result.reasons[0]


def test_a_row_of_its_own_below_a_quote_that_was_not_closed_is_kept(ingested):
    rows = 'gate.mp4,"A man climbs\nother.mp4,A dog barks.,dog\nyard/0412.mp4,A cat",cat\n'
    result = ingested("video,caption,label\n" + rows)
    assert result.items == ["captions.csv:2", "captions.csv:4"]
    assert result.facts("other.mp4") == ("dog", [], ["A dog barks."])
