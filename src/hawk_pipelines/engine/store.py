"""The item store: one file per finished item, named by what went into it."""

import json
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from hawk_pipelines.errors import HawkError


class MissingItem(HawkError):
    """An item that is not in its store."""


class ItemStore:
    """A folder of safetensors files. Each is written atomically, so that a file that is there is a finished item."""

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root)

    def __contains__(self, key: str) -> bool:
        """Whether the item is there and whole; a damaged file counts as missing, so that it is made again."""
        path = self._path(key)
        if not path.is_file():
            return False
        try:
            with safe_open(path, framework="numpy"):
                return True
        except SafetensorError:
            return False

    def write(self, key: str, arrays: Mapping[str, np.ndarray], facts: Mapping[str, object] | None = None) -> None:
        """Keep an item's arrays and facts (JSON values) under its key."""
        path = self._path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        content = save({name: np.ascontiguousarray(array) for name, array in arrays.items()}, {"facts": json.dumps(facts or {})})
        unfinished = path.with_suffix(f".{os.getpid()}.part")
        unfinished.write_bytes(content)
        unfinished.replace(path)

    def read(self, key: str) -> dict[str, np.ndarray]:
        """Arrays of an item.

        Raises:
            MissingItem: the item is not there or not whole.
        """
        with self._open(key) as file:
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (a safe_open handle is no mapping)

    def facts(self, key: str) -> dict:
        """Facts of an item.

        Raises:
            MissingItem: the item is not there or not whole.
        """
        with self._open(key) as file:
            return json.loads(file.metadata()["facts"])

    def _open(self, key: str) -> safe_open:
        if key not in self:
            msg = f"{self.root} holds no whole item {key}; run the pipeline that makes it again."
            raise MissingItem(msg)
        return safe_open(self._path(key), framework="numpy")

    def _path(self, key: str) -> Path:
        return self.root / key[:2] / f"{key}.safetensors"
