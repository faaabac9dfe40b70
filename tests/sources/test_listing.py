from dataclasses import replace

import pytest

from hawk_pipelines.engine.run import EngineParameters
from hawk_pipelines.engine.store import ItemStore
from hawk_pipelines.schema import Span
from hawk_pipelines.sources.listing import ListingParameters, list_videos
from hawk_pipelines.sources.reading import FoundVideo, SourceError


def _list(found, probes, test_share=0.1, seed=1, **parameters):
    return list_videos(
        found, "folder", ListingParameters(test_share=test_share, **parameters), seed, probes, EngineParameters(workers=0)
    )


def _copies(rendered, folder, count):
    found = []
    for number, video in enumerate(rendered[:count]):
        path = folder / f"{number}.mp4"
        path.write_bytes(video.path.read_bytes())
        found.append(FoundVideo(path, path.name, label="normal"))
    return found


def test_the_seeded_split_holds_out_a_share_and_repeats(rendered, tmp_path):
    found = _copies(rendered, tmp_path, 6)
    one = _list(found[:5], ItemStore(tmp_path / "probes"), 0.34, 1)
    more = _list(list(reversed(found)), ItemStore(tmp_path / "probes"), 0.34, 1)
    splits = {video.name: video.split for video, _ in one.videos}
    assert set(splits.values()) == {"test", "train"}
    assert splits.items() <= {video.name: video.split for video, _ in more.videos}.items()


def test_a_broken_video_and_one_of_which_nothing_is_known_are_never_the_only_test(rendered, tmp_path):
    found = _copies(rendered, tmp_path, 3)
    (tmp_path / "broken.mp4").write_text("no")
    broken = FoundVideo(tmp_path / "broken.mp4", "broken.mp4", label="normal")
    unknown = replace(found[2], label=None)
    for seed in range(8):
        videos = _list([*found[:2], unknown, broken], ItemStore(tmp_path / "probes"), 0.3, seed).videos
        assert {video.split for video, about in videos if about.label} == {"train", "test"}


def test_a_span_past_the_end_is_named_and_left_out(rendered, tmp_path):
    (found,) = _copies(rendered, tmp_path, 1)
    late = replace(found, spans=[Span(start_s=1, end_s=99), Span(start_s=50, end_s=60)])
    listing = _list([late], ItemStore(tmp_path / "probes"), 0.3, 0)
    assert listing.videos[0][0].spans == [Span(start_s=1, end_s=2.75)]
    assert "starts at 50.0 s" in listing.rejections[0].reason


def test_the_same_content_counts_once(rendered, tmp_path):
    (found,) = _copies(rendered, tmp_path, 1)
    twin = tmp_path / "twin.mp4"
    twin.write_bytes(found.path.read_bytes())
    listing = _list([found, FoundVideo(twin, "twin.mp4")], ItemStore(tmp_path / "probes"), 0.1, 1)
    assert len(listing.videos) == 1
    assert "same content" in listing.rejections[0].reason


def test_an_id_is_made_of_the_content_not_of_the_path(rendered, tmp_path):
    (found,) = _copies(rendered, tmp_path, 1)
    moved = found.path.rename(tmp_path / "moved.mp4")
    probes = ItemStore(tmp_path / "probes")
    ids = {_list([FoundVideo(path, "x")], probes, 0.1, 1).videos[0][0].id for path in (moved, rendered[0].path)}
    assert len(ids) == 1


def test_a_source_without_a_usable_video(tmp_path):
    (tmp_path / "a.mp4").write_text("no")
    with pytest.raises(SourceError, match="cannot be opened as a video"):
        _list([FoundVideo(tmp_path / "a.mp4", "a.mp4")], ItemStore(tmp_path / "probes"), 0.1, 1)
