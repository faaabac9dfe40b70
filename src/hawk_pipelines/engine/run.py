"""One function over many items. What is already in the store is reused; what cannot be done is refused with its reason."""

import hashlib
import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from hawk_pipelines.engine.parallel import parallel
from hawk_pipelines.engine.store import ItemStore
from hawk_pipelines.errors import HawkError
from hawk_pipelines.schema import Rejection

logger = logging.getLogger(__name__)


class EngineParameters(BaseModel):
    """How work is spread."""

    model_config = ConfigDict(extra="forbid")

    workers: int = Field(default=2, ge=0)
    """Processes for per-item work; 0 works in the main process."""


class Product(NamedTuple):
    """What a step makes of one item: arrays, and facts that fit in JSON."""

    arrays: Mapping[str, np.ndarray]
    facts: Mapping[str, object]


@dataclass(frozen=True)
class Step:
    """What is done to each item, and everything besides the item that decides its result.

    An item whose function raises a `HawkError` is refused with that reason; any other error is ours and stops the run.
    """

    name: str
    function: Callable[[Any], Product]
    """Pickled to the workers: a module's function, or a `functools.partial` of one."""
    version: int
    """Raised whenever the function's output changes."""
    parameters: Mapping[str, object]


class Item(NamedTuple):
    """Something to work on."""

    id: str
    content: object
    """What the result depends on, as JSON: the hash of a video, not its path."""
    payload: Any
    """What the function is given."""


class Outcome(NamedTuple):
    """The store's key of every item that is done, in the order of the items, and the refusals."""

    keys: dict[str, str]
    rejections: list[Rejection]


def run_items(step: Step, items: list[Item], store: ItemStore, workers: int) -> Outcome:
    """Make what is missing in the store.

    Args:
        step: what to do.
        items: what to do it to; ids are unique.
        store: where results are kept.
        workers: processes; 0 works in this one.
    """
    keys = {item.id: item_key(step, item) for item in items}
    missing = [item for item in items if keys[item.id] not in store]
    jobs = [(keys[item.id], item.payload) for item in missing]
    refusals: dict[str, str] = {}
    for position, refusal in parallel(partial(_make, step.function, store), jobs, workers, step.name):
        if refusal is not None:
            refusals[missing[position].id] = refusal
    logger.info(
        "%s: %d done, %d reused, %d rejected.",
        step.name,
        len(missing) - len(refusals),
        len(items) - len(missing),
        len(refusals),
    )
    done = {item_id: key for item_id, key in keys.items() if item_id not in refusals}
    rejections = [Rejection(step=step.name, item=id_, reason=refusals[id_]) for id_ in keys if id_ in refusals]
    return Outcome(done, rejections)


def item_key(step: Step, item: Item) -> str:
    """What an item's result is called: a hash of the step, its version, its parameters and the item's content."""
    everything = [step.name, step.version, dict(step.parameters), item.content]
    return hashlib.sha256(json.dumps(everything, sort_keys=True).encode()).hexdigest()[:32]


def _make(function: Callable[[Any], Product], store: ItemStore, job: tuple[str, Any]) -> str | None:
    """Make and keep one item; the reason where it is refused."""
    key, payload = job
    try:
        product = function(payload)
    except HawkError as error:
        return str(error)
    store.write(key, product.arrays, product.facts)
    return None
