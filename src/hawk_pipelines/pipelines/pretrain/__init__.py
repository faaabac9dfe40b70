"""From captioned videos to a model that stage 2 starts from."""

from hawk_pipelines.pipelines.pretrain.pipeline import create_pipeline

__all__ = ["create_pipeline"]
