import pytest

from hawk_pipelines.schema import Span
from hawk_pipelines.sources.folder import Parameters, read
from hawk_pipelines.sources.reading import SourceError
from tests.video.odd_inputs import pictures


@pytest.fixture
def folder(tmp_path):
    for name in ("a.mp4", "deep/b.MP4", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")

    def about(text, encoding="utf-8"):
        (tmp_path / "captions.csv").write_bytes(text.encode(encoding))
        return read(Parameters(path=tmp_path))

    return about


def test_captions_labels_times_and_split_reach_their_video(folder):
    reading = folder("video,start_s,end_s,caption,label,split\n./a.mp4,1,2,A man falls.,falling,test\na.mp4,,,People walk.,,\n")
    a, b = reading.videos
    assert (a.name, a.label, a.spans, a.split) == ("a.mp4", "falling", [Span(start_s=1, end_s=2)], "test")
    assert [caption.text for caption in a.captions] == ["A man falls.", "People walk."]
    assert (b.name, b.label, b.captions) == ("deep/b.MP4", None, [])


@pytest.mark.parametrize("label", ["normal", "Normal", " NORMAL "])
def test_normal_is_normal_however_it_is_written(folder, label):
    video = folder(f"video,start_s,end_s,label\na.mp4,,,{label}\n").videos[0]
    assert video.label == "normal"
    assert video.spans == []


@pytest.mark.parametrize("times", ["nan,2", "-1,2", "0,inf", "0,nan", "3,2", "soon,later"])
def test_a_bad_row_is_left_out_and_the_rest_goes_on(folder, times):
    reading = folder(f"video,start_s,end_s,caption\na.mp4,{times},Bad.\na.mp4,0,1,Good.\n")
    assert [caption.text for caption in reading.videos[0].captions] == ["Good."]
    assert "Line 2 of" in reading.rejections[0].reason


@pytest.mark.parametrize(
    ("text", "encoding", "says"),
    [("video,caption\na.mp4,caf\u00e9\n", "latin-1", "UTF-8"), ("file,text\na.mp4,x\n", "utf-8", "`video` is needed")],
)
def test_a_file_that_is_no_such_table(folder, text, encoding, says):
    with pytest.raises(SourceError, match=says):
        folder(text, encoding)


def test_folders_of_pictures_are_found_and_links_in_circles_are_not_followed(tmp_path):
    pictures(tmp_path, "camera 1")
    (tmp_path / "camera 1" / "again").symlink_to(tmp_path)
    (tmp_path / "clip.mp4").mkdir()
    (tmp_path / "._clip.mp4").write_bytes(b"litter")
    assert [video.name for video in read(Parameters(path=tmp_path)).videos] == ["camera 1", "clip.mp4"]


def test_the_recording_that_a_clip_was_cut_from_reaches_its_video(folder):
    assert folder("video,group\na.mp4,camera 7\n").videos[0].group == "camera 7"


@pytest.mark.parametrize("outside", ["../outside.mp4", "/etc/passwd", "deep/../../outside.mp4"])
def test_a_row_cannot_leave_the_directory(folder, tmp_path, outside):
    (tmp_path.parent / "outside.mp4").write_bytes(b"")
    reading = folder(f"video,caption\n{outside},A secret.\n")
    assert all(tmp_path in video.path.parents for video in reading.videos)
    assert "which is not in" in reading.rejections[0].reason


def test_a_directory_without_videos(tmp_path):
    with pytest.raises(SourceError, match="holds no video file"):
        read(Parameters(path=tmp_path))
