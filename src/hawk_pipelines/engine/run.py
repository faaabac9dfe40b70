"""One function over many items. What is already in the store is reused; what cannot be done goes to the store's ledger."""

import hashlib
import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, field_validator

from hawk_pipelines.engine.processes import Failure, Limits, spread
from hawk_pipelines.engine.store import DEFAULT_SHARDS, Failed, ItemStore
from hawk_pipelines.engine.work import Product, make_item
from hawk_pipelines.errors import HawkError
from hawk_pipelines.schema import Rejection

logger = logging.getLogger(__name__)

Spread = Callable[[Callable[[Any], Any], Sequence[Any], Limits, str], Iterator[tuple[int, Any]]]
"""Something that calls a function with many arguments: `processes.spread`, or a cluster."""


class EngineParameters(BaseModel):
    """How work is spread over items, and what one item may take."""

    model_config = ConfigDict(extra="forbid")

    workers: int = Field(default=2, ge=0)
    """Processes for per-item work; 0 works in the main process, without limits."""
    item_timeout_s: float = Field(default=1800, gt=0)
    """Seconds after which an item is given up."""
    item_memory_mb: int = Field(default=2048, ge=64)
    """What an item may take on top of what a worker needs to start."""
    retry_failed: bool = False
    """Try the items in the ledger again, and only those. Otherwise they are passed over until they or the step change."""
    shards: int = DEFAULT_SHARDS
    """Files that the finished items of a step are packed into; a power of two."""

    @field_validator("shards")
    @classmethod
    def _power_of_two(cls, shards: int) -> int:
        if shards < 1 or shards & (shards - 1):
            msg = f"it is a power of two, but {shards} is none"
            raise ValueError(msg)
        return shards


@dataclass(frozen=True)
class Step:
    """What is done to each item, and everything besides the item that decides its result."""

    name: str
    function: Callable[[Any], Product]
    """Arrays and facts of an item. Pickled to the workers: a module's function, or a `functools.partial` of one. A `HawkError`
    that it raises refuses the item."""
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


class EngineError(HawkError):
    """A step that could do nothing at all."""


def run_items(step: Step, items: Sequence[Item], store: ItemStore, engine: EngineParameters, spread: Spread = spread) -> Outcome:
    """Make what is missing in the store, and pack it.

    An item that is refused, fails, crashes its worker, hangs or takes too much memory goes to the ledger and stops nothing.

    Args:
        step: what to do.
        items: what to do it to; ids are unique.
        store: where results and the ledger are kept.
        engine: how, and within which limits.
        spread: where.

    Raises:
        EngineError: not one item could be done, and not because of the items.
        MachineFault: the disk is full, say; what was finished stays.
    """
    keys = {item.id: item_key(step, item) for item in items}
    failed = store.failures()
    missing = [item for item in items if keys[item.id] not in store]
    todo = [item for item in missing if (keys[item.id] in failed) == engine.retry_failed]
    limits = Limits(engine.workers, engine.item_timeout_s, engine.item_memory_mb)
    jobs = [(keys[item.id], item.payload) for item in todo]
    try:
        for position, result in spread(partial(make_item, step.function, store), jobs, limits, step.name):
            item, key = todo[position], keys[todo[position].id]
            if not isinstance(result, Failure) and (result != key or key not in store):
                result = Failure(f"Its worker was asked for {key}, but made {result}. Please report it.", refused=False)
            if isinstance(result, Failure):
                attempts = failed[key].attempts if key in failed else 0
                failed[key] = Failed(key, step.name, item.id, result.reason, result.refused, attempts + 1)
                store.fail(failed[key])
                if not result.refused:
                    logger.warning("%s of %s failed. %s", step.name, item.id, result.reason)
    finally:
        store.sweep_unfinished()  # of workers that were ended
    store.pack(engine.shards, set(keys.values()))
    done = {item.id: keys[item.id] for item in items if keys[item.id] in store}
    undone = [item for item in items if item.id not in done and keys[item.id] in failed]
    rejections = [Rejection(step=step.name, item=item.id, reason=failed[keys[item.id]].error) for item in undone]
    made = len(done) - (len(items) - len(missing))
    logger.info("%s: %d done, %d reused, %d rejected.", step.name, made, len(done) - made, len(rejections))
    passed = len(missing) - len(todo)
    if passed and not engine.retry_failed:
        logger.info("%s: %d of the rejected were so before; `engine.retry_failed` tries them again.", step.name, passed)
    elif passed:
        logger.info("%s: %d not tried, because `engine.retry_failed` tries only what failed before.", step.name, passed)
    faults = [failed[keys[item.id]].error for item in undone if not failed[keys[item.id]].refused]
    if faults and not done:
        remembered = "" if todo else " They were tried before; `engine.retry_failed` tries them again."
        msg = f"Step {step.name} could do none of {len(items)} items. The first reason: {faults[0]}{remembered}"
        raise EngineError(msg)
    return Outcome(done, rejections)


def item_key(step: Step, item: Item) -> str:
    """What an item's result is called: a hash of the step, its version, its parameters and the item's content."""
    everything = [step.name, step.version, dict(step.parameters), item.content]
    return hashlib.sha256(json.dumps(everything, sort_keys=True).encode()).hexdigest()[:32]
