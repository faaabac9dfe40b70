"""From stored features and samples to a model."""

from hawk_pipelines.pipelines.finetune.pipeline import create_pipeline

__all__ = ["create_pipeline"]
