import hashlib
from collections import Counter

import pytest

from hawk_pipelines.sources.synthetic import SyntheticParameters, read, write_script
from hawk_pipelines.video.probe import probe


def test_the_videos_are_real_files_with_the_promised_shape(rendered):
    for video in rendered:
        assert probe(video.path)[:4] == (33, 12.0, 96, 96)


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(tmp_path):
    def rendered_bytes(folder, seed):
        parameters = SyntheticParameters(train_videos=2, test_videos=1, folder=tmp_path / folder)
        return [hashlib.sha256(video.path.read_bytes()).hexdigest() for video in read(parameters, seed, workers=0).videos]

    first = rendered_bytes("a", 1)
    assert rendered_bytes("b", 1) == first
    assert not set(rendered_bytes("c", 2)) & set(first)


def test_more_videos_keep_the_ones_that_are_there(tmp_path):
    few = SyntheticParameters(train_videos=2, test_videos=1, folder=tmp_path)
    before = {video.path: video.path.stat().st_mtime_ns for video in read(few, 0, 0).videos}
    more = read(few.model_copy(update={"train_videos": 3}), 0, 0).videos
    assert len(more) == 4
    assert all(path.stat().st_mtime_ns == time for path, time in before.items())


@pytest.mark.parametrize("world", ["motion", "appearance"])
def test_the_truth_leaves_as_label_times_and_captions_only(world):
    parameters = SyntheticParameters(world=world)
    labels = Counter()
    for index in range(200):
        script = write_script(parameters, 0, "train", index)
        labels[script.label] += 1
        if script.label == "normal":
            assert script.span is None
            assert script.truth == {"normal": "nothing unusual"}
            continue
        text = script.captions[-1].text.lower()
        assert all(script.truth[slot] in text for slot in ("actor", "action", "place"))
        assert 0 <= script.span.start_s < script.span.end_s <= parameters.frames / parameters.fps
    assert labels["normal"] == 70
    assert len(labels) == 5


def test_in_the_motion_world_all_figures_look_alike():
    for index in range(50):
        script = write_script(SyntheticParameters(), 0, "train", index)
        assert len({figure.kind for figure in script.figures}) == 1
        assert len({figure.colour for figure in script.figures}) == 3
        acting = [figure for figure in script.figures if figure.action not in ("stand", "sway")]
        assert len(acting) == 1 or (script.label == "normal" and not acting)
