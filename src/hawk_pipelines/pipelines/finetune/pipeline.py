from kedro.pipeline import Pipeline, node

from hawk_pipelines.pipelines.finetune.nodes import finetune_model


def create_pipeline(**_: object) -> Pipeline:
    """The `finetune` pipeline."""
    return Pipeline(
        [
            node(
                finetune_model,
                inputs=[
                    "train_samples",
                    "pretraining_pairs",
                    "annotations",
                    "videos",
                    "features",
                    "feature_store",
                    "trainings",
                    "former_finetuned_model",
                    "pretrained_model",
                    "params:motion",
                    "params:encode",
                    "params:model",
                    "params:finetune",
                    "params:seed",
                ],
                outputs="finetuned_model",
                name="finetune_model",
            )
        ]
    )
