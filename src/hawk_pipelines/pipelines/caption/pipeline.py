from kedro.pipeline import Pipeline, node

from hawk_pipelines.pipelines.caption.nodes import caption_clips


def create_pipeline(**_: object) -> Pipeline:
    """The `caption` pipeline."""
    inputs = ["clips", "videos", "source_captions", "motion_signal", "params:caption", "params:engine", "llm_key"]
    stores = ["motion_signal_store", "caption_store"]
    outputs = ["clip_captions", "rejected_captions", "caption_calls"]
    return Pipeline([node(caption_clips, inputs=[*inputs, *stores], outputs=outputs, name="caption_clips")])
