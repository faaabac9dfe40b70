"""Every odd input is read with the right frames, or refused with its reason."""

import json
import socket
import threading

import numpy as np
import pytest

from hawk_pipelines.engine.processes import Failure, Limits, spread
from hawk_pipelines.sources.inspection import inspect
from hawk_pipelines.video.decode import read_pairs
from hawk_pipelines.video.errors import UnreadableVideo
from hawk_pipelines.video.probe import probe, verified_index
from hawk_pipelines.video.streams import StreamParameters, read_streams
from tests.video import odd_inputs
from tests.video.numbered import number_of, write
from tests.video.odd_inputs import READ, REFUSED


def _check(path, frames, first=0):
    """Every frame and every neighbour is the right one, read in one go and reached by seeking."""
    assert probe(path).frames == frames
    index = verified_index(path)
    everything = list(range(1, frames)) or [0]
    for wanted in (everything, everything[frames * 2 // 3 :: 17] or everything[-1:], everything[-1:]):
        pairs = read_pairs(path, index, wanted, 48)
        assert [number_of(frame) - first for frame in pairs.current] == wanted
        assert [number_of(frame) - first for frame in pairs.previous] == [max(0, number - 1) for number in wanted]


@pytest.mark.parametrize("name", READ)
def test_odd_files_are_read_right(tmp_path, name):
    _check(*odd_inputs.make_readable(tmp_path, name))


def test_the_first_of_two_video_streams_is_read(tmp_path):
    _check(odd_inputs.two_video_streams(tmp_path), 30)


def test_a_cover_picture_is_no_video(tmp_path):
    _check(odd_inputs.cover_picture(tmp_path, with_video=True), 30)


def test_a_duration_that_only_the_header_promises_is_not_believed(tmp_path):
    path = odd_inputs.huge_declared_duration(tmp_path)
    _check(path, 30)
    assert probe(path).duration_s == 3.0


@pytest.mark.parametrize(("degrees", "quarters"), [(90, 1), (180, 2), (-90, 3)])
def test_pictures_are_turned_upright(tmp_path, degrees, quarters):
    path = odd_inputs.turned(tmp_path, degrees)
    known = probe(path)
    assert (known.width, known.height) == ((120, 60) if quarters == 2 else (60, 120))
    frames = read_pairs(path, verified_index(path), range(1, 30), 48).current
    assert [number_of(np.rot90(frame, -quarters)) for frame in frames] == list(range(1, 30))


def test_what_an_edit_list_cuts_away_is_not_there(tmp_path):
    path = write(tmp_path / "cut.mp4", 30, pts=range(-15, 15), container={"avoid_negative_ts": "disabled"})
    _check(path, 15, first=15)


def test_a_recording_that_begins_in_the_middle_is_counted_as_it_decodes(tmp_path):
    whole = write(tmp_path / "whole.ts", 60, options=odd_inputs.KEY_20).read_bytes()
    path = tmp_path / "late.ts"
    path.write_bytes(whole[188 * 20 :])
    frames = probe(path).frames
    assert 0 < frames < 60
    shown = [number_of(frame) for frame in read_pairs(path, verified_index(path), range(1, frames), 48).current]
    assert shown == list(range(60 - frames + 1, 60))


def test_a_recording_that_ends_early_is_counted_as_it_decodes(tmp_path):
    whole = write(tmp_path / "whole.mkv", 60, options=odd_inputs.KEY_20).read_bytes()
    path = tmp_path / "cut.mkv"
    path.write_bytes(whole[: len(whole) // 2])
    try:
        frames = probe(path).frames
    except UnreadableVideo as error:
        assert "damaged" in str(error)  # noqa: PT017 (either answer is right)
    else:
        assert frames == _decoded(path)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".bmp"])
def test_a_folder_of_pictures_is_a_video(tmp_path, suffix):
    folder = odd_inputs.pictures(tmp_path, "clip.mp4", suffix=suffix)
    for litter in (".DS_Store", f"._frame001{suffix}", "notes.txt", "Thumbs.db"):
        (folder / litter).write_text("litter")
    assert probe(folder) == (30, 10.0, 96, 96, 3.0, None, ())
    streams = read_streams(folder, StreamParameters(frames=8), 48, pictures_fps=10.0)
    assert [number_of(frame) for frame in streams.frames[0]] == [1, 3, 7, 11, 15, 18, 22, 26]
    assert streams.times_s[0].tolist() == [0.1, 0.3, 0.7, 1.1, 1.5, 1.8, 2.2, 2.6]


def test_pictures_are_in_the_order_of_their_numbers(tmp_path):
    folder = odd_inputs.pictures(tmp_path, "clip")
    for path in list(folder.iterdir()):
        path.rename(folder / f"{int(path.stem.removeprefix('frame'))}.png")
    assert number_of(read_streams(folder, StreamParameters(frames=30), 48).frames[0, 12]) == 12


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_video_is_refused_with_its_reason(tmp_path, name):
    path = odd_inputs.make_refused(tmp_path, name)
    with pytest.raises(UnreadableVideo) as refused:
        probe(path)
    assert REFUSED[name][1] in str(refused.value)
    assert str(refused.value).endswith(".")


def test_all_of_them_at_once_stop_nothing(tmp_path):
    (tmp_path / "good").mkdir()
    good = [odd_inputs.make_readable(tmp_path / "good", name)[0] for name in ("vp9.webm", "grey.mp4", "-leading dash.mp4")]
    paths = good + [odd_inputs.make_refused(tmp_path, name) for name in REFUSED]
    rows = inspect([str(path) for path in paths], workers=2)
    assert [row.path for row in rows] == [str(path) for path in paths]
    assert [row.status for row in rows] == ["ok"] * 3 + ["rejected"] * len(REFUSED)
    json.dumps([row._asdict() for row in rows], allow_nan=False)


def test_a_playlist_opens_nothing_else(tmp_path):
    asked = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(1)
        threading.Thread(target=lambda: _accept(server, asked), daemon=True).start()
        address = f"http://127.0.0.1:{server.getsockname()[1]}/a.ts"
        secret = write(tmp_path / "secret.ts", 10)
        for number, text in enumerate(
            [
                f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{address}\n#EXT-X-ENDLIST\n",
                f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{secret}\n#EXT-X-ENDLIST\n",
                f"ffconcat version 1.0\nfile '{secret}'\n",
                f"ffconcat version 1.0\nfile {address}\n",
            ]
        ):
            path = tmp_path / f"{number}.mp4"
            path.write_text(text)
            with pytest.raises(UnreadableVideo):
                probe(path)
        for path in (address, f"concat:{secret}|{secret}", f"file:{secret}", "pipe:0"):
            with pytest.raises(UnreadableVideo, match="does not exist"):
                probe(path)
        assert not asked.wait(1.2)


def _accept(server, asked):
    try:
        server.accept()[0].close()
    except OSError:
        return
    asked.set()


@pytest.mark.parametrize("seed", range(4))
def test_damage_anywhere_is_refused_or_counted_exactly(tmp_path, seed):
    rng = np.random.default_rng(seed)
    for name in ("one key frame in 300.mp4", "open gop.mkv", "hevc.mp4", "mpeg-4 without times.avi", "h264.ts"):
        READ.get(name)
        path = write(tmp_path / "h264.ts", 60) if name == "h264.ts" else odd_inputs.make_readable(tmp_path, name)[0]
        content = bytearray(path.read_bytes())
        place = int(rng.integers(len(content) // 5, len(content) - 10))
        content[place : place + int(rng.choice([1, 4, 64, 1000]))] = b""
        path.write_bytes(content)
        row = spread(probe, [path], Limits(0), "")
        ((_, known),) = row
        if not isinstance(known, Failure):
            assert known.frames == _decoded(path)


def _decoded(path):
    import av

    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))
