import csv
from itertools import islice

import pytest

from hawk_pipelines.sources.reading import SourceError
from hawk_pipelines.sources.webvid import Parameters, Row, read, read_rows
from tests.sources import trees

HEADER = ["videoid", "contentUrl", "duration", "page_dir", "name"]


def _table(path, rows, header=HEADER, encoding="utf-8"):
    with path.open("w", newline="", encoding=encoding) as file:
        csv.writer(file).writerows([header, *rows])
    return path


def test_every_row_with_a_video_is_one_with_its_caption(tmp_path, ingest):
    videos, said, about = ingest("webvid", trees.webvid(tmp_path / "webvid"))
    assert {name: (video.label, video.split, about[name].captions[0].text) for name, video in videos.items()} == {
        "000001_000050/11.mp4": (None, "train", "A lion yawns on dry grass."),
        "000001_000050/12.mp4": (None, "train", "Two boys, on a couch, play a game."),
        "000051_000100/13.mp4": (None, "test", "A man cuts wood with a saw."),
    }
    (absent,) = said
    assert "1 of 2 rows of" in absent
    assert "name a video that is not below" in absent


def test_tables_videos_and_limit_where_the_user_says(tmp_path):
    root = trees.webvid(tmp_path / "webvid")
    (root / "videos").rename(tmp_path / "elsewhere")
    table = root / "results_2M_train.csv"
    assert len(read(Parameters(path=table, videos=tmp_path / "elsewhere")).videos) == 2
    assert len(read(Parameters(path=root, videos=tmp_path / "elsewhere", limit=1)).videos) == 2  # of each table one
    assert read(Parameters(path=root)).videos == []
    with pytest.raises(SourceError, match=r"set `ingest\.webvid\.videos`"):
        read(Parameters(path=root, videos=tmp_path / "gone"))
    with pytest.raises(SourceError, match="has not the columns name, page_dir, videoid"):
        read(Parameters(path=_table(tmp_path / "other.csv", [], ["a", "b"])))
    with pytest.raises(SourceError, match="does not look like WebVid"):
        read(Parameters(path=tmp_path / "elsewhere"))


def test_the_ending_of_a_video_is_not_hard_wired(tmp_path):
    _table(tmp_path / "train.csv", [["7", "", "", "page", "A cat."], ["8.5", "", "", "page", "A dog."]])
    trees.video(tmp_path / "page/7.avi")
    trees.video(tmp_path / "page/8.5.mp4")
    assert [video.name for video in read(Parameters(path=tmp_path)).videos] == ["page/7.avi", "page/8.5.mp4"]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-be"])
def test_tables_of_other_systems_are_read_alike(tmp_path, encoding):
    trees.video(tmp_path / "p/1.mp4")
    _table(tmp_path / "train.csv", [["1", "", "", "p", "A café, by “night”."]], encoding=encoding)
    (video,) = read(Parameters(path=tmp_path)).videos
    assert video.captions[0].text == "A café, by “night”."


def test_bad_rows_are_counted_by_kind_and_the_others_are_used(tmp_path):
    (tmp_path / "secret.mp4").write_bytes(b"x")
    root = tmp_path / "webvid"
    root.mkdir()
    trees.video(root / "page/1.mp4")
    rows = [
        ["1", "", "", "page", "A cat."],
        ["1", "", "", "page", "A cat again."],
        ["secret", "", "", "..", "Climbs."],
        ["../secret", "", "", "page", "Climbs."],
        ["secret", "", "", str(tmp_path), "Absolute."],
        ["secret", "", "", "https://example.invalid", "A web page."],
        ["", "", "", "page", "No id."],
        ["1", "", "", "page", " "],
        ["5"],
    ]
    _table(root / "train.csv", rows)
    reading = read(Parameters(path=root))
    assert [video.name for video in reading.videos] == ["page/1.mp4"]
    assert [rejection.reason.split(" of 9 rows of ")[0] for rejection in reading.rejections] == ["1", "4", "3"]
    assert "repeat a video (line 3)" in reading.rejections[0].reason
    assert "outside the videos' folder or on the web (line 4, 5, 6, …)" in reading.rejections[1].reason
    assert "lack the videoid or the caption (line 8, 9, 10)" in reading.rejections[2].reason


def test_rows_that_run_over_several_lines_are_not_trusted(tmp_path):
    for number in (1, 2, 3, 4):
        trees.video(tmp_path / f"p/{number}.mp4")
    (tmp_path / "train.csv").write_text('videoid,page_dir,name\n1,p,"A ""big""  cat"\n2,p,"A dog\n3,p,A bird\n4,p,"A cow"\n')
    reading = read(Parameters(path=tmp_path))
    assert [video.captions[0].text for video in reading.videos] == ['A "big" cat']
    assert "run over several lines, maybe for want of a closing quote (line 5)" in reading.rejections[0].reason


@pytest.mark.parametrize("page", ["", ".", "./", "p", "p/", "./p"])
def test_a_folder_is_one_however_it_is_written_and_never_outside(tmp_path, page):
    trees.video(tmp_path / f"w/{page}/1.mp4")
    _table(tmp_path / "w/train.csv", [["1", "", "", page, "A cat."], ["1", "", "", f"{page}/" if page else ".", "A cat."]])
    reading = read(Parameters(path=tmp_path / "w"))
    (video,) = reading.videos
    assert video.path == tmp_path / "w" / page / "1.mp4"
    assert "repeat a video" in reading.rejections[0].reason


def test_a_row_with_an_endless_folder_costs_itself_only(tmp_path):
    trees.video(tmp_path / "p/1.mp4")
    _table(
        tmp_path / "train.csv", [["1", "", "", "x" * 300, "A cat."], ["1", "", "", "p", "A cat."], ["1", "", "", "C:", "A cat."]]
    )
    assert len(read(Parameters(path=tmp_path)).videos) == 1


def test_a_video_in_both_tables_is_tested_on_and_folders_tell_the_split(tmp_path):
    for name in ("a_train.csv", "b_val.csv", "val/partitions/0.csv", "train/partitions/0.csv"):
        trees.video(tmp_path / name.replace("a_train.csv", "").replace("b_val.csv", "").rpartition("/")[0] / "p/1.mp4")
        _table(tmp_path / name, [["1", "", "", "p", "A cat."]])
    assert [video.split for video in read(Parameters(path=tmp_path)).videos] == ["test"]
    for half, split in (("val", "test"), ("train", "train")):
        assert [video.split for video in read(Parameters(path=tmp_path / half)).videos] == [split]


def test_what_comes_before_a_broken_row_is_used(tmp_path):
    trees.video(tmp_path / "p/1.mp4")
    with (tmp_path / "train.csv").open("w") as file:
        file.write("videoid,page_dir,name\n1,p,A cat.\n2,p," + "x" * 200_000 + "\n")
    reading = read(Parameters(path=tmp_path))
    assert len(reading.videos) == 1
    assert "cannot be read after line 3" in reading.rejections[0].reason
    (tmp_path / "train.csv").write_bytes(b"videoid,page_dir,name\n1,p,A cat.\n" + b"2,p,A caf\xe9\n" * 2000)
    reading = read(Parameters(path=tmp_path))
    assert "no text in UTF-8" in reading.rejections[0].reason


def test_a_table_is_not_read_ahead(tmp_path):
    file = tmp_path / "train.csv"
    with file.open("w") as table:
        table.write("videoid,page_dir,name\n")
        table.writelines(f"{number},p,A cat.\n" for number in range(300_000))
    assert list(islice(read_rows(file), 2)) == [Row(2, 1, "0", "p", "A cat."), Row(3, 1, "1", "p", "A cat.")]
    assert sum(1 for _ in read_rows(file)) == 300_000


def test_the_real_captions_find_their_videos_which_are_no_mp4(real_data):
    reading = read(Parameters(path=real_data / "videos/captioned/webvid_csv", videos=real_data / "videos/captioned"))
    assert len(reading.videos) == 7
    assert {video.path.suffix for video in reading.videos} == {".avi"}
    assert reading.rejections == []
