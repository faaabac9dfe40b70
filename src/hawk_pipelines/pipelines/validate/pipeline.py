from kedro.pipeline import Pipeline, node

from hawk_pipelines.pipelines.validate.nodes import validate_drafts, write_samples


def create_pipeline(**_: object) -> Pipeline:
    """The `validate` pipeline."""
    return Pipeline(
        [
            node(
                validate_drafts,
                inputs=["drafts", "published_drafts", "videos"],
                outputs=["annotations", "rejected_annotations"],
                name="validate_drafts",
            ),
            node(
                write_samples,
                inputs=["annotations", "params:validate", "params:engine", "sample_store"],
                outputs=["train_samples", "test_samples", "pretraining_pairs"],
                name="write_samples",
            ),
        ]
    )
