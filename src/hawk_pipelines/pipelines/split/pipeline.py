from kedro.pipeline import Pipeline, node

from hawk_pipelines.pipelines.split.nodes import cut_clips


def create_pipeline(**_: object) -> Pipeline:
    """The `split` pipeline."""
    return Pipeline([node(cut_clips, inputs=["videos", "params:split"], outputs="clips", name="cut_clips")])
