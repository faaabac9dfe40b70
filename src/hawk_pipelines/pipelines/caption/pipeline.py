from kedro.pipeline import Pipeline, node

from hawk_pipelines.pipelines.caption.nodes import caption_clips


def create_pipeline(**_: object) -> Pipeline:
    """The `caption` pipeline."""
    return Pipeline([node(caption_clips, inputs=["clips", "source_captions"], outputs="clip_captions", name="caption_clips")])
