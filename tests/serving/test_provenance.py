"""What a model was made from, in real folders, with real git."""

import hashlib
import subprocess

import pytest
import yaml

from hawk_pipelines.datasets.records import RecordsDataset
from hawk_pipelines.schema import Annotation, Video
from hawk_pipelines.serving.provenance import (
    ProvenanceError,
    Source,
    code_version,
    data_version,
    read_trained_on,
    read_training,
    tags,
    trained_on,
    training_of,
    weights_sha256,
    write_training,
)


def _video(name, **changes):
    facts = {"source": "folder", "path": f"{name}.mp4", "name": name, "frames": 9, "fps": 3.0, "width": 8, "height": 8}
    facts |= {"duration_s": 3.0, "label": None, "spans": [], "split": "train", "split_by": "seeded"}
    return Video(id=name, **facts | changes)


def _annotation(video, item=None):
    facts = {"description": "A person runs – ‘quickly’.", "QA": [], "provider": "rules", "sources": [], "split": "train"}
    return Annotation(item_id=item or video, video_id=video, video=video, **facts)


VIDEOS = [
    _video("a", group="A", licence="CC BY 4.0"),
    _video("b", group="A"),
    _video("c", source="dota", licence="Research only"),
    _video("unused", source="webvid"),
]
ANNOTATIONS = [_annotation("a"), _annotation("a", "a.1"), _annotation("b"), _annotation("c"), _annotation("unused")]


def _training(items=("a", "a.1", "b"), stage="finetune", **others):
    return training_of(stage, 10, 42, 30, items, ANNOTATIONS, VIDEOS, **others)


def test_a_training_knows_its_videos_their_source_videos_and_their_terms():
    made = _training(["a.1", "b", "c"])
    assert (made.videos, made.groups) == (["a", "b", "c"], ["A"])
    assert made.sources == {
        "dota": Source(videos=1, licences=["Research only"]),
        "folder": Source(videos=2, licences=["CC BY 4.0"]),
    }


def test_the_record_stays_with_the_model_and_leads_back_to_where_it_started(tmp_path):
    first = _training(["c"], "pretrain")
    (tmp_path / "pretrained").mkdir()
    write_training(tmp_path / "pretrained", first)
    second = _training(["a"], init_from="pretrained_model", before=read_training(tmp_path / "pretrained"))
    write_training(tmp_path, second)
    found = read_training(tmp_path)
    assert found == second
    assert [stage.stage for stage in found.stages()] == ["pretrain", "finetune"]
    assert trained_on(found).videos == ["a", "c"]
    assert trained_on(found).groups == ["A"]
    assert trained_on(found).unknown is None


def test_what_is_not_known_is_said(tmp_path):
    assert read_training(tmp_path) is None
    assert read_trained_on(tmp_path) is None
    imported = _training(init_from="data/imported")
    assert "started from data/imported, and what that was trained on is not recorded" in trained_on(imported).unknown


def test_a_record_that_is_damaged_is_not_taken_for_none(tmp_path):
    (tmp_path / "training.json").write_text('{"stage": 3}')
    with pytest.raises(ProvenanceError, match="is no record of a training"):
        read_training(tmp_path)
    (tmp_path / "training_videos.json").write_bytes(b"\xff")
    with pytest.raises(ProvenanceError, match="does not say what the version was trained on"):
        read_trained_on(tmp_path)


def test_data_are_known_by_the_hash_of_their_file_and_by_dvcs_where_it_made_them(tmp_path):
    file = tmp_path / "data/03_primary/annotations.jsonl"
    RecordsDataset(filepath=str(file), record="Annotation").save(ANNOTATIONS)
    found = data_version(ANNOTATIONS, tmp_path)
    assert found == (hashlib.sha256(file.read_bytes()).hexdigest(), None, 5)

    md5 = hashlib.md5(file.read_bytes(), usedforsecurity=False).hexdigest()
    outs = [{"path": "data/other.jsonl", "md5": "0"}, {"path": "data/03_primary/annotations.jsonl", "md5": md5}]
    (tmp_path / "dvc.lock").write_text(yaml.safe_dump({"schema": "2.0", "stages": {"ingest": {}, "validate": {"outs": outs}}}))
    assert data_version(ANNOTATIONS, tmp_path).dvc_md5 == md5
    assert data_version(ANNOTATIONS[1:], tmp_path).dvc_md5 is None  # made by another run since
    (tmp_path / "dvc.lock").write_text("stages: [")
    assert data_version(ANNOTATIONS, tmp_path).dvc_md5 is None


def test_the_lock_that_dvc_writes_is_understood():
    """The project's own: its hash is that of some annotations."""
    from hawk_pipelines.serving.provenance import _locked
    from tests.conftest import ROOT

    (md5,) = _locked(ROOT / "dvc.lock")
    assert len(md5) == 32


def test_the_commit_and_what_of_the_code_is_not_in_it(tmp_path):
    assert code_version(tmp_path / "nowhere") == (None, [])
    assert tags(data_version([], tmp_path), code_version(tmp_path / "nowhere")).keys() == {
        "annotations_sha256",
        "git_changed_files",
    }

    def git(*command):
        user = ("-c", "user.name=Test", "-c", "user.email=test@example.org")
        return subprocess.run(["git", *user, *command], cwd=tmp_path, check=True, capture_output=True, text=True).stdout

    git("init", "-q")
    assert code_version(tmp_path).commit is None  # there is none yet
    for name in ("src/a.py", "conf/a.yml", "data/a.txt"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text("1")
    git("add", "-A")
    git("commit", "-qm", "First")
    commit = git("rev-parse", "HEAD").strip()
    (tmp_path / "data/a.txt").write_text("2")  # what a run makes
    assert code_version(tmp_path) == (commit, [])
    (tmp_path / "conf/a.yml").write_text("2")
    (tmp_path / "src/b.py").write_text("new")
    assert code_version(tmp_path) == (commit, ["conf/a.yml", "src/b.py"])


def test_weights_are_known_by_their_bytes(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"1")
    (tmp_path / "training.json").write_text("{}")
    before = weights_sha256(tmp_path)
    (tmp_path / "training.json").write_text("{ }")
    assert weights_sha256(tmp_path) == before
    (tmp_path / "model.safetensors").write_bytes(b"2")
    assert weights_sha256(tmp_path) != before
