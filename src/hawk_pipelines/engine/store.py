"""The item store: one file per finished item, named by what went into it."""

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from safetensors import safe_open
from safetensors.numpy import save


class ItemStore:
    """A folder of safetensors files. Each is written atomically, so that a file that is there is a finished item."""

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root)

    def __contains__(self, key: str) -> bool:
        return self._path(key).is_file()

    def write(self, key: str, arrays: Mapping[str, np.ndarray], facts: Mapping[str, object] | None = None) -> None:
        """Keep an item's arrays and facts (JSON values) under its key."""
        path = self._path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        content = save({name: np.ascontiguousarray(array) for name, array in arrays.items()}, {"facts": json.dumps(facts or {})})
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".", delete=False) as file:
            file.write(content)
        Path(file.name).replace(path)

    def read(self, key: str) -> dict[str, np.ndarray]:
        """Arrays of an item.

        Raises:
            KeyError: the item is not there.
        """
        with self._open(key) as file:
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (a safe_open handle is no mapping)

    def facts(self, key: str) -> dict:
        """Facts of an item.

        Raises:
            KeyError: the item is not there.
        """
        with self._open(key) as file:
            return json.loads(file.metadata()["facts"])

    def _open(self, key: str) -> safe_open:
        if key not in self:
            msg = f"{self.root} holds no item {key}; run the pipeline that makes it again."
            raise KeyError(msg)
        return safe_open(self._path(key), framework="numpy")

    def _path(self, key: str) -> Path:
        return self.root / key[:2] / f"{key}.safetensors"
