import json
from pathlib import Path

import numpy as np
import pytest

from hawk_pipelines.video.sampling import random_halves, uniform

GOLDEN = json.loads((Path(__file__).parents[1] / "golden/e_motion_indices.json").read_text())


@pytest.mark.parametrize("clip", GOLDEN)
def test_indices_are_the_references(clip):
    assert uniform(0, GOLDEN[clip]["frames"], 32).tolist() == GOLDEN[clip]["indices_uniform"]
    assert np.maximum(uniform(0, GOLDEN[clip]["frames"], 32), 1).tolist() == GOLDEN[clip]["indices_motion"]


@pytest.mark.parametrize(("frames", "count"), [(33, 8), (271, 32), (976_503, 32), (101, 32), (8, 8), (1000, 1)])
def test_indices_are_those_of_a_truncated_even_step(frames, count):
    assert uniform(0, frames, count).tolist() == np.arange(0, frames, frames / count)[:count].astype(int).tolist()


def test_a_span_is_sampled_as_if_it_were_the_video():
    assert uniform(100, 133, 8).tolist() == [100 + index for index in uniform(0, 33, 8)]


def test_phases_lie_between_each_other():
    phases = [uniform(0, 80, 8, phase / 4) for phase in range(4)]
    assert np.sort(np.concatenate(phases)).tolist() == uniform(0, 80, 32).tolist()


def test_a_short_video_gives_every_frame_once():
    assert uniform(5, 8, 8).tolist() == [5, 6, 7]
    assert random_halves(5, 8, 8, np.random.default_rng(0)).tolist() == [5, 6, 7]


def test_half_of_the_random_frames_come_from_each_half():
    drawn = [random_halves(10, 110, 8, np.random.default_rng(seed)) for seed in range(50)]
    for indices in drawn:
        assert (np.diff(indices) > 0).all()
        assert (indices < 60).sum() == 4
        assert indices.min() >= 10
        assert indices.max() < 110
    assert len({tuple(indices) for indices in drawn}) > 45
    assert random_halves(10, 110, 8, np.random.default_rng(3)).tolist() == drawn[3].tolist()


@pytest.mark.parametrize(("start", "end", "count"), [(0, 0, 8), (5, 5, 8), (-1, 3, 8), (0, 8, 0)])
def test_nothing_cannot_be_sampled(start, end, count):
    with pytest.raises(ValueError, match="at least one frame"):
        uniform(start, end, count)
