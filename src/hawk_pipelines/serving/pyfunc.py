"""The registered model: MLflow runs this file to load it ("models from code"), so no pickle is involved.

Input: rows with `video` (a path) and `question`; an empty or missing question asks for a description. Output: one answer a row.
"""

import mlflow
import pandas as pd
from mlflow.pyfunc import PythonModel, PythonModelContext

from hawk_pipelines.serving.hawk import Hawk


class HawkPyfunc(PythonModel):
    """HAWK behind MLflow's interface."""

    def load_context(self, context: PythonModelContext) -> None:
        """Load the weights that were registered with this version."""
        self.hawk = Hawk.from_folder(context.artifacts["model"])

    def predict(self, context: PythonModelContext, model_input: pd.DataFrame, params: dict | None = None) -> list[str]:
        """Answer row by row."""
        questions = model_input["question"] if "question" in model_input else pd.Series([None] * len(model_input))
        asked = zip(model_input["video"], questions.fillna("").astype(str), strict=True)
        return [self.hawk.ask(video, question) if question.strip() else self.hawk.describe(video) for video, question in asked]


mlflow.models.set_model(HawkPyfunc())
