import sys

import pytest
from pydantic import ValidationError

from hawk_pipelines.sources.parameters import SOURCES, IngestParameters, read_source
from hawk_pipelines.sources.reading import SourceError
from tests.sources import trees


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A module of one's own."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(sys.modules, "gate", None)
    del sys.modules["gate"]

    def write(code):
        (tmp_path / "gate.py").write_text(code)
        sys.modules.pop("gate", None)

    return write


SOURCE = """
from pydantic import BaseModel
from hawk_pipelines.sources.reading import FoundVideo, Reading
class Parameters(BaseModel):
    model_config = {"extra": "forbid"}
    count: int = 1
def read(parameters):
    return Reading([FoundVideo(f"/gate/{n}.mp4", f"{n}.mp4") for n in range(parameters.count)], [], "Ours.")
"""


def test_a_module_of_ones_own_is_a_source(own, caplog):
    caplog.set_level("INFO")
    own(SOURCE)
    reading = read_source(IngestParameters(source="gate", own={"count": 3}), 0, 0)
    assert [(video.name, video.source, video.licence) for video in reading.videos] == [
        (f"{n}.mp4", "gate", "Ours.") for n in range(3)
    ]
    assert "Terms of `gate`: Ours." in caplog.text


@pytest.mark.parametrize(
    ("code", "own_settings", "says"),
    [
        (SOURCE, {"count": "many"}, "valid integer"),
        (SOURCE, {"cuont": 1}, "Extra inputs are not permitted"),
        ("class Parameters: pass", {}, "lacks `read`"),
        ("import nothing_of_that_name", {}, "none that can be imported (No module named 'nothing_of_that_name')"),
        (SOURCE.replace("range(parameters.count)", "()"), {}, None),
    ],
)
def test_a_module_that_is_no_source_is_refused_before_anything_runs(own, code, own_settings, says):
    own(code)
    if says is None:
        with pytest.raises(SourceError, match="`gate` gave no video"):
            read_source(IngestParameters(source="gate"), 0, 0)
    else:
        with pytest.raises(ValidationError) as error:
            IngestParameters(source="gate", own=own_settings)
        assert says in str(error.value)


def test_a_source_that_names_two_videos_alike_is_refused(own):
    own(SOURCE.replace('f"{n}.mp4") for', '"a.mp4") for'))
    with pytest.raises(SourceError, match=r"gate gave a\.mp4 twice"):
        read_source(IngestParameters(source="gate", own={"count": 2}), 0, 0)


@pytest.mark.parametrize("source", [[], ["dota", "dota"], ["mine", "yours"], "webcam", ""])
def test_sources_that_cannot_be_meant(source):
    with pytest.raises(ValidationError):
        IngestParameters(source=source)


def test_every_source_has_settings():
    assert set(SOURCES) <= set(IngestParameters.model_fields)


def test_names_tell_the_source_only_where_there_are_several(tmp_path):
    one = {"path": trees.ucsd(tmp_path / "a", "ped1")}
    two = {"path": trees.ucsd(tmp_path / "b", "ped2")}
    alone = read_source(IngestParameters(source="ucsd_ped1", ucsd_ped1=one), 0, 0)
    together = read_source(IngestParameters(source=["ucsd_ped1", "ucsd_ped2"], ucsd_ped1=one, ucsd_ped2=two), 0, 0)
    names = [video.name for video in alone.videos]
    assert [video.name for video in together.videos] == [f"ucsd_ped1/{name}" for name in names] + [
        f"ucsd_ped2/{name}" for name in names
    ]


def test_what_is_missing_is_warned_of_in_one_line(tmp_path, caplog):
    read_source(IngestParameters(source="dota", dota={"path": trees.dota(tmp_path / "dota")}), 0, 0)
    (line,) = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert line == (
        "dota is not whole: 2 of 3,275 training clips, 1 of 1,402 test clips (the official validation half), "
        "3 of 4,677 clips with metadata. `hawk check-data` says more."
    )
