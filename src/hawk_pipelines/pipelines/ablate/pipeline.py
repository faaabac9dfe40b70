from kedro.pipeline import Pipeline, node

from hawk_pipelines.pipelines.ablate.nodes import compare_variants, train_variants


def create_pipeline(**_: object) -> Pipeline:
    """The `ablate` pipeline."""
    return Pipeline(
        [
            node(
                train_variants,
                inputs=[
                    "train_samples",
                    "test_samples",
                    "pretraining_pairs",
                    "annotations",
                    "videos",
                    "slot_truths",
                    "frames",
                    "frame_store",
                    "features",
                    "feature_store",
                    "ablation_feature_store",
                    "ablation_trainings",
                    "pretrained_model",
                    "params:motion",
                    "params:encode",
                    "params:model",
                    "params:finetune",
                    "params:evaluate",
                    "params:ablate",
                    "params:engine",
                    "params:seed",
                ],
                outputs="ablation_predictions",
                name="train_variants",
            ),
            node(
                compare_variants,
                inputs=["ablation_predictions", "train_samples", "slot_truths", "params:ablate"],
                outputs=["ablations", "ablation_table", "ablation_plot"],
                name="compare_variants",
            ),
        ]
    )
