"""What the model saw of an item, as small pictures for a page: its frames, and what moves in them."""

import base64
from collections.abc import Callable, Sequence
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from hawk_pipelines.engine.store import ItemStore
from hawk_pipelines.schema import StoredItem
from hawk_pipelines.video.errors import UnreadableVideo
from hawk_pipelines.video.flow import Mask, motion_mask
from hawk_pipelines.video.stored import unpack

MOST_FRAMES = 8
"""Of an item that are shown, evenly chosen."""
SIDE = 112
"""Pixels; smaller frames stay as they are."""
QUALITY = 55
"""Of WebP, 1 to 100."""
MOVING = (255, 96, 32)
"""RGB, of what moves."""


class ItemPictures(NamedTuple):
    """Some of an item's frames."""

    frames: NDArray
    """uint8 [T, H, W, 3], RGB."""
    masks: NDArray
    """float32 [T, H, W] in [0, 1], the motion mask of each."""
    times_s: NDArray
    """float64 [T], when they are shown, from the first frame of the video."""


def pictures(frame_store: ItemStore, frames: Sequence[StoredItem], mask: Mask) -> Callable[[str], ItemPictures | None]:
    """Small pictures of items, each read when it is asked for.

    Args:
        frame_store: where the frames are.
        frames: the items in it.
        mask: how motion weighs pixels.

    Returns:
        What gives the pictures of an item: of its first sampling; None where no frames of it are stored. It raises `MissingItem`,
        `DamagedStore` or `UnreadableVideo` where they cannot be read.
    """
    keys = {item.item_id: item.key for item in frames}

    def of(item_id: str) -> ItemPictures | None:
        if item_id not in keys:
            return None
        streams = unpack(frame_store.read(keys[item_id]), frame_store.facts(keys[item_id]))
        T = streams.frames.shape[1]
        shown = np.unique(np.linspace(0, T - 1, min(T, MOST_FRAMES)).round().astype(int))
        masks = motion_mask(streams.magnitude[0, shown], mask)
        return ItemPictures(
            np.stack([_small(frame) for frame in streams.frames[0, shown]]),
            np.stack([_small(one) for one in masks]),
            streams.times_s[0, shown],
        )

    return of


def overlaid(frame: NDArray, mask: NDArray) -> NDArray:
    """A frame without its colours, and over it what moves, the more strongly the more it weighs: uint8 [H, W, 3]."""
    grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)[..., None] * 0.8
    weight = np.clip(mask, 0, 1)[..., None]
    return np.rint(grey * (1 - weight) + np.array(MOVING) * weight).astype(np.uint8)


def data_uri(picture: NDArray) -> str:
    """A picture, uint8 [H, W, 3] RGB, that stands in the page itself."""
    done, packed = cv2.imencode(".webp", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_WEBP_QUALITY, QUALITY])
    if not done:
        msg = f"A picture of {picture.shape[1]} × {picture.shape[0]} pixels cannot be written as WebP."
        raise UnreadableVideo(msg)
    return "data:image/webp;base64," + base64.b64encode(packed.tobytes()).decode()


def _small(picture: NDArray) -> NDArray:
    longer = max(picture.shape[:2])
    if longer <= SIDE:
        return picture
    height, width = (max(1, round(side * SIDE / longer)) for side in picture.shape[:2])
    return cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
