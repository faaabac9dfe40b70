"""From videos to sampled frames with their flow magnitude."""

from hawk_pipelines.pipelines.motion.pipeline import create_pipeline

__all__ = ["create_pipeline"]
