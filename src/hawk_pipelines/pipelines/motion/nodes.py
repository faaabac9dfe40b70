import hashlib
from functools import partial
from pathlib import Path

from hawk_pipelines.engine.joins import check_annotated
from hawk_pipelines.engine.run import EngineParameters, Item, Step, run_items
from hawk_pipelines.engine.store import ItemStore
from hawk_pipelines.pipelines.encode.parameters import EncodeParameters
from hawk_pipelines.schema import Annotation, Rejection, StoredItem, Video
from hawk_pipelines.video.stored import ItemPlace, frame_item
from hawk_pipelines.video.streams import STREAMS_VERSION, StreamParameters


def sample_frames(
    annotations: list[Annotation],
    videos: list[Video],
    parameters: StreamParameters,
    encode: EncodeParameters,
    seed: int,
    engine: EngineParameters,
    frame_store: ItemStore,
) -> tuple[list[StoredItem], list[Rejection]]:
    """Sample every annotated item's frames with their motion, at the frame encoder's size."""
    by_id = {video.id: video for video in videos}
    check_annotated(annotations, videos)
    random = parameters.sampling == "random_halves"
    items = []
    for annotation in annotations:
        video = by_id[annotation.video_id]
        span = (annotation.span.start_s, annotation.span.end_s) if annotation.span else None
        drawn = int.from_bytes(hashlib.sha256(f"{seed}/{annotation.item_id}".encode()).digest()[:4], "big") if random else 0
        timed = video.fps if Path(video.path).is_dir() else None
        place = ItemPlace(Path(video.path), video.id, span, drawn, video.fps)
        items.append(Item(annotation.item_id, [annotation.video_id, span, drawn, timed], place))
    size = encode.frame_encoder.size
    settings = {**parameters.model_dump(), "size": size}
    step = Step("motion", partial(frame_item, parameters=parameters, size=size), STREAMS_VERSION, settings)
    keys, rejections = run_items(step, items, frame_store, engine)
    names = {annotation.item_id: by_id[annotation.video_id].name for annotation in annotations}
    named = [rejection.model_copy(update={"item": names[rejection.item]}) for rejection in rejections]
    return [StoredItem(item_id=item_id, key=key) for item_id, key in keys.items()], named
