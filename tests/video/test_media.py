"""Paths that anybody may have typed."""

import os
from pathlib import Path

import pytest

from hawk_pipelines.sources.inspection import inspect
from hawk_pipelines.video.errors import UnreadableVideo
from hawk_pipelines.video.media import open_media
from hawk_pipelines.video.probe import probe
from hawk_pipelines.video.streams import StreamParameters, read_streams

LONG = "x" * 300
PATHS = {
    "a name of 300 characters": (
        LONG,
        f"{'x' * 80}… cannot be a file's name: with 300 characters it is too long; check the path.",
    ),
    "a path of 6,000 characters": ("a/" * 3000, f"{'a/' * 40}… cannot be a file's name: with 6,000 characters it is too long;"),
    "half a character": ("a\ud800.mp4", "a\\ud800.mp4 cannot be a file's name: it holds half a character (a lone surrogate);"),
    "bytes that are no text": ("\udcff\udcfe.mp4", "\\udcff\\udcfe.mp4 does not exist; check the path."),
    "a null character": ("a\0b", "cannot be a file's name: it holds a null character; check the path."),
    "an address": (
        "http://x/y.mp4",
        "http://x/y.mp4 does not exist, and addresses are not opened; give the path of a file on this machine.",
    ),
    "a file below a file": (f"{__file__}/a.mp4", "test_media.py/a.mp4 does not exist; check the path."),
    "an empty path below": ("no/such.mp4", "no/such.mp4 does not exist; check the path."),
}


@pytest.mark.parametrize("name", PATHS)
def test_a_path_that_leads_nowhere_is_refused_as_it_was_typed(name):
    path, sentence = PATHS[name]
    for read in (open_media, probe, lambda video: read_streams(video, StreamParameters(), 32)):
        with pytest.raises(UnreadableVideo) as refused:
            read(path)
        assert sentence in str(refused.value)
    (row,) = inspect([path], workers=0)
    assert (row.path, row.status) == (path, "rejected")
    assert sentence in row.reason


def test_a_folder_and_a_named_pipe_are_no_file(tmp_path):
    with pytest.raises(UnreadableVideo, match="is a folder, and no file"):
        open_media(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UnreadableVideo, match="neither a file nor a folder of pictures"):
        open_media(Path(tmp_path / "pipe"))
