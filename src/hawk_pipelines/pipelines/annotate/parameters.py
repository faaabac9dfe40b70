from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from hawk_pipelines.language.llm_parameters import LlmParameters
from hawk_pipelines.language.prompts import FOLDER


class AnnotateParameters(BaseModel):
    """Who writes the drafts, and what is asked."""

    model_config = ConfigDict(extra="forbid")

    provider: Literal["rules", "openai"] = "rules"
    """`openai` is any server that speaks OpenAI's chat API."""
    questions: Path = Path("conf/questions.yml")
    """The question pool."""
    questions_per_item: int = Field(default=7, ge=0, le=100)
    """Or as many as have answers."""
    prompts: Path = FOLDER
    """One Markdown file per prompt, for the provider `openai`."""
    longest_captions: int = Field(default=20_000, ge=100)
    """Characters of captions that a language model is told of an item; more are thinned out evenly."""
    openai: LlmParameters = LlmParameters()
