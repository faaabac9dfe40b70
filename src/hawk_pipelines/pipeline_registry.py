"""Which pipelines there are, and what `kedro run` runs."""

from kedro.pipeline import Pipeline

from hawk_pipelines.pipelines import (
    ablate,
    annotate,
    caption,
    encode,
    evaluate,
    finetune,
    ingest,
    motion,
    pretrain,
    questions,
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

"""What `kedro run` runs."""
BY_NAME = {"questions": questions, "pretrain": pretrain, "ablate": ablate}
"""What is run by name only."""


def register_pipelines() -> dict[str, Pipeline]:
    """Every pipeline by name; `__default__` is all that follow each other."""
    in_order = {name: package.create_pipeline() for name, package in IN_ORDER.items()}
    by_name = {name: package.create_pipeline() for name, package in BY_NAME.items()}
    return {**in_order, **by_name, "__default__": sum(in_order.values(), Pipeline([]))}
