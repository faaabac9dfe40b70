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
    from hawk_pipelines.model.frame_encoder import TinyFrameEncoder


def encode_frames(
    frames: list[StoredItem],
    frame_store: ItemStore,
    parameters: EncodeParameters,
    engine: EngineParameters,
    feature_store: ItemStore,
) -> tuple[list[StoredItem], list[Rejection]]:
    """Turn both streams of every item into the frozen encoder's tokens, half precision."""
    from hawk_pipelines.model.frame_encoder import ENCODER_VERSION, TinyFrameEncoder

    items = [Item(item.item_id, item.key, item.key) for item in frames]
    function = partial(_tokens, TinyFrameEncoder(parameters.frame_encoder), parameters.mask, frame_store)
    step = Step("encode", function, ENCODER_VERSION, parameters.model_dump(mode="json"))
    here = engine.model_copy(update={"workers": 0})  # the encoder has threads of its own
    keys, rejections = run_items(step, items, feature_store, here)
    return [StoredItem(item_id=item_id, key=key) for item_id, key in keys.items()], rejections


def _tokens(encoder: "TinyFrameEncoder", mask: Mask, frame_store: ItemStore, key: str) -> Product:
    from hawk_pipelines.model.frame_encoder import encode_streams

    streams = unpack(frame_store.read(key), frame_store.facts(key))
    appearance, motion = encode_streams(encoder, streams.frames, streams.magnitude, mask)
    return {"appearance": appearance.half().numpy(), "motion": motion.half().numpy()}, {}
