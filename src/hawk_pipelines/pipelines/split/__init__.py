"""From videos to clips."""

from hawk_pipelines.pipelines.split.pipeline import create_pipeline

__all__ = ["create_pipeline"]
