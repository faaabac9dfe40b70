"""From drafts to annotations and samples."""

from hawk_pipelines.pipelines.validate.pipeline import create_pipeline

__all__ = ["create_pipeline"]
