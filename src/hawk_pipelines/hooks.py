"""What happens around a Kedro run: its settings are checked, the log says what is going on, a table of what was made ends it."""

import logging
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.framework.project import pipelines
from kedro.io import CatalogProtocol
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node
from kedro.validation.type_extractor import TypeExtractor

from hawk_pipelines import logs
from hawk_pipelines.perception.parameters import CaptionParameters
from hawk_pipelines.pipelines.annotate.parameters import AnnotateParameters
from hawk_pipelines.pipelines.evaluated_model import MODEL, evaluates, model_tags, run_tags, settings_to_log
from hawk_pipelines.pipelines.llm_preflight import look_ahead
from hawk_pipelines.pipelines.parameter_check import SEED, ParameterError, check_parameters, check_versions
from hawk_pipelines.pipelines.reuse import tag_reused
from hawk_pipelines.pipelines.staged_runner import reached_nodes, why_ended
from hawk_pipelines.pipelines.training_preflight import look_ahead_to_training
from hawk_pipelines.summary import path_of, show, show_rejections
from hawk_pipelines.training.tracking import told

logger = logging.getLogger(__name__)


class ProjectHooks:
    """Settings are checked, and a run tells what it did."""

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Check every parameter before anything runs."""
        try:
            self._parameters = context.config_loader["parameters"]
        except (AttributeError, TypeError, ValueError) as error:  # Kedro's own words for a list, or a section in two files
            msg = (
                f"Settings cannot be read ({error}); each section, in conf/*/parameters*.yml and in --params, is a mapping and "
                "stands in one file."
            )
            raise ParameterError(msg) from error
        types = TypeExtractor(dict(pipelines)).extract_types_from_pipelines()
        check_parameters(self._parameters, types | {"seed": SEED})

    @hook_impl
    def after_catalog_created(self, conf_catalog: dict[str, Any], load_versions: dict[str, str] | None) -> None:
        """Refuse versions that nobody keeps."""
        check_versions(load_versions or {}, conf_catalog)

    @hook_impl
    def before_pipeline_run(self, run_params: dict[str, Any], pipeline: Pipeline, catalog: CatalogProtocol) -> None:
        """Look ahead to a language model and to a training, then write every parameter to the MLflow run."""
        import mlflow

        active = mlflow.active_run()
        self._run_id = active.info.run_id if active else None
        logs.name_run(self._run_id)
        if "llm_key" in pipeline.inputs():
            annotate = AnnotateParameters.model_validate(self._parameters["annotate"])
            caption = CaptionParameters.model_validate(self._parameters["caption"])
            ingest = self._parameters["ingest"]
            published = bool(ingest.get("published")) or "hawk" in ingest.get("source", ())
            look_ahead({node.name for node in pipeline.nodes}, annotate, caption, catalog.load("llm_key"), published)
        look_ahead_to_training({node.name for node in pipeline.nodes}, self._parameters, catalog)
        self._executed: set[str] = set()
        self._given_back: set[str] = set()
        self._begins: dict[str, float] = {}
        self._seconds: dict[str, float] = {}
        mlflow.log_params(settings_to_log(self._parameters, pipeline, catalog))
        if active:
            logger.info("MLflow run %s %s", active.info.run_name, self._run_id)
            mlflow.set_tags(run_tags(Path.cwd(), run_params["env"]))
        if MODEL in pipeline.inputs():
            self._tag_model(pipeline, catalog)

    @hook_impl
    def before_dataset_loaded(self, node: Node) -> None:
        """Begin to count a step's seconds: what it reads and writes counts, too."""
        self._begins.setdefault(node.name, time.perf_counter())

    @hook_impl
    def after_dataset_saved(self, node: Node) -> None:
        """Count a step's seconds up to now."""
        self._seconds[node.name] = time.perf_counter() - self._begins[node.name]

    @hook_impl
    def before_node_run(self, node: Node) -> None:
        """Say what is going on."""
        self._executed.add(node.name)
        logger.info("%s …", node.name)

    @hook_impl
    def after_node_run(self, node: Node, catalog: CatalogProtocol, inputs: dict[str, Any], outputs: dict[str, Any]) -> None:
        """Show the first things that a step refused; note a training that has given back the model of an earlier run."""
        for name, records in outputs.items():
            if name.startswith("rejected_"):
                show_rejections(records, node.name, path_of(catalog.get(name)))
                for one in records:
                    logger.warning("%s left out or changed %s: %s", node.name, one.item, one.reason, extra=logs.ONLY_IN_FILE)
        former = [value for name, value in inputs.items() if name.startswith("former_")]
        if former and list(outputs.values()) == former:
            self._given_back.add(node.name)

    @hook_impl
    def after_pipeline_run(
        self, run_params: dict[str, Any], pipeline: Pipeline, catalog: CatalogProtocol, run_result: dict[str, Any]
    ) -> None:
        """Show what was made, where it is, why the run ended before its last step if it did, and what to do next."""
        nodes = {node.name for node in pipeline.nodes}
        executed = self._executed or nodes  # processes of a parallel runner tell nothing
        ending = why_ended(pipeline, executed, catalog)
        reached = reached_nodes(pipeline, executed) if ending else nodes
        reused = (reached - executed) | self._given_back
        if self._run_id:
            tag_reused(self._run_id, reused, reached)
            if MODEL not in pipeline.inputs():
                self._tag_model(pipeline.only_nodes(*reached), catalog)
            _log_seconds(self._run_id, self._seconds)
        if not logs.is_quiet():
            show(pipeline.only_nodes(*reached), catalog, run_params["env"], ending, reused, self._seconds)
        if self._run_id:
            logger.info("All of it is in MLflow run %s (`hawk ui`).", self._run_id)

    @hook_impl
    def on_pipeline_error(self) -> None:
        """Keep the seconds of the steps that were finished."""
        if self._run_id:
            _log_seconds(self._run_id, self._seconds)

    def _tag_model(self, pipeline: Pipeline, catalog: CatalogProtocol) -> None:
        """Say in the MLflow run which model is evaluated, where it is there."""
        import mlflow

        if self._run_id and evaluates(pipeline) and catalog.exists(MODEL):
            client = mlflow.MlflowClient()
            for name, value in model_tags(catalog, Path.cwd(), mlflow.get_tracking_uri()).items():
                client.set_tag(self._run_id, name, value)


def _log_seconds(run_id: str, seconds: Mapping[str, float]) -> None:
    """Write the seconds of each step to the MLflow run: `seconds/ingest_videos` and so on."""
    import mlflow

    with told("The seconds of the steps could not be recorded"):
        mlflow.log_metrics({f"seconds/{node}": value for node, value in seconds.items()}, run_id=run_id)
