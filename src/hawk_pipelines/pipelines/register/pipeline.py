from kedro.pipeline import Pipeline, node

from hawk_pipelines.pipelines.register.nodes import register_model


def create_pipeline(**_: object) -> Pipeline:
    """The `register` pipeline."""
    return Pipeline(
        [
            node(
                register_model,
                inputs=[
                    "finetuned_model",
                    "predictions",
                    "answered_by",
                    "metrics",
                    "scores",
                    "annotations",
                    "videos",
                    "train_samples",
                    "features",
                    "feature_store",
                    "params:motion",
                    "params:encode",
                    "params:evaluate",
                    "params:annotate",
                    "params:register",
                ],
                outputs="registered_model",
                name="register_model",
            )
        ]
    )
