"""Other ways to sample and to measure motion, from frames to a trained model; what another mask costs is in test_bad_input.py."""

import pytest

import hawk_pipelines
from hawk_pipelines.engine.store import ItemStore
from hawk_pipelines.video.stored import unpack


@pytest.mark.slow
def test_random_phases_and_the_fast_flow_reach_a_model(project):
    project.set("ingest", synthetic__train_videos=3, synthetic__test_videos=1)
    project.set("motion", sampling="random_halves", phases=2, flow="dis", frames=4)
    steps = "--pipelines=ingest,split,caption,annotate,validate,motion,encode,finetune,evaluate"
    project.run("kedro", "run", steps)
    rows = project.records("04_feature/frames.parquet", "StoredItem")
    frames, features = (ItemStore(project.folder / "data/04_feature" / name) for name in ("frame_items", "feature_items"))
    indices = [unpack(frames.read(row.key), frames.facts(row.key)).indices for row in rows]
    assert {one.shape for one in indices} == {(2, 4)}
    assert len({one.tobytes() for one in indices}) > 1  # each item has draws of its own
    tokens = features.read(project.records("04_feature/features.parquet", "StoredItem")[0].key)
    assert tokens["motion"].shape[:2] == (2, 4)
    video = project.records("02_intermediate/videos.parquet", "Video")[0].path
    hawk = hawk_pipelines.load(project.folder / "data/06_models/finetuned_model")
    assert isinstance(hawk.ask(project.folder / video, "Who?", (0, 1)), str)
