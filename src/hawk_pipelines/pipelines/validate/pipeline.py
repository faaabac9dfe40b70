from kedro.pipeline import Pipeline, node

from hawk_pipelines.pipelines.validate.nodes import admit_annotations, judge_drafts, write_samples


def create_pipeline(**_: object) -> Pipeline:
    """The `validate` pipeline."""
    return Pipeline(
        [
            node(
                judge_drafts,
                inputs=[
                    "drafts",
                    "published_drafts",
                    "videos",
                    "clip_captions",
                    "caption_calls",
                    "draft_calls",
                    "params:validate",
                    "params:annotate",
                    "params:seed",
                ],
                outputs=["judged_drafts", "review_queue", "validation"],
                name="judge_drafts",
            ),
            node(admit_annotations, inputs=["judged_drafts", "videos"], outputs="annotations", name="admit_annotations"),
            node(
                write_samples,
                inputs=["annotations", "params:validate", "params:engine", "sample_store"],
                outputs=["train_samples", "test_samples", "pretraining_pairs"],
                name="write_samples",
            ),
        ]
    )
