"""What a step asked of a language model, in its MLflow run."""

from collections.abc import Sequence

from hawk_pipelines.language.llm import Client
from hawk_pipelines.language.llm_report import figures
from hawk_pipelines.schema import LlmCall


def track(step: str, client: Client) -> None:
    """Write the figures of a step as metrics, `<step>.llm.…`."""
    import mlflow

    mlflow.log_metrics({f"{step}.llm.{name}": value for name, value in figures(client).items()})


def track_calls(step: str, calls: Sequence[LlmCall]) -> None:
    """Write tokens, cost and latency of every request as a table, `<step>_calls.json`, which the MLflow UI shows run by run."""
    import mlflow

    if calls:
        columns = {name: [getattr(call, name) for call in calls] for name in LlmCall.model_fields}
        mlflow.log_table(columns, f"{step}_calls.json")
