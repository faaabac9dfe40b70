"""From an evaluated model to a version in the registry."""

from hawk_pipelines.pipelines.register.pipeline import create_pipeline

__all__ = ["create_pipeline"]
