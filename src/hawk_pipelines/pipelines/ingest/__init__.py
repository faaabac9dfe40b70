"""From a source to usable videos and what came with them."""

from hawk_pipelines.pipelines.ingest.pipeline import create_pipeline

__all__ = ["create_pipeline"]
