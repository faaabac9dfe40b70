from kedro.pipeline import Pipeline, node

from hawk_pipelines.pipelines.split.nodes import cut_clips, look_along_videos


def create_pipeline(**_: object) -> Pipeline:
    """The `split` pipeline."""
    return Pipeline(
        [
            node(
                look_along_videos,
                inputs=["videos", "params:split", "params:engine", "motion_signal_store"],
                outputs=["motion_signal", "rejected_signals"],
                name="look_along_videos",
            ),
            node(
                cut_clips,
                inputs=["videos", "motion_signal", "params:split", "motion_signal_store"],
                outputs="clips",
                name="cut_clips",
            ),
        ]
    )
