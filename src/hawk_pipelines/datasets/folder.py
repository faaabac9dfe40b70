"""A folder as a Kedro dataset."""

from pathlib import Path
from typing import Any, NoReturn

from kedro.io import AbstractDataset, DatasetError


class FolderDataset(AbstractDataset[NoReturn, Path]):
    """A folder that a node fills by itself; loading gives its path.

    Example in the catalog::

        trainings:
          type: hawk_pipelines.datasets.folder.FolderDataset
          filepath: data/06_models/trainings
    """

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self._filepath = Path(filepath)
        self.metadata = metadata

    def load(self) -> Path:
        """The folder, whether or not it is there."""
        return self._filepath

    def save(self, data: NoReturn) -> None:
        """Nothing is saved to a folder as such."""
        msg = f"{self._filepath} is filled by the node that reads its path; it is no node's output."
        raise DatasetError(msg)

    def _exists(self) -> bool:
        return self._filepath.is_dir()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}
