from kedro.pipeline import Pipeline, node

from hawk_pipelines.pipelines.validate.nodes import validate_drafts


def create_pipeline(**_: object) -> Pipeline:
    """The `validate` pipeline."""
    return Pipeline(
        [
            node(
                validate_drafts,
                inputs=["drafts", "published_drafts", "videos"],
                outputs=["annotations", "rejected_annotations", "train_samples", "test_samples"],
                name="validate_drafts",
            )
        ]
    )
