"""The data engine on real clips: from raw files to samples, with a word about everything that does not get there."""

import csv
import json

import pytest
from click.testing import CliRunner

from hawk_pipelines.cli import main
from hawk_pipelines.curation.decisions import read
from tests.conftest import Project

STEPS = "--pipelines=ingest,split,caption,annotate,validate"
FOLDERS = ("ucf_crime", "xd_violence", "cctv", "ubnormal", "pedestrians", "intel")
CUTS = {"Fighting033_x264": (570, 840, "Fighting"), "RoadAccidents133_x264": (270, 450, "RoadAccidents")}
"""The UCF-Crime clips: which frames of the whole video they are, and their class."""
EXPLOSION = "xd_violence/v=JfLYNEsrTew__#1_label_G-0-0_52_431.mp4"
LABELS = {
    "xd_violence/v=1djrJ0wxlYo__#1_label_B4-0-0_0_759.mp4": "riot",
    "xd_violence/v=JfLYNEsrTew__#1_label_G-0-0_52_431.mp4": "explosion",
    "ubnormal/abnormal_scene_20_scenario_6.mp4": "anomaly",
    "ubnormal/normal_scene_16_scenario_2.mp4": "normal",
    "pedestrians/vtest.avi": "normal",
}
FEW = [
    *(f"ucf_crime/{name}_{first}_{last + 1}.mp4" for name, (first, last, _) in CUTS.items()),
    EXPLOSION,
    "cctv/car_accident.mp4",
]


def captions_csv(real_data):
    """What is known of the clips, as a user would write it: classes, UCA's sentences moved to the cut, and no more."""
    uca = {}
    for split in ("Train", "Val", "Test"):
        uca |= json.loads((real_data / f"annotations/uca/UCFCrime_{split}.json").read_text())
    rows = []
    for number, (name, (first, last, label)) in enumerate(CUTS.items()):
        video = f"ucf_crime/{name}_{first}_{last + 1}.mp4"
        split, lasts = ("train", "test")[number], (last - first) / 30
        rows.append({"video": video, "start_s": 0, "end_s": round(lasts, 2), "label": label, "split": split})
        for (start, end), text in zip(uca[name]["timestamps"], uca[name]["sentences"], strict=True):
            begins, ends = max(0.0, start - first / 30), min(lasts, end - first / 30)
            if ends - begins > 0.5:
                rows.append({"video": video, "start_s": round(begins, 2), "end_s": round(ends, 2), "caption": text})
    rows += [{"video": video, "label": label, "split": "train"} for video, label in LABELS.items()]
    return rows


def _project(folder, real_data, clips):
    """A project with links to real clips, what is known of them, and a file that is no video."""
    project = Project(folder)
    for clip in clips:
        link = folder / "videos" / clip
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(real_data / "videos" / clip)
    (folder / "videos" / "broken.mp4").write_bytes(b"no video at all")
    with (folder / "videos" / "captions.csv").open("w", newline="") as file:
        table = csv.DictWriter(file, ["video", "start_s", "end_s", "caption", "label", "split"])
        table.writeheader()
        table.writerows(row for row in captions_csv(real_data) if row["video"] in clips)
    project.set("ingest", source="folder", folder__path="videos", follow_links=True)
    return project


@pytest.fixture(scope="module")
def run(tmp_path_factory, real_data, tables):
    project = _project(tmp_path_factory.mktemp("engine"), real_data, FEW)
    project.with_tables(tables)
    project.first = project.run("kedro", "run", STEPS, suites=True)
    return project


def _judged(project):
    return {draft.video: draft for draft in project.records("03_primary/judged_drafts.jsonl", "JudgedDraft")}


def _train(project):
    return project.records("05_model_input/train_samples.jsonl", "Sample")


def _accounted(project, clips, real_data):
    """Every file is in one table, with a reason where it is not trained on."""
    judged = _judged(project)
    annotated = {one.video for one in project.records("03_primary/annotations.jsonl", "Annotation")}
    refused = {one.item: one.reason for one in project.records("02_intermediate/rejected_videos.parquet", "Rejection")}
    refused |= {one.item: one.reason for one in project.records("03_primary/rejected_drafts.parquet", "Rejection")}
    assert set(judged) | set(refused) == {*clips, "broken.mp4"}
    assert list(refused) == ["broken.mp4"]
    assert annotated == {name for name, draft in judged.items() if draft.verdict == "accepted"}
    known = {row["video"] for row in captions_csv(real_data)}
    assert annotated == known & set(clips)
    waiting = {name: draft.findings[0].reason for name, draft in judged.items() if draft.verdict == "needs_review"}
    assert set(waiting) == set(clips) - known
    assert all("measured motion" in reason for reason in waiting.values())


def test_every_file_is_accounted_for_with_its_reason(run, real_data):
    _accounted(run, FEW, real_data)


@pytest.mark.slow
def test_all_real_clips_are_accounted_for(tmp_path, real_data):
    clips = [
        path.relative_to(real_data / "videos").as_posix() for name in FOLDERS for path in (real_data / "videos" / name).iterdir()
    ]
    clips = [clip for clip in clips if clip.endswith((".mp4", ".avi"))]
    assert len(clips) == 12
    project = _project(tmp_path, real_data, clips)
    project.run("kedro", "run", STEPS)
    _accounted(project, clips, real_data)
    assert "nothing unusual" in _judged(project)["pedestrians/vtest.avi"].description.lower()


def test_what_is_described_rests_on_what_is_known(run):
    judged = _judged(run)
    fight = judged["ucf_crime/Fighting033_x264_570_841.mp4"]
    assert "knocked" in fight.description
    assert any(source.startswith("label: Fighting") for source in fight.sources)
    assert "explosion" in judged[EXPLOSION].description


def test_the_run_says_what_waits_and_keeps_its_figures(run):
    assert "What became of the drafts" in run.first.stdout
    assert "wait for a person: .venv/bin/hawk review next" in run.first.stdout
    told = json.loads((run.folder / "data/08_reporting/validation.json").read_text())
    assert [told["items"][name] for name in ("accepted", "needs_review", "rejected")] == [3, 1, 0]
    docs = (run.folder / "data/08_reporting/expectations/index.html").read_text()
    assert all(f">{name}</a>" in docs for name in ("videos", "clips", "clip_captions", "drafts", "questions"))


def _review(*arguments):
    done = CliRunner().invoke(main, ["review", *arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def test_what_reviewers_decide_is_what_is_trained_on(run, monkeypatch):
    """One project, step by step: an unlabelled clip is described by a person, an accepted one rejected, then a rerun."""
    monkeypatch.chdir(run.folder)
    queue = [json.loads(line) for line in (run.folder / "data/03_primary/review_queue.jsonl").read_text().splitlines()]
    accident = next(task for task in queue if task["video"] == "cctv/car_accident.mp4" and task["kind"] == "description")
    edit = ("edit", accident["id"], "--text", "Two cars crash at a crossing.", "--reviewer", "ana", "--seconds", "20")
    _review(*edit)
    explosion = _judged(run)[EXPLOSION]
    assert explosion.item_id in {sample.item_id for sample in _train(run)}
    from hawk_pipelines.curation.decisions import task_id

    rejected = task_id("description", explosion.item_id, None, explosion.description)
    _review("reject", rejected, "--reviewer", "ana")
    before = len(read(run.folder / "data/01_raw/review/decisions.sqlite"))
    run.run("kedro", "run", "--pipelines=validate")
    assert len(read(run.folder / "data/01_raw/review/decisions.sqlite")) == before == 2
    judged = _judged(run)
    assert judged[explosion.video].verdict == "rejected"
    assert explosion.item_id not in {sample.item_id for sample in _train(run)}
    samples = _train(run) + run.records("05_model_input/test_samples.jsonl", "Sample")
    described = {sample.item_id: sample.answer for sample in samples if sample.task == "description"}
    assert described[accident["item_id"]] == "Two cars crash at a crossing."
    assert "2" in _review("stats")
