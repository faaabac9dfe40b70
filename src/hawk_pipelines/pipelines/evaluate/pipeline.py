from kedro.pipeline import Pipeline, node

from hawk_pipelines.pipelines.evaluate.nodes import evaluate_model


def create_pipeline(**_: object) -> Pipeline:
    """The `evaluate` pipeline."""
    return Pipeline(
        [
            node(
                evaluate_model,
                inputs=[
                    "finetuned_model",
                    "annotations",
                    "videos",
                    "train_samples",
                    "test_samples",
                    "features",
                    "feature_store",
                    "slot_truths",
                    "params:motion",
                    "params:encode",
                    "params:evaluate",
                ],
                outputs=["predictions", "metrics", "metrics_plot", "example_answers"],
                name="evaluate_model",
            )
        ]
    )
