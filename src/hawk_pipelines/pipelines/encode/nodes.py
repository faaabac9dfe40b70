import logging
from functools import partial
from queue import Queue
from typing import TYPE_CHECKING

import numpy as np

from hawk_pipelines.engine.joins import check_annotated, check_joined
from hawk_pipelines.engine.run import EngineParameters, Item, Step, item_key, run_items
from hawk_pipelines.engine.store import ItemStore
from hawk_pipelines.engine.threads import spread_threads
from hawk_pipelines.engine.work import Product
from hawk_pipelines.pipelines.encode.parameters import EncodeParameters
from hawk_pipelines.schema import Annotation, Rejection, StoredItem, Video
from hawk_pipelines.video.crops import crop, draw_box
from hawk_pipelines.video.flow import motion_frames
from hawk_pipelines.video.stored import unpack

if TYPE_CHECKING:
    from hawk_pipelines.model.frame_encoders import FrameEncoder

logger = logging.getLogger(__name__)

THREADS = 2
"""For each device: one gets an item ready while the other's item is on the device."""


def encode_annotated_frames(
    annotations: list[Annotation],
    videos: list[Video],
    frames: list[StoredItem],
    frame_store: ItemStore,
    parameters: EncodeParameters,
    seed: int,
    engine: EngineParameters,
    feature_store: ItemStore,
) -> tuple[list[StoredItem], list[Rejection]]:
    """Turn the frames of annotated items into tokens, where the tables are of the same data."""
    check_annotated(annotations, videos)
    check_joined("frames", (item.item_id for item in frames), "annotations", {one.item_id for one in annotations}, "item")
    return encode_frames(frames, frame_store, parameters, seed, engine, feature_store)


def encode_frames(
    frames: list[StoredItem],
    frame_store: ItemStore,
    parameters: EncodeParameters,
    seed: int,
    engine: EngineParameters,
    feature_store: ItemStore,
) -> tuple[list[StoredItem], list[Rejection]]:
    """Turn both streams of every item into the frozen encoder's tokens, half precision."""
    from hawk_pipelines.model.frame_encoders import ENCODER_VERSION, build_on_all, bytes_per_item

    # The tiny encoder is nothing but its settings: while nothing is to be encoded, it is not built and torch not imported.
    postponed = parameters.frame_encoder.kind == "tiny" and not parameters.devices
    encoders = [] if postponed else build_on_all(parameters.frame_encoder, parameters.devices)
    made_by = _made_by(parameters, seed, encoders[0].sha256 if encoders else None)
    free: Queue[FrameEncoder] = Queue()
    function = partial(_tokens, free, frame_store, parameters, seed, made_by)
    step = Step("encode", function, ENCODER_VERSION, made_by)
    items = [Item(item.item_id, item.key, item.key) for item in frames]
    if postponed and any(item_key(step, item) not in feature_store for item in items):
        encoders = build_on_all(parameters.frame_encoder, parameters.devices)
    for encoder in encoders:
        free.put(encoder)
    threads = engine.model_copy(update={"workers": THREADS * len(encoders)})
    keys, rejections = run_items(step, items, feature_store, threads, spread_threads)
    if keys and encoders:
        times_s = feature_store.facts(next(iter(keys.values())))["times_s"]
        P, T = len(times_s), len(times_s[0])
        size = bytes_per_item(encoders[0], T, P) / 1000
        what = f"{P} × {T} frames × {encoders[0].tokens} tokens × {encoders[0].width} × 2 bytes × 2 streams"
        logger.info("encode: an item takes %.1f kB (%s).", size, what)
    return [StoredItem(item_id=item_id, key=key) for item_id, key in keys.items()], rejections


def _made_by(parameters: EncodeParameters, seed: int, sha256: str | None) -> dict[str, object]:
    """What decides an item's tokens besides its frames. It is kept with them, so that training can tell whose they are."""
    made_by = parameters.model_dump(mode="json", include={"frame_encoder", "mask"})
    made_by |= {"frame_encoder_sha256": sha256}
    if parameters.views > 1:  # one view is the whole frame, whatever the seed
        made_by |= {"views": parameters.views, "crop": parameters.crop, "seed": seed}
    return made_by


def _tokens(
    free: "Queue[FrameEncoder]",
    frame_store: ItemStore,
    parameters: EncodeParameters,
    seed: int,
    made_by: dict[str, object],
    key: str,
) -> Product:
    """What is done to one item, in a thread: got ready beside the others, and encoded when an encoder is free."""
    from hawk_pipelines.model.frame_encoders.streams import encode_both

    sampled = frame_store.facts(key)
    streams = unpack(frame_store.read(key), sampled)
    size = streams.frames.shape[3]
    boxes = [draw_box(size, parameters.crop, seed, key, view) for view in range(parameters.views)]
    views = [crop(streams.frames, streams.magnitude, box) for box in boxes]
    appearance = np.concatenate([frames for frames, _ in views])
    motion = np.concatenate([motion_frames(*view, parameters.mask) for view in views])
    encoder = free.get()
    try:
        tokens = encode_both(encoder, appearance, motion)
    finally:
        free.put(encoder)
    arrays = {name: stream.numpy() for name, stream in zip(("appearance", "motion"), tokens, strict=True)}
    return arrays, made_by | {"flow": sampled["flow"], "times_s": streams.times_s.tolist() * parameters.views}
