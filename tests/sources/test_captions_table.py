"""`captions.csv` as people and programs write it: read where the meaning is certain, otherwise refused by its line."""

import shutil
import unicodedata

import pytest

from hawk_pipelines.schema import ANOMALY
from hawk_pipelines.sources.reading import SourceError
from hawk_pipelines.sources.table_numbers import read_seconds
from tests.sources.folders import ReadFolder

H = "video,start_s,end_s,caption,label\n"


REPORTED = {
    "unquoted_comma_1.csv": ((None, [], []), "Line 2 of"),
    "unquoted_comma_2.csv": ((None, [], []), "Line 2 of"),
    "unquoted_comma_last_column.csv": ((None, [], ["A man climbs over the gate, then he runs away."]), None),
    "missing_quote.csv": ((None, [], []), "Line 2 of"),
    "start_without_end.csv": (("climbing", [(1.0, None)], ["A man climbs."]), "1 row(s) of an anomaly with a start and no end"),
    "two_labels.csv": (("climbing and falling", [(1.0, 2.0), (2.0, 3.0)], []), None),
    "two_splits.csv": (("climbing", [], ["A man climbs.", "He falls."]), "is used for test only"),
    "semicolons.csv": (("climbing", [(1.0, 3.5)], ["A man climbs."]), None),
    "blanks_in_header.csv": ((None, [], ["A man climbs."]), None),
}


@pytest.mark.parametrize("name", REPORTED)
def test_tables_that_went_wrong_for_users(real_data, tmp_path, name):
    folder = real_data / "reported/captions_csv"
    shutil.copy(folder / "gate.mp4", tmp_path)
    shutil.copy(folder / name, tmp_path / "captions.csv")
    expected, reason = REPORTED[name]
    result = ReadFolder(tmp_path)
    assert result.facts() == expected
    assert (reason in result.reasons[0]) if reason else (result.reasons == [])


def test_an_anomaly_without_an_end_lasts_to_the_end_of_the_video(real_data, tmp_path, ingest):
    for name in ("a.mp4", "b.mp4"):  # 4 s of 10 frames
        content = (real_data / "reported/captions_csv/gate.mp4").read_bytes()
        (tmp_path / name).write_bytes(content + b"\0\0\0\x09free" + name.encode()[:1])  # another content, the same pictures
    (tmp_path / "captions.csv").write_text("video,start_s,label\na.mp4,1,theft\nb.mp4,70,theft\n")
    videos, said, _ = ingest("folder", tmp_path)
    frames = videos["a.mp4"].frames
    assert [(span.start_frame, span.end_frame) for span in videos["a.mp4"].spans] == [(10, frames)]
    assert videos["b.mp4"].spans == []
    understood, reason = said
    assert "2 row(s) of an anomaly with a start and no end: it lasts to the end of the video" in understood
    assert "The anomaly of b.mp4 is said to begin at 70 s and to last to the end, but the video ends at" in reason


def test_every_reported_table_is_tested(real_data):
    assert sorted(REPORTED) == sorted(path.name for path in (real_data / "reported/captions_csv").glob("*.csv"))


SAME = ("climbing", [(1.0, 3.5)], ["A man climbs."])
READ = {
    "tabs": "video\tstart_s\tend_s\tcaption\tlabel\ngate.mp4\t1,0\t3,5\tA man climbs.\tclimbing\n",
    "bars": "video|start_s|end_s|caption|label\ngate.mp4|1|3.5|A man climbs.|climbing\n",
    "sep": "sep=;\nvideo;start_s;end_s;caption;label\ngate.mp4;1;3,5;A man climbs.;climbing\n",
    "quoted sep": '"sep=;"\r\nvideo;start_s;end_s;caption;label\r\ngate.mp4;1;3,5;A man climbs.;climbing\r\n',
    "capitals, hyphens and quotes": "'Video', START-S ,\"End S\",Caption,LABEL\ngate.mp4,1,3.5,A man climbs.,climbing\n",
    "a blank line first": "\n" + H + "gate.mp4,1,3.5,A man climbs.,climbing\n",
    "empty cells and rows after the last": H.strip() + ",,\ngate.mp4,1,3.5,A man climbs.,climbing,,\n,,,,,,\n\n",
    "blanks before quotes": 'video, start_s, end_s, caption, label\ngate.mp4, 1, 3.5, "A man climbs.", climbing\n',
    "carriage returns": (H + "gate.mp4,1,3.5,A man climbs.,climbing\n").replace("\n", "\r"),
    "units": H + "gate.mp4,1 s,3.5s,A man climbs.,climbing\n",
    "clock": H + 'gate.mp4,0:00:01,"00:00:03,5",A man climbs.,climbing\n',
    "decimal comma in quotes": H + 'gate.mp4,"1,0","3,5",A man climbs.,climbing\n',
    "a column twice": "video,start_s,end_s,caption,label,label\ngate.mp4,1,3.5,A man climbs.,climbing,climbing\n",
    "another order": "label,caption,end_s,start_s,video\nclimbing,A man climbs.,3.5,1,gate.mp4\n",
}


@pytest.mark.parametrize("name", READ)
def test_what_is_certain_is_read_however_it_is_written(ingested, name):
    result = ingested(READ[name])
    assert result.facts() == SAME
    assert [item for item in result.items if item != "captions.csv:1"] == []  # a doubled column is named


REFUSED = {  # a row about gate.mp4: words of the reason
    "gate.mp4,1,3,A man, in red, falls.,falling": "7 cells, the header 5",
    "gate.mp4,1,3,climbing": "not certain which are missing",
    'gate.mp4,1,3,"A man climbs.,climbing': "a quote in it",
    'gate.mp4,1,3,A man climbs.",climbing': "a quote in it",
    "gate.mp4,0:03,0:05,A man climbs.,climbing": "write seconds (65.5) or hours, minutes and seconds (0:01:05.5)",
    'gate.mp4,"1,000","2,000",A man climbs.,climbing': "may mean thousands",
    "gate.mp4,-1,2,A man climbs.,climbing": "no time from 0 s on",
    "gate.mp4,3,2,A man climbs.,climbing": "not after its start",
    "gate.mp4,nan,inf,A man climbs.,climbing": "is no time",
}


@pytest.mark.parametrize("row", REFUSED)
def test_a_refused_row_is_named_by_its_line_and_harms_neither_its_video_nor_the_next_row(ingested, row):
    result = ingested(f"{H}other.mp4,0,1,First.,first\n{row}\nother.mp4,1,2,Second.,first\n")
    assert result.items == ["captions.csv:3"]
    assert REFUSED[row] in result.reasons[0]
    assert "gate.mp4 has no label" in result.reasons[0]
    assert result.facts() == (None, [], [])
    assert result.facts("other.mp4") == ("first", [(0.0, 1.0), (1.0, 2.0)], ["First.", "Second."])


@pytest.mark.parametrize("row", REFUSED)
def test_what_other_rows_say_is_kept_as_far_as_the_refused_one_cannot_change_it(ingested, row):
    calm = ingested(f"{H}gate.mp4,,,Calm.,normal\n{row}\n")
    assert calm.facts() == (None, [], ["Calm."])
    assert "does not count as normal" in calm.reasons[0]
    unusual = ingested(f"{H}gate.mp4,5,6,He hides.,theft\n{row}\n")
    assert unusual.facts() == ("theft", [], ["He hides."])
    assert "keeps the label theft without the times" in unusual.reasons[0]


def test_a_refused_row_that_is_normal_by_its_own_word_changes_nothing_else(ingested):
    assert ingested(f"{H}gate.mp4,5,6,He hides.,theft\ngate.mp4,x,y,Calm.,normal\n").facts() == (
        "theft",
        [(5.0, 6.0)],
        ["He hides."],
    )


@pytest.mark.parametrize("row", ["gate.mp4;1;3;He hides.;theft", "gate, east.mp4,1,3,He hides.,theft"])
def test_a_refused_row_is_taken_for_one_of_the_video_that_it_names(ingested, row):
    video = "gate, east.mp4" if "east" in row else "gate.mp4"
    files = ("gate.mp4", "gate, east.mp4")
    result = ingested(f'{H}gate.mp4,,,,normal\n"gate, east.mp4",,,,normal\n{row}\n', files=files)
    assert [result.facts(name)[0] for name in files] == [None if name == video else "normal" for name in files]
    assert result.items == ["captions.csv:4"]


def test_a_row_with_cells_left_off_at_its_end_is_read_with_a_line_where_nothing_else_can_be_meant(ingested):
    result = ingested(H + "gate.mp4,1,3,A man climbs.\nother.mp4,1,3\n")
    assert result.facts() == (None, [], ["A man climbs."])
    assert result.items == ["captions.csv:2", "captions.csv:3"]
    assert "(label), which count as empty" in result.reasons[0]
    cut = ingested(H + "gate.mp4,1,3,A man climbs over the")  # the end of the file: maybe cut while it was written
    assert cut.facts() == (None, [], [])
    assert "Line 2" in cut.reasons[0]


SHORT_ROWS = {  # header, row: label and group where it is certain which cells are missing, otherwise None
    ("video,label,group", "gate.mp4,gate-monday"): None,
    ("video,group,label", "gate.mp4,climb"): None,
    ("video,label,caption", "gate.mp4,climb"): None,
    ("video,start_s,end_s,label", "gate.mp4,3"): None,
    ("video,caption,label,group", "gate.mp4,climb"): None,
    ("video,caption,label,group", "gate.mp4,A man climbs.,climb"): ("climb", None),
    ("video,label,group", "gate.mp4,normal"): ("normal", None),
    ("video,label,start_s,end_s", "gate.mp4,climb"): ("climb", None),
    ("video,start_s,end_s,label", "gate.mp4,3,5"): (None, None),
}


@pytest.mark.parametrize(("header", "row"), SHORT_ROWS)
def test_a_cell_that_may_belong_to_a_missing_one_is_not_read_as_another(ingested, header, row):
    result = ingested(f"{header}\n{row}\n")
    expected = SHORT_ROWS[header, row]
    gate = result.videos.get("gate.mp4")  # left out where the row may say its group
    assert (gate and (gate.label, gate.group)) in ([expected] if expected else [None, (None, None)])
    assert ("not certain which are missing" in result.reasons[0]) == (expected is None)
    assert "captions.csv:2" in result.items


@pytest.mark.parametrize(
    ("caption", "joined"), [("A man climbs, falls, and lies there.", True), ("A man climbs,climbing", False), ("A, ", False)]
)
def test_a_caption_in_the_last_column_is_joined_where_its_commas_are_those_of_prose(ingested, caption, joined):
    result = ingested(f"video,start_s,caption\ngate.mp4,1,{caption}\n")
    assert result.facts()[2] == ([caption] if joined else ["A"] if caption == "A, " else [])


@pytest.mark.parametrize(
    "written",
    ["./yard/0412.mp4", "yard\\0412.mp4", ".\\yard\\0412.MP4", "yard/0412", "Yard/0412", "yard//0412.mp4", "ROOT/yard/0412.mp4"],
)
def test_other_ways_to_write_a_name(ingested, written):
    result = ingested(f"video,label\n{written},theft\n")
    assert (result.facts("yard/0412.mp4")[0], result.reasons) == ("theft", [])


@pytest.mark.parametrize(("of_file", "of_row"), [("NFC", "NFD"), ("NFD", "NFC")])
def test_names_in_another_unicode_form(ingested, of_file, of_row):
    file, row = (unicodedata.normalize(form, "Tür.mp4") for form in (of_file, of_row))
    assert ingested(f"video,label\n{row},theft\n", files=(file,)).facts(file)[0] == "theft"


def test_a_name_that_fits_two_files_is_refused_and_an_exact_one_is_not(ingested):
    result = ingested("video,label\ngate,theft\nGATE.mp4,theft\ngate.mp4,normal\n", files=("gate.mp4", "gate.avi", "Gate.MP4"))
    assert result.items == ["captions.csv:2", "captions.csv:3"]
    assert "gate may be Gate.MP4 or gate.avi or gate.mp4" in result.reasons[0]
    assert result.reasons[0].endswith(
        "Until then each of Gate.MP4 and gate.avi has no label. Until then gate.mp4 does not count as normal."
    )
    assert [result.facts(name)[0] for name in ("gate.mp4", "gate.avi", "Gate.MP4")] == [None] * 3


def test_rows_that_write_one_name_in_several_ways_are_about_one_video(ingested):
    result = ingested(H + "gate.mp4,1,2,,theft\nGATE,3,4,,theft\n./gate.mp4,,,He hides.,\n")
    assert result.facts() == ("theft", [(1.0, 2.0), (3.0, 4.0)], ["He hides."])


CONTRADICTIONS = {  # rows: the label and spans that are left, words of the line
    "gate.mp4,,,,normal|gate.mp4,1,2,,theft": ((None, []), "Lines 2 and 3"),
    "gate.mp4,0,5,,normal|gate.mp4,4,6,,theft": ((None, []), "normal and theft at the same time"),
    "gate.mp4,1,,,normal|gate.mp4,4,6,,theft": ((None, []), "normal and theft"),
    "gate.mp4,1,2,,theft|gate.mp4,1,2,,fight": ((ANOMALY, [(1.0, 2.0)]), "theft (line 2) and fight (line 3)"),
    "gate.mp4,,,,theft|gate.mp4,,,,fight": ((ANOMALY, []), "an anomaly of no class"),
    "gate.mp4,1,2,x,theft|gate.mp4,1,2,x,theft": (("theft", [(1.0, 2.0)]), "Line 3 of captions.csv says of gate.mp4"),
}


@pytest.mark.parametrize("rows", CONTRADICTIONS)
def test_contradictions_are_named_and_nothing_uncertain_is_left(ingested, rows):
    expected, words = CONTRADICTIONS[rows]
    result = ingested(H + rows.replace("|", "\n") + "\n")
    assert result.facts()[:2] == expected
    (reason,) = result.reasons
    assert words in reason
    assert result.items == ["captions.csv:3"]


NO_CONTRADICTIONS = {
    "gate.mp4,0,1,,normal|gate.mp4,1,2,,theft": ("theft", [(1.0, 2.0)]),
    "gate.mp4,0,1,,normal|gate.mp4,,,,theft": ("theft", []),
    "gate.mp4,1,2,,Theft|gate.mp4,4,5,,theft": ("Theft", [(1.0, 2.0), (4.0, 5.0)]),
    "gate.mp4,,,,normal|gate.mp4,1,2,,normal": ("normal", []),
    "gate.mp4,1,2,,theft|gate.mp4,1.5,3,,fight": ("theft and fight", [(1.0, 2.0), (1.5, 3.0)]),
    "gate.mp4,1,2,A.,theft|gate.mp4,1,2,B.,theft": ("theft", [(1.0, 2.0)]),
}


@pytest.mark.parametrize("rows", NO_CONTRADICTIONS)
def test_what_holds_together_is_kept_together(ingested, rows):
    result = ingested(H + rows.replace("|", "\n") + "\n")
    assert (result.facts()[:2], result.reasons) == (NO_CONTRADICTIONS[rows], [])


UNDERSTOOD = {  # rows: the label and spans of gate.mp4, words of the only line, where it stands
    "gate.mp4,1,,,theft|other.mp4,2,,,theft": (
        ("theft", [(1.0, None)]), "2 row(s) of an anomaly with a start and no end: it lasts to the end of the video", 2),
    "gate.mp4,,2,,theft": (
        ("theft", [(0.0, 2.0)]), "1 row(s) of an anomaly with an end and no start: it lasts from the beginning of the video", 2),
    "other.mp4,,,,fall|gate.mp4,0,3,,normal": (
        (None, []), "calls gate.mp4 normal from 0 s to 3 s (line 3), and what is at other times is not known", 3),
    "gate.mp4,5,,,normal": ((None, []), "calls gate.mp4 normal from 5 s to its end (line 2)", 2),
    "gate.mp4,0,3,Calm.,normal|gate.mp4,3,5,Calm too.,normal": (
        ("normal", []), "2 row(s) with a caption, times and the label normal: the times are those of the caption", 2),
}  # fmt: skip


@pytest.mark.parametrize("rows", UNDERSTOOD)
def test_how_times_are_understood_that_do_not_say_it_all_is_said_by_lines(ingested, rows):
    expected, words, line = UNDERSTOOD[rows]
    result = ingested(H + rows.replace("|", "\n") + "\n")
    (reason,) = result.reasons
    assert (result.facts()[:2], result.items) == (expected, [f"captions.csv:{line}"])
    assert words in reason


def test_a_video_in_two_splits_is_tested_on_and_groups_that_share_it_are_one(ingested):
    rows = "gate.mp4,train,g1\ngate.mp4,test,g2\nother.mp4,train,g2\nyard/0412.mp4,train,g1\n"
    result = ingested("video,split,group\n" + rows)
    assert {video.split for video in result.videos.values()} == {"test", "train"}
    assert result.videos["gate.mp4"].split == "test"
    assert {video.group for video in result.videos.values()} == {"g1"}
    assert ["train (line 2) and test (line 3)" in result.reasons[0], "g1 in line 2, g2 in line 3" in result.reasons[1]] == [
        True
    ] * 2


def test_a_video_whose_side_of_the_split_cannot_be_read_is_left_out(ingested):
    table = "video,caption,split,group\ngate.mp4,A man, falls.,test,g\nother.mp4,A man.,trian,g\nyard/0412.mp4,A man.,TEST,g\n"
    result = ingested(table)
    assert list(result.videos) == ["yard/0412.mp4"]
    assert result.videos["yard/0412.mp4"].split == "test"
    assert ["gate.mp4 is left out" in result.reasons[0], "other.mp4 is left out" in result.reasons[1]] == [True, True]


def test_a_doubled_column_is_named_and_rows_that_differ_in_it_are_refused(ingested):
    result = ingested("video,label,label\ngate.mp4,a,b\nother.mp4,,c\n")
    assert (result.items, result.facts()[0], result.facts("other.mp4")[0]) == (["captions.csv:1", "captions.csv:2"], None, "c")


@pytest.mark.parametrize("name", ["Captions.csv", "captions.CSV", "caption.csv", "captions.csv.txt", "captions.txt"])
def test_other_spellings_of_the_tables_name(ingested, name):
    result = ingested("video,label\ngate.mp4,theft\n", name=name)
    assert (result.facts()[0], result.reasons) == ("theft", [])


def test_tables_that_are_not_read_are_named_with_what_to_do(ingested):
    assert ingested("video\tlabel\ngate.mp4\ttheft\n", name="captions.tsv").facts()[0] == "theft"
    both = ingested("video,label\ngate.mp4,fight\n", name="caption.csv")
    assert both.facts()[0] is None
    assert ["call one of them captions.csv" in reason for reason in both.reasons] == [True, True]
    (both.root / "captions.xlsx").write_bytes(b"PK\x03\x04")
    all_three = ingested("video,label\ngate.mp4,theft\n")
    assert all_three.facts()[0] == "theft"
    assert all_three.items == ["caption.csv", "captions.tsv", "captions.xlsx"]


def test_a_workbook_is_told_what_to_save_as(ingested):
    result = ingested("PK\x03\x04", name="captions.xlsx")
    assert "save it as captions.csv in UTF-8" in result.reasons[0]
    with pytest.raises(SourceError, match="is a workbook"):
        ingested("PK\x03\x04")


def test_a_text_that_is_only_called_like_a_table_is_named_and_stops_nothing(ingested):
    result = ingested("A man climbs over the gate.\n", name="caption.txt")
    assert (result.facts(), result.items) == ((None, [], []), ["caption.txt"])


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("3", 3), ("3.50", 3.5), (".5", 0.5), ("3,5", 3.5), ("0,125", 0.125), ("1e1", 10), ("1:05.5", 65.5), ("75:10,5", 4510.5),
     ("0:01:05", 65), ("00:01:05,5", 65.5), ("12:00:00", 43200), ("3 sec", 3)],
)  # fmt: skip
def test_times(text, seconds):
    assert read_seconds(text, decimal_comma=False) == seconds


@pytest.mark.parametrize(
    "text", ["0:03", "00:75:00", "00:00:01:12", "1,000", "1.234,5", "-1", "nan", "inf", "1e999", "soon", "3 min"]
)
def test_no_times(text):
    with pytest.raises(ValueError, match=r"write seconds"):
        read_seconds(text, decimal_comma=False)


def test_a_column_without_a_header_that_counts_the_rows_is_not_used(ingested):
    result = ingested(",video,caption,label\n0,gate.mp4,A man.,climb\n1,other.mp4,A dog barks.\n")
    assert (result.facts(), result.facts("other.mp4")) == (("climb", [], ["A man."]), (None, [], ["A dog barks."]))
    assert "Column 1 of" in result.reasons[0]
    assert "counts the rows; it is not used" in result.reasons[0]
    other = ingested(",video,label\n0,gate.mp4,climb\n7,other.mp4,climb\n")
    assert [("stands below no header" in reason) for reason in other.reasons] == [True, True]


def test_columns_that_are_not_known_are_named_and_nothing_else_is_advised(ingested):
    with pytest.raises(SourceError, match=r"has the column\(s\) notes, but only video, .* are known; rename or remove them\.$"):
        ingested("video,caption,notes\ngate.mp4,A man.,x\n")
