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
                    "params:validate",
                    "params:seed",
                    "params:engine",
                    "llm_key",
                    "draft_store",
                ],
                outputs=["drafts", "rejected_drafts", "draft_calls"],
                name="write_drafts",
            )
        ]
    )
