from kedro.pipeline import Pipeline, node

from hawk_pipelines.pipelines.pretrain.nodes import pretrain_model


def create_pipeline(**_: object) -> Pipeline:
    """The `pretrain` pipeline."""
    return Pipeline(
        [
            node(
                pretrain_model,
                inputs=[
                    "pretraining_pairs",
                    "annotations",
                    "videos",
                    "features",
                    "feature_store",
                    "trainings",
                    "former_pretrained_model",
                    "params:motion",
                    "params:encode",
                    "params:model",
                    "params:pretrain",
                    "params:seed",
                ],
                outputs="pretrained_model",
                name="pretrain_model",
            )
        ]
    )
