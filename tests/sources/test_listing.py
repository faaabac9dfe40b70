import os
import shutil
from dataclasses import replace

import pytest

from hawk_pipelines.engine.run import EngineParameters
from hawk_pipelines.engine.store import ItemStore
from hawk_pipelines.schema import FrameSpan, Span
from hawk_pipelines.sources.listing import ListingParameters, list_videos
from hawk_pipelines.sources.reading import FoundVideo, SourceError, TimedText


def _list(found, probes, test_share=0.1, seed=1, **parameters):
    return list_videos(found, ListingParameters(test_share=test_share, **parameters), seed, probes, EngineParameters(workers=0))


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
    late = replace(found, label="fall", spans=[Span(start_s=1, end_s=99), Span(start_s=50, end_s=60)])
    listing = _list([late], ItemStore(tmp_path / "probes"), 0.3, 0)
    assert listing.videos[0][0].spans == [FrameSpan(start_s=1, end_s=2.75, start_frame=12, end_frame=33)]
    cut, left_out = (rejection.reason for rejection in listing.rejections)
    assert "frames 12 to 1188 (1.00 to 99.00 s), but the video ends at 2.75 s; it is cut there" in cut
    assert "frames 600 to 720" in left_out


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


def test_copies_are_grouped_and_the_one_that_is_tested_on_is_kept(rendered, tmp_path):
    (found,) = _copies(rendered, tmp_path, 1)
    tested = tmp_path / "tested.mp4"
    tested.write_bytes(found.path.read_bytes())
    trained = replace(found, split="train")
    listing = _list([trained, FoundVideo(tested, "tested.mp4", label="fall", split="test")], ItemStore(tmp_path / "probes"))
    ((video, _),) = listing.videos
    assert (video.name, video.split, video.copies) == ("tested.mp4", "test", ["0.mp4"])
    assert "labelled normal, the other fall" in listing.rejections[0].reason


@pytest.mark.parametrize(
    ("one", "other", "merged", "words"),
    [
        ({"label": "normal"}, {"label": "fall", "spans": [Span(start_s=0.5, end_s=1)]}, (None, 0, "train"), "so it has no label"),
        ({"label": "run"}, {"label": "fall"}, ("anomaly", 0, "train"), "labelled fall, the other run: it counts as anomaly"),
        ({"label": "fall"}, {"label": "anomaly", "spans": [Span(start_s=0.5, end_s=1)]}, ("fall", 1, "train"), "counts as fall"),
        ({"split": "train"}, {"split": "validation"}, (None, 0, "validation"), "it is used for validation only"),
        ({"split": "train"}, {"split": "test"}, (None, 0, "test"), "it is used for test only"),
    ],
)
@pytest.mark.parametrize("turned", [False, True])
def test_copies_that_contradict_each_other_are_what_is_certain(rendered, tmp_path, one, other, merged, words, turned):
    copies = _copies([rendered[0], rendered[0]], tmp_path, 2)
    facts = [{"label": None, "split": "train", "captions": [TimedText(0, None, "A man.")]} | known for known in (one, other)]
    facts[1]["captions"] = [*facts[1]["captions"], TimedText(0, 1, "A dog.")]
    found = [replace(video, **known) for video, known in zip(copies, facts[::-1] if turned else facts, strict=True)]
    listing = _list(found, ItemStore(tmp_path / "probes"))
    ((video, about),) = listing.videos
    assert (video.label, len(video.spans), video.split) == merged
    assert {caption.text for caption in about.captions} == {"A man.", "A dog."}
    assert len(about.captions) == 2
    assert (words if not turned or "other" not in words else "it counts as anomaly") in listing.rejections[0].reason


def test_groups_that_share_copies_are_one_group(rendered, tmp_path):
    copies = _copies([rendered[0], rendered[0], rendered[1], rendered[1], rendered[2], rendered[3]], tmp_path, 6)
    groups = ["monday", "tuesday", "tuesday", "friday", "friday", "sunday"]
    splits = ["train"] * 4 + ["test", "train"]
    found = [replace(video, group=group, split=split) for video, group, split in zip(copies, groups, splits, strict=True)]
    listing = _list(found, ItemStore(tmp_path / "probes"))
    assert [(video.name, video.group) for video, _ in listing.videos] == [("4.mp4", "monday"), ("5.mp4", "sunday")]
    assert "of group tuesday, the other of group monday: both count as one group" in listing.rejections[0].reason


def test_a_group_is_on_one_side_only(rendered, tmp_path):
    found = [replace(video, group=f"camera {number // 2}") for number, video in enumerate(_copies(rendered, tmp_path, 6))]
    for seed in range(6):
        videos = [video for video, _ in _list(found, ItemStore(tmp_path / "probes"), 0.4, seed).videos]
        sides = {(video.group, video.split) for video in videos}
        assert len(sides) == 3
        assert {split for _, split in sides} == {"train", "test"}


@pytest.mark.parametrize("split_by", ["published", "official"])
def test_a_split_that_leaks_is_refused_unless_it_is_wanted(rendered, tmp_path, split_by):
    splits = ["train", "test", "train"]
    groups = ["camera 0", "camera 0", "camera 1"]
    copies = _copies(rendered, tmp_path, 3)
    found = [
        replace(video, group=group, split=split, split_by=split_by)
        for video, group, split in zip(copies, groups, splits, strict=True)
    ]
    listing = _list(found, ItemStore(tmp_path / "probes"))
    assert [(video.name, video.split_by) for video, _ in listing.videos] == [("1.mp4", split_by), ("2.mp4", split_by)]
    assert "comes from the same source video (camera 0) as 1.mp4, which is tested on" in listing.rejections[0].reason
    assert len(_list(found, ItemStore(tmp_path / "probes"), leakage="allow").videos) == 3


def test_a_file_is_probed_again_only_when_it_has_changed(rendered, tmp_path, caplog):
    caplog.set_level("INFO")
    found = _copies(rendered, tmp_path, 2)
    _list(found, ItemStore(tmp_path / "probes"))
    found[0].path.write_bytes(rendered[3].path.read_bytes())
    _list(found, ItemStore(tmp_path / "probes"))
    assert "probe: 1 done, 1 reused, 0 rejected." in caplog.text


def test_names_that_are_no_unicode_are_refused(rendered, tmp_path):
    found = _copies(rendered, tmp_path, 1)
    odd = tmp_path / os.fsdecode(b"caf\xe9.mp4")
    odd.write_bytes(rendered[1].path.read_bytes())
    listing = _list([*found, FoundVideo(odd, odd.name)], ItemStore(tmp_path / "probes"))
    assert len(listing.videos) == 1
    assert "no valid Unicode" in listing.rejections[0].reason
    listing.rejections[0].model_dump_json()


def test_a_folder_of_pictures_is_a_video(tmp_path, rendered):
    from tests.video.odd_inputs import pictures

    folder = pictures(tmp_path, "camera 1")
    found = FoundVideo(folder, "camera 1", label="normal")
    ((video, _),) = _list([found], ItemStore(tmp_path / "probes"), pictures_fps=5.0).videos
    assert (video.frames, video.fps, video.duration_s) == (30, 5.0, 6.0)
    twin = shutil.copytree(folder, tmp_path / "elsewhere")
    (twin / "frame000.png").rename(twin / "frame030.png")
    ((other, _),) = _list([FoundVideo(twin, "x")], ItemStore(tmp_path / "probes")).videos
    assert other.id != video.id  # another order is another video
