"""From nothing to a question pool; run by name, once, before `annotate`."""

from hawk_pipelines.pipelines.questions.pipeline import create_pipeline

__all__ = ["create_pipeline"]
