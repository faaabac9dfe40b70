"""From variants of the settings to a table of what each part of the model is worth."""

from hawk_pipelines.pipelines.ablate.pipeline import create_pipeline

__all__ = ["create_pipeline"]
