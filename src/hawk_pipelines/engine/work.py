"""What a worker does. It imports little, so that workers stay small."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from hawk_pipelines.engine.store import ItemStore

Product = tuple[Mapping[str, np.ndarray], Mapping[str, object]]
"""What a step makes of one item: arrays, and facts that fit in JSON."""


def make_item(function: Callable[[Any], Product], store: ItemStore, job: tuple[str, Any]) -> str:
    """Make one item, keep it under its key, and give the key back."""
    key, payload = job
    arrays, facts = function(payload)
    store.write(key, arrays, facts)
    return key
