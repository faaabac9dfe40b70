"""Kedro's datasets of one file, written beside its place and then renamed: what a full disk cuts short is never left there."""

from pathlib import Path, PurePosixPath
from typing import Any

from kedro_datasets import json, text, yaml

from hawk_pipelines.engine.whole_files import whole_file


class WrittenWhole:
    """Comes before one of Kedro's datasets of files on this machine."""

    _filepath: PurePosixPath

    def save(self, data: Any) -> None:
        """Write the file as Kedro does, and put it in its place."""
        path = self._filepath
        with whole_file(Path(path)) as unfinished:
            self._filepath = PurePosixPath(unfinished)
            try:
                super().save(data)  # type: ignore[misc]
            finally:
                self._filepath = path


class JSONDataset(WrittenWhole, json.JSONDataset):
    """`json.JSONDataset`, whole or not at all."""


class TextDataset(WrittenWhole, text.TextDataset):
    """`text.TextDataset`, whole or not at all."""


class YAMLDataset(WrittenWhole, yaml.YAMLDataset):
    """`yaml.YAMLDataset`, whole or not at all."""
