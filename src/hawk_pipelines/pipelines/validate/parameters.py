from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from hawk_pipelines.curation import decisions
from hawk_pipelines.language.motion_text import MotionTextRule


class ValidateParameters(BaseModel):
    """What is checked by people, and how annotations become samples."""

    model_config = ConfigDict(extra="forbid")

    decisions: Path = decisions.STORE
    """Where reviewers' decisions are kept; it need not be there."""
    review_share: float = Field(default=0.05, ge=0, le=1)
    """Of the texts that need no review, what is offered for review all the same."""
    claims_of_published: bool = True
    """Hold published texts against the captions of their video, too, where it has any by people or models."""
    motion_text: MotionTextRule = "full"
    """Which words of an answer the motion branch learns to say: our full rule, or the public code's."""
