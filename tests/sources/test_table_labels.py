"""Labels and names of a table, with marks that nobody means, and words that name no class."""

import pytest

from hawk_pipelines.sources.table_labels import read_label


@pytest.mark.parametrize(
    ("written", "label"),
    [("normal.", "normal"), ("'Normal'", "normal"), ("“normal”", "normal"), ("«normal»", "normal"), ("normal;", "normal"),
     ("normal\u200b", "normal"), ("\ufeffnormal", "normal"), ("'normal'.", "normal"), ("“fall”", "fall"), ("fa\u200bll", "fall"),
     ("rock 'n' roll", "rock 'n' roll"), ("abnormal", "abnormal"), ("anomaly", "anomaly"), ("no helmet", "no helmet"),
     ("7", "7"), ("می\u200cافتد", "می\u200cافتد")],
)  # fmt: skip
def test_marks_that_nobody_means_do_not_make_another_label(written, label):
    assert read_label(written) == label


NO_LABELS = [
    "none", "None", "nan", "N/A", "null", "-", "--", "?", "0", "1", "false", "unknown", "no anomaly", "non-anomalous",
    "No_Anomaly", "not an anomaly", "Normal_Videos", "Training_Normal_Videos_Anomaly", "not normal", "normal, walking",
]  # fmt: skip


@pytest.mark.parametrize("written", NO_LABELS)
def test_a_label_that_may_say_nothing_is_refused_and_makes_its_video_neither_normal_nor_unusual(ingested, written):
    result = ingested(f'video,label,split\ngate.mp4,"{written}",test\nother.mp4,normal,train\nother.mp4,"{written}",train\n')
    assert [(video.label, video.split) for video in result.videos.values()] == [(None, "test"), (None, "train"), (None, None)]
    assert result.items == ["captions.csv:2", "captions.csv:4"]
    assert f"label: {written!r} names no class" in result.reasons[0] or f"whether {written!r} means normal" in result.reasons[0]


@pytest.mark.parametrize("written", ["“gate.mp4”", "'gate.mp4'", "gate.mp4\u200b", "\u2068gate.mp4\u2069", "ga\u200bte.mp4"])
def test_marks_around_a_name_and_in_the_header_do_not_matter(ingested, written):
    result = ingested(f"\u200b“video”,la\u200bbel\n{written},theft\n")
    assert (result.facts()[0], result.reasons) == ("theft", [])


def test_a_file_whose_name_has_such_marks_is_found_by_them(ingested):
    result = ingested("video,label\n“gate.mp4,theft\ngate.mp4,fall\n", files=("“gate.mp4", "gate.mp4"))
    assert [result.facts(name)[0] for name in ("“gate.mp4", "gate.mp4")] == ["theft", "fall"]
