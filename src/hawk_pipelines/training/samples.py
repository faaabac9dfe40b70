"""The samples of a training as a file, one JSON object a line, of which only places are held in memory."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from hawk_pipelines.schema import Sample


def write_samples(path: Path, samples: Iterable[Sample]) -> None:
    """Write a file of samples."""
    with path.open("w", encoding="utf-8") as file:
        file.writelines(sample.model_dump_json() + "\n" for sample in samples)


class SampleFile:
    """Random access to a file of samples: eight bytes of memory for each."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with path.open("rb") as file:
            lengths = np.fromiter((len(line) for line in file), np.int64)
        self._starts = np.concatenate([[0], np.cumsum(lengths)])

    def __len__(self) -> int:
        return len(self._starts) - 1

    def __getitem__(self, number: int) -> Sample:
        """Sample `number`."""
        start, end = self._starts[number : number + 2].tolist()
        with self.path.open("rb") as file:
            file.seek(start)
            return Sample.model_validate_json(file.read(end - start))

    def __iter__(self) -> Iterator[Sample]:
        """All of them, in order."""
        with self.path.open("rb") as file:
            for line in file:
                yield Sample.model_validate_json(line)
