from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from hawk_pipelines.evaluation.asked import CONSTANT, HAWK, NEIGHBOUR
from hawk_pipelines.evaluation.judge import JudgeParameters
from hawk_pipelines.evaluation.video_models import VideoModelParameters

Name = Annotated[str, StringConstraints(pattern=r"^[\w .()+-]{1,60}$")]
"""Of a model in the report."""


class BaselineParameters(BaseModel):
    """Who else answers the same questions."""

    model_config = ConfigDict(extra="forbid")

    constant: bool = True
    """Always the training answer that fits the training split best."""
    nearest_neighbour: bool = True
    """What is said of the training item whose features are most alike."""
    models: dict[Name, Path] = {}
    """Folders of other saved models of this project, such as one without the motion branch."""
    video_models: dict[Name, VideoModelParameters] = {}
    """Models of transformers that take videos."""
    answers: dict[Name, Path] = {}
    """JSON Lines files with answers of models that were run elsewhere to data/07_model_output/questions.jsonl."""

    @model_validator(mode="after")
    def _names_apart(self) -> "BaselineParameters":
        names = [HAWK, CONSTANT, NEIGHBOUR, *self.models, *self.video_models, *self.answers]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            msg = f"{', '.join(twice)} names more than one model; give each a name of its own"
            raise ValueError(msg)
        return self


class ConversationEvaluation(BaseModel):
    """Asking the questions about an item one after another, where the model was trained on conversations."""

    model_config = ConfigDict(extra="forbid")

    max_items: int = Field(default=200, ge=0)
    """Test items that are talked about, drawn by the seed; 0: none."""


class EvaluateParameters(BaseModel):
    """How models are asked, what they are compared with, and what is shown."""

    model_config = ConfigDict(extra="forbid")

    batch_size: int = Field(default=64, ge=1)
    max_new_tokens: int = Field(default=64, ge=1, le=1024)
    """An answer is cut off after so many tokens."""
    examples: int = Field(default=40, ge=1)
    """Answers that are shown, the worst first."""
    conversations: ConversationEvaluation = ConversationEvaluation()
    baselines: BaselineParameters = BaselineParameters()
    judge: JudgeParameters | None = None
    """A language model that judges the answers; None: none does."""
