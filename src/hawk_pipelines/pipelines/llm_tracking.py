"""What a step asked of a language model, in its MLflow run."""

from hawk_pipelines.language.llm import Client
from hawk_pipelines.language.llm_report import figures


def track(step: str, client: Client) -> None:
    """Write the figures of a step as metrics, `<step>.llm.…`."""
    import mlflow

    mlflow.log_metrics({f"{step}.llm.{name}": value for name, value in figures(client).items()})
