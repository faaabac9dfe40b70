from kedro.pipeline import Pipeline, node

from hawk_pipelines.pipelines.ingest.nodes import ingest_videos


def create_pipeline(**_: object) -> Pipeline:
    """The `ingest` pipeline."""
    return Pipeline(
        [
            node(
                ingest_videos,
                inputs=["params:ingest", "params:seed", "params:engine", "probe_store"],
                outputs=["videos", "rejected_videos", "source_captions", "published_drafts", "slot_truths"],
                name="ingest_videos",
            )
        ]
    )
