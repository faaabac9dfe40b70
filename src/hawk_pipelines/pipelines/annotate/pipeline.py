from kedro.pipeline import Pipeline, node

from hawk_pipelines.pipelines.annotate.nodes import write_drafts


def create_pipeline(**_: object) -> Pipeline:
    """The `annotate` pipeline."""
    return Pipeline(
        [
            node(
                write_drafts,
                inputs=[
                    "videos",
                    "clip_captions",
                    "published_drafts",
                    "params:annotate",
                    "params:seed",
                    "params:engine",
                    "draft_store",
                ],
                outputs=["drafts", "rejected_drafts"],
                name="write_drafts",
            )
        ]
    )
