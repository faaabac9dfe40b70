"""Real input: clips and annotations in the published format, with the traps of the published release."""

import json

import pytest

ASIDE = ("1djrJ0wxlYo", "vMoOpQQy6sI", "CHVhwcOg6y8", "1QVn0FffExM", "fEsrO_poIUg")
"""Long clips, of which nothing is said that others have not as well: they are decoded in the slow part."""


def _annotated(folder, tables, real_data, annotations):
    from tests.conftest import Project

    project = Project(folder).smallest().with_tables(tables)
    project.set("ingest", source="hawk", hawk__annotations=str(annotations), hawk__videos=str(real_data / "videos"))
    project.run("kedro", "run", "--pipelines=ingest,split,caption,annotate,validate")
    return project


@pytest.fixture(scope="module")
def annotated(tmp_path_factory, tables, real_data):
    """The published annotations of the shorter clips."""
    annotations = tmp_path_factory.mktemp("annotations")
    for name in ("all_videos_train.json", "all_videos_test.json"):
        items = json.loads((real_data / "hawk_format" / name).read_text())
        kept = [item for item in items if not any(word in item["video"] for word in ASIDE)]
        (annotations / name).write_text(json.dumps(kept))
    return _annotated(tmp_path_factory.mktemp("real"), tables, real_data, annotations)


def test_items_with_paths_of_another_machine_arrive(annotated):
    annotations = {a.video: a for a in annotated.records("03_primary/annotations.jsonl", "Annotation")}
    assert len(annotations) == 6
    assert {"ucf_crime/RoadAccidents133_x264_270_451.mp4", "captioned/000001_000050/9HDUADeA2xg_3_31.avi"} < set(annotations)
    assert {a.provider for a in annotations.values()} == {"published"}
    fighting = annotations["ucf_crime/Fighting033_x264_570_841.mp4"]
    assert fighting.description.startswith("The man in the couple walks towards the man in blue")
    assert fighting.split == "train"
    assert len(fighting.QA) == 4  # the time in the fifth answer is that of the whole video, not of the cut


def test_the_missing_file_the_refusal_and_wrong_times_are_refused_with_their_reasons(annotated):
    (missing,) = annotated.records("02_intermediate/rejected_videos.parquet", "Rejection")
    assert missing.item == "ucf_crime/RoadAccidents127_x264.mp4"
    assert "no such file" in missing.reason
    judged = annotated.records("03_primary/judged_drafts.jsonl", "JudgedDraft")
    (refused,) = [draft for draft in judged if draft.verdict == "rejected"]
    assert "refusal" in refused.findings[0].reason
    found = {draft.video: [(one.check, one.place) for one in draft.findings] for draft in judged if draft.findings}
    assert found == {
        "ucf_crime/Fighting033_x264_570_841.mp4": [("time", "QA[3]")],
        "ucf_crime/RoadAccidents133_x264_270_451.mp4": [("time", "QA[1]")],
        "xd_violence/v=JfLYNEsrTew__#1_label_G-0-0_52_431.mp4": [("time", "QA[1]")],
        "cctv/car_accident.mp4": [("refusal", "description"), ("refusal", "QA[0]")],
    }


@pytest.mark.slow
def test_all_of_them_end_with_a_registered_model_that_answers_about_a_real_clip(tmp_path, tables, real_data):
    project = _annotated(tmp_path, tables, real_data, real_data / "hawk_format")
    assert len(project.records("03_primary/annotations.jsonl", "Annotation")) == 11
    project.run("kedro", "run", "--pipelines=motion,encode,finetune,evaluate,register")
    clip = real_data / "videos/cctv/earthquake.mp4"
    assert project.run("hawk", "ask", str(clip), "What is the unusual activity?").stdout.strip()
    assert len(project.records("04_feature/frames.parquet", "StoredItem")) == 11


def test_of_the_eighty_published_descriptions_only_refusals_are_refused(real_data):
    from hawk_pipelines.language.refusals import is_refusal

    sample = json.loads((real_data / "annotations/hawk_descriptions_sample.json").read_text())
    descriptions = [item["description"] for item in sample]
    assert len(descriptions) == 80
    refused = sorted(text[:30] for text in descriptions if is_refusal(text))
    assert refused == ["I apologize for the confusion,", "Unfortunately, without having "]
