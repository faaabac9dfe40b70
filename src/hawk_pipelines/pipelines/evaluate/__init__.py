"""From a model to predictions, metrics and a report."""

from hawk_pipelines.pipelines.evaluate.pipeline import create_pipeline

__all__ = ["create_pipeline"]
