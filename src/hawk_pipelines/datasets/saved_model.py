"""A `save_pretrained` folder as a Kedro dataset."""

import os
import shutil
from pathlib import Path
from typing import Any

from kedro.io import AbstractDataset, DatasetError

from hawk_pipelines.engine.whole_files import whole_folder


class SavedModelDataset(AbstractDataset[Path, Path | None]):
    """A folder with a saved model. Saving moves the folder that a node has written to the old one's place.

    Example in the catalog::

        finetuned_model:
          type: hawk_pipelines.datasets.saved_model.SavedModelDataset
          filepath: data/06_models/finetuned_model
    """

    def __init__(self, *, filepath: str, needed: bool = True, metadata: dict[str, Any] | None = None) -> None:
        """Args:
        filepath: the folder.
        needed: whether loading fails where there is none; otherwise it gives None.
        metadata: Kedro's.
        """
        self._filepath, self._needed = Path(filepath), needed
        self.metadata = metadata

    def load(self) -> Path | None:
        """The folder."""
        if not self._exists() and not self._needed:
            return None
        if not self._exists():
            msg = f"{self._filepath} holds no saved model; run `kedro run --pipelines=finetune` first."
            raise DatasetError(msg)
        return self._filepath

    def save(self, data: Path) -> None:
        """Put the folder beside the old one, then switch. What was handed over goes only when its copy is in its place.

        So whoever is stopped in between still has it, and hands it over once more. The folder itself may be handed back: then
        nothing is done.
        """
        if data.resolve() == self._filepath.resolve():
            return
        with whole_folder(self._filepath) as unfinished:
            shutil.copytree(data, unfinished, copy_function=_link, dirs_exist_ok=True)
        gone = data.with_name(f".{data.name}.gone")  # renamed at once: half of it would be taken for a model
        shutil.rmtree(gone, ignore_errors=True)
        os.replace(data, gone)
        shutil.rmtree(gone, ignore_errors=True)

    def _exists(self) -> bool:
        return (self._filepath / "config.json").is_file()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}


def _link(source: str, target: str) -> None:
    """The same file under another name; a copy where the file system, or another one, wants that."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
