"""Steps whose result is a whole, and what decides it besides the tables that they read.

`ReusingRunner` passes over such a step while nothing of that has changed and what it made is as it was. The trainings are not
among them: they know their finished models themselves (`stage`).
"""

from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple

Load = Callable[[str], Any]
"""The value of a catalog entry, by its name."""


def _nothing(_: Load) -> None:
    """Nothing but tables decides the result."""


def _always(_: Load) -> bool:
    return True


class Reusable(NamedTuple):
    """How a step is known to be finished."""

    version: int
    """Raised whenever the same inputs and settings give another result."""
    settings: Callable[[Load], object] = _nothing
    """What decides the result besides the tables: of the settings, and of files that these name. Fits in JSON."""
    writes: tuple[str, ...] = ()
    """Inputs that are places where the step itself writes."""
    settled: Callable[[Load], bool] = _always
    """Whether what was just made is final; something that a next run would try again is not."""
    holds: Callable[[Load, str], bool] | None = None
    """Whether what was made elsewhere for this key is still there."""
    recovered: Callable[[Load], dict[str, Any] | None] | None = None
    """The outputs by name, where they are kept elsewhere though not here; None where they are not."""


def reusable_steps() -> Mapping[str, Reusable]:
    """All of them, by the name of their node."""
    from hawk_pipelines.pipelines.evaluate.reuse import EVALUATION_STEPS
    from hawk_pipelines.pipelines.register.reuse import REGISTRATION_STEPS
    from hawk_pipelines.pipelines.validate.reuse import VALIDATION_STEPS

    return VALIDATION_STEPS | EVALUATION_STEPS | REGISTRATION_STEPS


TRAININGS = ("pretrain_model", "finetune_model")
"""The nodes that give back the model of an earlier run where nothing has changed."""


def tag_reused(run_id: str, reused: Collection[str], nodes: Collection[str]) -> None:
    """Say in the pipeline's MLflow run which steps had nothing to do, so that it is not taken for one that trained or evaluated.

    Args:
        run_id: of the pipeline.
        reused: names of the nodes that had nothing to do.
        nodes: names of all nodes of the run.
    """
    import mlflow

    wholes = {*TRAININGS, *reusable_steps()} & set(nodes)
    if not reused:
        return
    client = mlflow.MlflowClient()
    client.set_tag(run_id, "reused_steps", ",".join(sorted(reused)))
    if wholes and wholes <= set(reused):
        client.set_tag(run_id, "nothing_to_do", "true")
