"""From labels, times and captions to drafts."""

from hawk_pipelines.pipelines.annotate.pipeline import create_pipeline

__all__ = ["create_pipeline"]
