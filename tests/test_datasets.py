"""Published data sets and one's own, from ingest to features through `kedro run`."""

import json
import re
import subprocess

import pytest

from tests.conftest import ROOT
from tests.sources import trees

STEPS = "--pipelines=ingest,split,caption,annotate,validate,motion,encode"


def _features(project):
    videos = project.records("02_intermediate/videos.parquet", "Video")
    features = {item.item_id for item in project.records("04_feature/features.parquet", "StoredItem")}
    assert features == {video.id for video in videos}
    return {video.name: video for video in videos}


def test_every_published_layout_goes_from_ingest_to_features(project, tmp_path):
    paths = {
        source: {"path": str(build(tmp_path / "sets" / source))} for source, build in trees.TREES.items() if source != "hawk"
    }
    hawk = trees.hawk(tmp_path / "sets/hawk")
    project.set("ingest", source=list(paths), published=str(hawk / "Annotation/All_Mix"), **paths)
    project.set(
        "validate", claims_of_published=False
    )  # captions and published texts of the trees have nothing to do with each other
    done = project.run("kedro", "run", STEPS)
    videos = _features(project)
    assert {video.source for video in videos.values()} == set(paths)
    assert len(videos) == 6 + 4 + 4 + 3 + 3 + 3 + 5 + 3
    for source in paths:
        assert f"Terms of `{source}`" in done.stdout
        assert all(video.licence for video in videos.values() if video.source == source)
    annotations = {one.video: one for one in project.records("03_primary/annotations.jsonl", "Annotation")}
    published = {name: one.split for name, one in annotations.items() if one.provider == "published"}
    assert published == {
        "ucf_crime/Anomaly-Videos-Part-1/Abuse/Abuse001_x264.mp4": "train",
        "ucsd_ped1/Train/Train001": "train",
        "cuhk_avenue/Avenue Dataset/testing_videos/01.avi": "test",
    }
    spoken = annotations["ucf_crime/Anomaly-Videos-Part-1/Abuse/Abuse028_x264.mp4"]
    assert "woman kicks a cat" in spoken.description
    unsaid = annotations["ubnormal/Scene1/abnormal_scene_1_scenario_1.mp4"]
    assert "labelled as anomalous" in unsaid.description
    assert not any(qa.q.startswith("Why") for qa in unsaid.QA)
    pairs = project.records("05_model_input/pretraining_pairs.jsonl", "Pair")
    assert {(pair.caption, pair.motion_text, pair.split) for pair in pairs} == {
        ("A lion yawns on dry grass.", "lion yawns on grass", "train"),
        ("Two boys, on a couch, play a game.", "boys play on couch game", "train"),
        ("A man cuts wood with a saw.", "man cuts wood with saw", "test"),
    }
    sampled = {name: one for name, one in annotations.items() if one.split == "validation"}
    samples = [
        sample for half in ("train", "test") for sample in project.records(f"05_model_input/{half}_samples.jsonl", "Sample")
    ]
    assert len(sampled) == 1
    assert not {one.item_id for one in sampled.values()} & {sample.item_id for sample in samples}


def test_a_data_set_of_which_only_one_half_was_extracted_goes_to_features_too(project):
    root = trees.ucsd(project.folder / "ucsd", "ped2")
    (root / "UCSD_Anomaly_Dataset.v1p2/UCSDped2/Train").rename(project.folder / "rest")
    done = project.run("kedro", "run", STEPS, "--params", "ingest.source=ucsd_ped2,ingest.ucsd_ped2.path=ucsd")
    assert len(_features(project)) == 2
    assert "Nothing can be trained on: there is no training video." in done.stdout


def test_the_data_set_of_the_readme_is_a_source(project, rendered):
    (code,) = [
        block for block in re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL) if "def read(" in block
    ]
    assert len(code.splitlines()) < 40
    (project.folder / "src/harbour.py").write_text(code)
    home = project.folder / "data/01_raw/harbour"
    for number, video in enumerate(rendered[:4]):
        (home / f"gate {number}").mkdir(parents=True)
        (home / f"gate {number}/a.mp4").write_bytes(video.path.read_bytes())
    event = {"kind": "climbing", "from_s": 0.5, "to_s": 1.5, "text": "A man climbs over the gate."}
    (home / "events.json").write_text(json.dumps({"gate 0/a.mp4": event, "gate 1/a.mp4": event, "gate 9/a.mp4": event}))
    settings = re.search(r'--params "(ingest\.source=harbour[^"]*)"', (ROOT / "README.md").read_text())[1]
    done = project.run("kedro", "run", STEPS, "--params", settings)
    videos = _features(project)
    assert [(video.label, video.group, len(video.spans)) for video in videos.values()] == [
        ("climbing", "gate 0", 1), ("climbing", "gate 1", 1), ("normal", "gate 2", 0), ("normal", "gate 3", 0),
    ]  # fmt: skip
    assert videos["gate 0/a.mp4"].licence == "The harbour's own; not to be passed on."
    assert "not to be passed on" in done.stdout
    (absent,) = project.records("02_intermediate/rejected_videos.parquet", "Rejection")
    assert "gate 9/a.mp4, which is not there" in absent.reason
    done = project.run("kedro", "run", "--params", "ingest.source=harbour,ingest.own.path=[]", check=False)
    assert re.search(r"Error: Settings .*`ingest\.own", done.stderr)


def test_only_the_sources_and_the_settings_name_a_data_set():
    names = "ucf|shanghai|avenue|ucsd|ped[12]\\b|\\bdota\\b|ubnormal|webvid|\\buca\\b"
    pattern = ["-rniE", names, "src/hawk_pipelines", "--include=*.py"]
    found = subprocess.run(["grep", *pattern], cwd=ROOT, capture_output=True, text=True, check=False).stdout.splitlines()
    assert found
    assert [line for line in found if not line.startswith("src/hawk_pipelines/sources/")] == []


@pytest.mark.slow
def test_the_layouts_of_the_pack_go_from_ingest_to_features(project, real_data):
    from tests.sources.test_layouts import LAYOUTS

    layouts = {source: layout for layout, (source, *_) in reversed(LAYOUTS.items())}
    paths = {source: {"path": str(real_data / "layouts" / layout)} for source, layout in layouts.items()}
    project.set("ingest", source=list(paths), **paths)
    project.run("kedro", "run", STEPS)
    videos = _features(project)
    for source, layout in layouts.items():
        assert sum(video.source == source for video in videos.values()) == sum(LAYOUTS[layout][1].values())
    single = f"ingest.ucf_crime.path={real_data}/layouts/UCF-Crime_single_archive"
    project.run("kedro", "run", STEPS, "--params", f"ingest.source=ucf_crime,{single}")
    assert len(_features(project)) == 4


@pytest.mark.slow
def test_the_release_in_the_pack_goes_from_ingest_to_features(project, real_data):
    project.run("kedro", "run", STEPS, "--params", f"ingest.source=hawk,ingest.hawk.path={real_data}/layouts/HAWK_release")
    assert len(_features(project)) == 9
    assert {one.provider for one in project.records("03_primary/annotations.jsonl", "Annotation")} == {"published"}
