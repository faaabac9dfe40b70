"""Which captioners run, and their settings."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from hawk_pipelines.perception import detector, existing, grit, internvideo, motion, openai_vision, tag2text, transformers
from hawk_pipelines.perception.captioner import BackEnd
from hawk_pipelines.perception.detector import Parameters as DetectorParameters
from hawk_pipelines.perception.existing import Parameters as ExistingParameters
from hawk_pipelines.perception.grit import Parameters as GritParameters
from hawk_pipelines.perception.internvideo import Parameters as InternVideoParameters
from hawk_pipelines.perception.motion import Parameters as MotionParameters
from hawk_pipelines.perception.openai_vision import Parameters as OpenaiVisionParameters
from hawk_pipelines.perception.tag2text import Parameters as Tag2TextParameters
from hawk_pipelines.perception.transformers import Parameters as TransformersParameters

Tool = Literal["existing", "motion", "detector", "transformers", "openai_vision", "tag2text", "grit", "internvideo"]

BACK_ENDS: dict[Tool, BackEnd] = {
    "existing": existing,
    "motion": motion,
    "detector": detector,
    "transformers": transformers,
    "openai_vision": openai_vision,
    "tag2text": tag2text,
    "grit": grit,
    "internvideo": internvideo,
}
"""The module of every captioner. They import what is large when they are opened."""


class CaptionParameters(BaseModel):
    """Which captioners run, each with its section of settings."""

    model_config = ConfigDict(extra="forbid")

    captioners: list[Tool] = Field(default=["existing", "motion"], min_length=1)
    existing: ExistingParameters = ExistingParameters()
    motion: MotionParameters = MotionParameters()
    detector: DetectorParameters = DetectorParameters()
    transformers: TransformersParameters = TransformersParameters()
    openai_vision: OpenaiVisionParameters = OpenaiVisionParameters()
    tag2text: Tag2TextParameters = Tag2TextParameters()
    grit: GritParameters = GritParameters()
    internvideo: InternVideoParameters = InternVideoParameters()

    @field_validator("captioners")
    @classmethod
    def _each_once(cls, captioners: list[Tool]) -> list[Tool]:
        if len(set(captioners)) < len(captioners):
            msg = "a captioner is named twice"
            raise ValueError(msg)
        return captioners
