"""The runner of `kedro run`: one node after the other, as Kedro's own, without those that have nothing to do."""

import logging
from pathlib import Path
from typing import Any

from kedro.io import CatalogProtocol
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node
from kedro.runner import SequentialRunner
from kedro.runner.task import Task
from pluggy import PluginManager
from pydantic import BaseModel

from hawk_pipelines.datasets.saved_model import SavedModelDataset
from hawk_pipelines.engine.finished import (
    FinishedStep,
    json_sha256,
    path_sha256,
    read_finished,
    rows_sha256,
    step_key,
    write_finished,
)
from hawk_pipelines.pipelines.reuse import Reusable, reusable_steps
from hawk_pipelines.training.job import RECORDS

logger = logging.getLogger(__name__)

FINISHED_STEPS = "finished_steps"
"""The catalog's entry for the folder of the records."""


class ReusingRunner(SequentialRunner):
    """Runs what is not finished yet. A node that is passed over reads and writes nothing."""

    def __init__(self, is_async: bool = False) -> None:
        super().__init__(is_async)
        self._hashes: dict[str, str] = {}

    def _run(
        self,
        pipeline: Pipeline,
        catalog: CatalogProtocol,
        hook_manager: PluginManager | None = None,
        run_id: str | None = None,
    ) -> None:
        steps, done = reusable_steps(), set[Node]()
        for node in pipeline.nodes:
            try:
                step = steps.get(node.name)
                if step is None:
                    Task(node, catalog, self._is_async, hook_manager, run_id).execute()
                elif not self._is_finished(node, step, key := self._key(node, step, catalog), catalog):
                    if not _recover(node, step, catalog):
                        Task(node, catalog, self._is_async, hook_manager, run_id).execute()
                    if step.settled(catalog.load):
                        record = FinishedStep(
                            step=node.name, key=key, outputs=_outputs(node, step, catalog), run_id=_mlflow_run()
                        )
                        write_finished(catalog.load(FINISHED_STEPS), record)
            except Exception:
                self._suggest_resume_scenario(pipeline, done, catalog)
                raise
            for name in node.outputs:  # what was hashed before is not what is there now
                self._hashes.pop(name, None)
            done.add(node)

    def _key(self, node: Node, step: Reusable, catalog: CatalogProtocol) -> str:
        inputs = {}
        for name in node.inputs:
            if name.startswith("params:") or name in step.writes:
                continue
            if name not in self._hashes:
                self._hashes[name] = _sha256(catalog, name)
            inputs[name] = self._hashes[name]
        return step_key(node.name, step.version, step.settings(catalog.load), inputs)

    def _is_finished(self, node: Node, step: Reusable, key: str, catalog: CatalogProtocol) -> bool:
        record = read_finished(catalog.load(FINISHED_STEPS), node.name)
        if record is None or record.key != key or record.outputs != _outputs(node, step, catalog):
            return False
        if step.holds is not None and not step.holds(catalog.load, key):
            return False
        made_in = f" (MLflow run {record.run_id})" if record.run_id else ""
        logger.info("%s: nothing to do; what it reads and its settings are as they were%s.", node.name, made_in)
        return True


def _recover(node: Node, step: Reusable, catalog: CatalogProtocol) -> bool:
    """Take what an earlier run has made and kept elsewhere, where there is such a thing."""
    outputs = step.recovered(catalog.load) if step.recovered else None
    if outputs is None:
        return False
    for name, value in outputs.items():
        catalog.save(name, value)
    logger.info("%s: nothing to do; what an earlier run made from the same is still there.", node.name)
    return True


def _sha256(catalog: CatalogProtocol, name: str) -> str:
    """The hash of what decides the result in an input; of an item store and of a key nothing does: tables name the items."""
    value = catalog.load(name)
    if isinstance(value, list) and all(isinstance(row, BaseModel) for row in value):
        return rows_sha256(value)
    if isinstance(value, Path):
        without = RECORDS if isinstance(catalog.get(name), SavedModelDataset) else ()
        return path_sha256(value, without) or ""
    return json_sha256(value) if isinstance(value, dict | list | str | int | float | None) else ""


def _outputs(node: Node, step: Reusable, catalog: CatalogProtocol) -> dict[str, str]:
    """The hash of every file that a node makes, as it is now; empty for one that is not there."""
    paths = {name: Path(str(getattr(catalog.get(name), "_filepath", ""))) for name in (*node.outputs, *step.writes)}
    return {name: path_sha256(path) or "" for name, path in paths.items()}


def _mlflow_run() -> str | None:
    import mlflow

    run: Any = mlflow.active_run()
    return None if run is None else str(run.info.run_id)
