import logging
from functools import partial
from typing import TYPE_CHECKING

from hawk_pipelines.engine.run import EngineParameters, Item, Step, run_items
from hawk_pipelines.engine.store import ItemStore
from hawk_pipelines.engine.work import Product
from hawk_pipelines.pipelines.encode.parameters import EncodeParameters
from hawk_pipelines.schema import Rejection, StoredItem
from hawk_pipelines.video.flow import Mask
from hawk_pipelines.video.stored import unpack

if TYPE_CHECKING:
    from hawk_pipelines.model.frame_encoders import FrameEncoder

logger = logging.getLogger(__name__)


def encode_frames(
    frames: list[StoredItem],
    frame_store: ItemStore,
    parameters: EncodeParameters,
    engine: EngineParameters,
    feature_store: ItemStore,
) -> tuple[list[StoredItem], list[Rejection]]:
    """Turn both streams of every item into the frozen encoder's tokens, half precision."""
    from hawk_pipelines.model.checkpoint import best_device
    from hawk_pipelines.model.frame_encoders import ENCODER_VERSION, build, bytes_per_item

    encoder = build(parameters.frame_encoder, best_device())
    items = [Item(item.item_id, item.key, item.key) for item in frames]
    function = partial(_tokens, encoder, parameters.mask, frame_store)
    weights = {"frame_encoder_sha256": encoder.sha256}
    step = Step("encode", function, ENCODER_VERSION, parameters.model_dump(mode="json") | weights)
    here = engine.model_copy(update={"workers": 0})  # the encoder has threads of its own
    keys, rejections = run_items(step, items, feature_store, here)
    if keys:
        times_s = feature_store.facts(next(iter(keys.values())))["times_s"]
        P, T = len(times_s), len(times_s[0])
        size = bytes_per_item(encoder, T, P) / 1000
        what = f"{P} × {T} frames × {encoder.tokens} tokens × {encoder.width} × 2 bytes × 2 streams"
        logger.info("encode: an item takes %.1f kB (%s).", size, what)
    return [StoredItem(item_id=item_id, key=key) for item_id, key in keys.items()], rejections


def _tokens(encoder: "FrameEncoder", mask: Mask, frame_store: ItemStore, key: str) -> Product:
    from hawk_pipelines.model.frame_encoders.streams import encode_streams

    streams = unpack(frame_store.read(key), frame_store.facts(key))
    appearance, motion = encode_streams(encoder, streams.frames, streams.magnitude, mask)
    facts = {"times_s": streams.times_s.tolist(), "frame_encoder_sha256": encoder.sha256}
    return {"appearance": appearance.half().numpy(), "motion": motion.half().numpy()}, facts
