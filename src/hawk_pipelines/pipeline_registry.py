"""Which pipelines there are, and what `kedro run` runs."""

from kedro.pipeline import Pipeline

from hawk_pipelines.pipelines import (
    annotate,
    caption,
    encode,
    evaluate,
    finetune,
    ingest,
    motion,
    register,
    split,
    validate,
)

IN_ORDER = {
    "ingest": ingest,
    "split": split,
    "caption": caption,
    "annotate": annotate,
    "validate": validate,
    "motion": motion,
    "encode": encode,
    "finetune": finetune,
    "evaluate": evaluate,
    "register": register,
}


def register_pipelines() -> dict[str, Pipeline]:
    """Every pipeline by name; `__default__` is all of them."""
    pipelines = {name: package.create_pipeline() for name, package in IN_ORDER.items()}
    return {**pipelines, "__default__": sum(pipelines.values(), Pipeline([]))}
