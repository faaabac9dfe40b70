"""Lists of the project's records as Parquet or JSON Lines."""

import json
import os
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from kedro.io import AbstractDataset, DatasetError
from pydantic import ValidationError

from hawk_pipelines import schema
from hawk_pipelines.engine.whole_files import whole_file


class RecordsDataset(AbstractDataset[list, list]):
    """A list of records of one type; every row is checked against it when it is read.

    Example in the catalog::

        videos:
          type: hawk_pipelines.datasets.records.RecordsDataset
          filepath: data/02_intermediate/videos.parquet
          record: Video
    """

    def __init__(self, *, filepath: str, record: str, metadata: dict[str, Any] | None = None) -> None:
        """Args:
        filepath: ends in `.parquet` or `.jsonl`.
        record: the name of a class in `hawk_pipelines.schema`.
        """
        self._filepath = PurePosixPath(filepath)
        self._record: type[schema.Record] = getattr(schema, record)
        self.metadata = metadata

    def load(self) -> list[schema.Record]:
        """Read and check every row."""
        if not self._exists():
            msg = f"{self._filepath} is not there yet; run the pipeline that makes it first (`kedro run` runs all of them)."
            raise DatasetError(msg)
        rows = self._rows()
        try:
            return [self._record.model_validate(row) for row in rows]
        except ValidationError as error:
            first = error.errors()[0]
            field = ".".join(map(str, first["loc"]))
            what = f"{self._filepath} is no table of {self._record.__name__} ({field}: {first['msg']})"
            msg = f"{what}; run the pipeline that makes it again."
            raise DatasetError(msg) from error

    def count(self) -> int:
        """How many rows there are, without reading them."""
        if self._filepath.suffix == ".parquet":
            return int(pq.read_metadata(self._filepath).num_rows)
        with open(self._filepath, "rb") as file:
            return sum(1 for _ in file)

    def _rows(self) -> list[dict]:
        if self._filepath.suffix == ".parquet":
            return pq.read_table(self._filepath).to_pylist()
        rows = []
        with open(self._filepath, encoding="utf-8") as file:
            for number, line in enumerate(file, start=1):
                try:
                    rows.append(json.loads(line))
                except ValueError as error:
                    msg = f"Line {number} of {self._filepath} is not JSON ({error}); run the pipeline that makes it again."
                    raise DatasetError(msg) from error
        return rows

    def save(self, data: list[schema.Record]) -> None:
        """Write all rows to a new file and put it in the old one's place."""
        rows = [record.model_dump(mode="json") for record in data]
        with whole_file(Path(self._filepath)) as unfinished:
            if self._filepath.suffix == ".parquet":
                columns = {name: pa.array([], pa.string()) for name in self._record.model_fields}
                pq.write_table(pa.Table.from_pylist(rows) if rows else pa.table(columns), unfinished)
            else:
                with unfinished.open("w", encoding="utf-8") as file:
                    file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)

    def _exists(self) -> bool:
        return os.path.isfile(self._filepath)

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath), "record": self._record.__name__}
