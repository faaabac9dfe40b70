from kedro.pipeline import Pipeline, node

from hawk_pipelines.pipelines.motion.nodes import sample_frames


def create_pipeline(**_: object) -> Pipeline:
    """The `motion` pipeline."""
    return Pipeline(
        [
            node(
                sample_frames,
                inputs=["annotations", "videos", "params:motion", "params:encode", "params:seed", "params:engine", "frame_store"],
                outputs=["frames", "rejected_items"],
                name="sample_frames",
            )
        ]
    )
