"""From clips to captions."""

from hawk_pipelines.pipelines.caption.pipeline import create_pipeline

__all__ = ["create_pipeline"]
