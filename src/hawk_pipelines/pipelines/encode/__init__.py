"""From sampled frames to the frozen encoder's tokens of both streams."""

from hawk_pipelines.pipelines.encode.pipeline import create_pipeline

__all__ = ["create_pipeline"]
