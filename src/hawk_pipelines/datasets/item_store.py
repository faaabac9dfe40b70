"""An item store as a Kedro dataset: nodes are given the handle and write item by item."""

from typing import Any, NoReturn

from kedro.io import AbstractDataset, DatasetError

from hawk_pipelines.engine.store import ItemStore


class ItemStoreDataset(AbstractDataset[NoReturn, ItemStore]):
    """A folder of finished items. It is never saved as a whole: what is in it stays there when a run ends early.

    Example in the catalog::

        frame_store:
          type: hawk_pipelines.datasets.item_store.ItemStoreDataset
          filepath: data/04_feature/frames
    """

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self._filepath = filepath
        self.metadata = metadata

    def load(self) -> ItemStore:
        """Open the store; a folder that is not there yet is an empty store."""
        return ItemStore(self._filepath)

    def save(self, data: NoReturn) -> None:
        """Refused: items are written through the handle."""
        msg = f"{self._filepath} is an item store; a node takes it as input and writes its items itself."
        raise DatasetError(msg)

    def _exists(self) -> bool:
        return True

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._filepath}
