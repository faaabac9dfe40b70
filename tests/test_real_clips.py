"""Real input: clips and annotations in the published format, with the traps of the published release."""

import json

import pytest

WANTED = [
    "Fighting033_x264_570_841",
    "RoadAccidents133_x264_270_451",
    "9HDUADeA2xg_3_31",
    "car_accident",
    "RoadAccidents127_x264",
]


@pytest.fixture(scope="module")
def run(tmp_path_factory, real_data):
    from tests.conftest import Project

    project = Project(tmp_path_factory.mktemp("real")).smallest()
    annotations = project.folder / "annotations"
    annotations.mkdir()
    for split in ("train", "test"):
        items = json.loads((real_data / f"hawk_format/all_videos_{split}.json").read_text())
        few = [item for item in items if any(name in item["video"] for name in WANTED)]
        (annotations / f"all_videos_{split}.json").write_text(json.dumps(few))
    project.set("ingest", source="hawk", hawk__annotations="annotations", hawk__videos=str(real_data / "videos"))
    project.first = project.run("kedro", "run")
    return project


def test_items_with_paths_of_another_machine_arrive(run):
    annotations = run.records("03_primary/annotations.jsonl", "Annotation")
    assert {a.video for a in annotations} == {
        "ucf_crime/Fighting033_x264_570_841.mp4",
        "ucf_crime/RoadAccidents133_x264_270_451.mp4",
        "captioned/000001_000050/9HDUADeA2xg_3_31.avi",
    }
    assert {a.provider for a in annotations} == {"published"}
    fighting = next(a for a in annotations if "Fighting" in a.video)
    assert fighting.description.startswith("The man in the couple walks towards the man in blue")
    assert fighting.split == "train"
    assert len(fighting.QA) == 4  # the time in the fifth answer is that of the whole video, not of the cut


def test_the_refusal_and_the_missing_file_are_refused_with_their_reasons(run):
    (missing,) = run.records("02_intermediate/rejected_videos.parquet", "Rejection")
    assert "RoadAccidents127_x264.mp4" in missing.item
    assert "no such file" in missing.reason
    (refused,) = [d for d in run.records("03_primary/judged_drafts.jsonl", "JudgedDraft") if d.verdict == "rejected"]
    assert refused.video == "cctv/car_accident.mp4"
    assert "refusal" in refused.findings[0].reason


def test_it_ends_with_a_registered_model_that_answers_about_a_real_clip(run, real_data):
    clip = real_data / "videos/cctv/earthquake.mp4"
    assert run.run("hawk", "ask", str(clip), "What is the unusual activity?").stdout.strip()
    frames = run.records("04_feature/frames.parquet", "StoredItem")
    assert len(frames) == 3


def test_of_the_thirteen_items_eleven_arrive(tmp_path, real_data):
    from tests.conftest import Project

    project = Project(tmp_path)
    project.set("ingest", source="hawk", hawk__annotations=str(real_data / "hawk_format"), hawk__videos=str(real_data / "videos"))
    project.run("kedro", "run", "--pipelines=ingest,split,caption,annotate,validate")
    assert len(project.records("03_primary/annotations.jsonl", "Annotation")) == 11
    refused = project.records("02_intermediate/rejected_videos.parquet", "Rejection")
    assert [rejection.item for rejection in refused] == ["ucf_crime/RoadAccidents127_x264.mp4"]
    judged = project.records("03_primary/judged_drafts.jsonl", "JudgedDraft")
    found = {draft.video: [(one.check, one.place) for one in draft.findings] for draft in judged if draft.findings}
    assert found == {
        "ucf_crime/Fighting033_x264_570_841.mp4": [("time", "QA[3]")],
        "ucf_crime/RoadAccidents133_x264_270_451.mp4": [("time", "QA[1]")],
        "xd_violence/v=JfLYNEsrTew__#1_label_G-0-0_52_431.mp4": [("time", "QA[1]")],
        "cctv/car_accident.mp4": [("refusal", "description"), ("refusal", "QA[0]")],
    }


def test_of_the_eighty_published_descriptions_only_refusals_are_refused(real_data):
    from hawk_pipelines.language.refusals import is_refusal

    sample = json.loads((real_data / "annotations/hawk_descriptions_sample.json").read_text())
    descriptions = [item["description"] for item in sample]
    assert len(descriptions) == 80
    refused = sorted(text[:30] for text in descriptions if is_refusal(text))
    assert refused == ["I apologize for the confusion,", "Unfortunately, without having "]
