from kedro.pipeline import Pipeline, node

from hawk_pipelines.pipelines.encode.nodes import encode_annotated_frames


def create_pipeline(**_: object) -> Pipeline:
    """The `encode` pipeline."""
    return Pipeline(
        [
            node(
                encode_annotated_frames,
                inputs=[
                    "annotations",
                    "videos",
                    "frames",
                    "frame_store",
                    "params:encode",
                    "params:seed",
                    "params:engine",
                    "feature_store",
                ],
                outputs=["features", "rejected_features"],
                name="encode_frames",
            )
        ]
    )
