import numpy as np
import pytest

from hawk_pipelines.video.sampling import uniform


@pytest.mark.parametrize(("frames", "count"), [(33, 8), (271, 32), (181, 32), (101, 32), (8, 8), (1000, 1)])
def test_indices_are_those_of_a_truncated_even_step(frames, count):
    assert uniform(frames, count).tolist() == np.arange(0, frames, frames / count)[:count].astype(int).tolist()


def test_a_short_video_gives_every_frame_once():
    assert uniform(3, 8).tolist() == [0, 1, 2]


def test_nothing_cannot_be_sampled():
    with pytest.raises(ValueError, match="at least one frame"):
        uniform(0, 8)
