from functools import partial
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from hawk_pipelines.engine.run import EngineParameters, Item, Product, Step, run_items
from hawk_pipelines.engine.store import ItemStore
from hawk_pipelines.pipelines.encode.parameters import EncodeParameters
from hawk_pipelines.schema import Annotation, Rejection, StoredItem, Video
from hawk_pipelines.video.streams import STREAMS_VERSION, read_streams


class MotionParameters(BaseModel):
    """Which frames of an item are looked at."""

    model_config = ConfigDict(extra="forbid")

    frames: int = Field(default=8, ge=1)
    """T, frames sampled evenly over an item."""


def sample_frames(
    annotations: list[Annotation],
    videos: list[Video],
    parameters: MotionParameters,
    encode: EncodeParameters,
    engine: EngineParameters,
    frame_store: ItemStore,
) -> tuple[list[StoredItem], list[Rejection]]:
    """Sample every annotated item's frames with their flow magnitude, at the frame encoder's size."""
    by_id = {video.id: video for video in videos}
    settings = {"frames": parameters.frames, "size": encode.frame_encoder.size}
    items = [Item(a.item_id, a.item_id, Path(by_id[a.item_id].path)) for a in annotations]
    step = Step("motion", partial(_streams, frames=parameters.frames, size=encode.frame_encoder.size), STREAMS_VERSION, settings)
    keys, rejections = run_items(step, items, frame_store, engine.workers)
    named = [rejection.model_copy(update={"item": by_id[rejection.item].name}) for rejection in rejections]
    return [StoredItem(item_id=item_id, key=key) for item_id, key in keys.items()], named


def _streams(path: Path, frames: int, size: int) -> Product:
    streams = read_streams(path, frames, size)
    return Product({"frames": streams.frames, "magnitude": streams.magnitude}, {"indices": streams.indices.tolist()})
