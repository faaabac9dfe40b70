"""What to render, and where chance comes from."""

import hashlib
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

World = Literal["motion", "appearance"]


class SyntheticParameters(BaseModel):
    """What to render."""

    model_config = ConfigDict(extra="forbid")

    world: World = "motion"
    train_videos: int = Field(default=2000, ge=1)
    test_videos: int = Field(default=200, ge=1)
    normal_share: float = Field(default=0.35, ge=0, le=1)
    frames: int = Field(default=33, ge=2)
    fps: int = Field(default=12, ge=1)
    size: int = Field(default=96, ge=64, le=128, multiple_of=2)
    """Width and height in pixels."""
    folder: Path = Path("data/01_raw/synthetic")
    """Videos go to a folder below it whose name holds a hash of these parameters, so that no two sets mix."""


def seeded(*words: object) -> np.random.Generator:
    """A random generator that the words decide."""
    digest = hashlib.sha256("/".join(map(str, words)).encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:8], "big"))
