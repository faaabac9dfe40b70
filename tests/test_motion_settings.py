"""Other ways to sample and to measure motion, from frames to a trained model; and what a change of settings costs."""

from hawk_pipelines.engine.store import ItemStore
from hawk_pipelines.video.stored import unpack

BEFORE_TRAINING = "ingest,split,caption,annotate,validate,motion,encode"


def _said(run):
    return run.stdout + run.stderr


def test_random_phases_and_the_fast_flow_reach_a_model(project):
    project.set("motion", sampling="random_halves", phases=2, flow="dis", frames=4)
    project.run("kedro", "run", "--pipelines=" + BEFORE_TRAINING + ",finetune,evaluate")
    rows = project.records("04_feature/frames.parquet", "StoredItem")
    frames, features = (ItemStore(project.folder / "data/04_feature" / name) for name in ("frame_items", "feature_items"))
    indices = [unpack(frames.read(row.key), frames.facts(row.key)).indices for row in rows]
    assert {one.shape for one in indices} == {(2, 4)}
    assert len({one.tobytes() for one in indices}) > 1  # each item has draws of its own
    tokens = features.read(project.records("04_feature/features.parquet", "StoredItem")[0].key)
    assert tokens["motion"].shape[:2] == (2, 4)
    video = project.records("02_intermediate/videos.parquet", "Video")[0].path
    asked = project.run("hawk", "ask", video, "Who?", "--span", "0", "1",
                        "--model", "data/06_models/finetuned_model")  # fmt: skip
    assert asked.returncode == 0


def test_another_mask_decodes_nothing_and_another_size_says_that_it_does(project):
    project.run("kedro", "run", "--pipelines=" + BEFORE_TRAINING)
    masked = _said(project.run("kedro", "run", "--pipelines=motion,encode", "--params", "encode.mask=hard"))
    assert "motion: 0 done, 12 reused" in masked
    assert "encode: 12 done, 0 reused" in masked
    sized = _said(project.run("kedro", "run", "--pipelines=motion", "--params", "encode.frame_encoder.size=48"))
    assert "motion: 12 done, 0 reused" in sized
