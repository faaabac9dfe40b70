"""The registered model: MLflow runs this file to load it ("models from code"), so no pickle is involved.

Input, output and parameters: see `serving.invocation`.
"""

import logging
from typing import Any

import mlflow
import pandas as pd
from mlflow.pyfunc import PythonModel, PythonModelContext

from hawk_pipelines.errors import HawkError
from hawk_pipelines.machine_faults import machine_fault
from hawk_pipelines.plain_text import printable
from hawk_pipelines.serving.hawk import Hawk
from hawk_pipelines.serving.invocation import (
    InvocationError,
    InvocationParameters,
    invocation_parameters,
    refuse_what_mlflow_drops,
)

logger = logging.getLogger(__name__)


class HawkPyfunc(PythonModel):
    """HAWK behind MLflow's interface."""

    def load_context(self, context: PythonModelContext) -> None:
        """Load the weights that were registered with this version."""
        refuse_what_mlflow_drops()
        self.hawk = Hawk.from_folder(context.artifacts["model"])

    def predict(self, context: PythonModelContext, model_input: pd.DataFrame, params: dict | None = None) -> pd.DataFrame:
        """Answer row by row; a row that cannot be answered has its `error` and no `answer`."""
        parameters = invocation_parameters(params)
        questions = model_input["question"] if "question" in model_input else [None] * len(model_input)
        rows = [self._row(*row, parameters) for row in zip(model_input["video"], questions, strict=True)]
        errors = [error for _, error in rows if error]
        if errors:
            logger.warning("%d of %d rows could not be answered, for example: %s", len(errors), len(rows), errors[0])
        return pd.DataFrame(rows, columns=["answer", "error"], index=model_input.index, dtype=object)

    def _row(self, video: Any, question: Any, parameters: InvocationParameters) -> tuple[str | None, str | None]:
        try:
            path, words = _text("video", video), _text("question", question)
            if not path.strip():
                msg = "The row has no `video`; give the path of a file or of a folder of numbered pictures."
                raise InvocationError(msg)
            if words.strip():
                return self.hawk.ask(path, words, parameters.span, parameters), None
            return self.hawk.describe(path, parameters.span, parameters), None
        except HawkError as error:
            return None, printable(str(error))
        except OSError as error:  # of one video, say: a folder above it may not be entered
            if fault := machine_fault(error):
                return None, printable(str(fault))
            raise


def _text(name: str, value: Any) -> str:
    """The text in a cell; empty where it has none."""
    if isinstance(value, str):
        return value
    if pd.api.types.is_scalar(value) and pd.isna(value):
        return ""
    msg = f"`{name}` is {value!r}, which is no text; give {'a path' if name == 'video' else 'a question'}."
    raise InvocationError(msg)


mlflow.models.set_model(HawkPyfunc())
