"""Where a Kedro run stands and where it is recorded: in the project, wherever the session was begun, and in one MLflow run,
which is closed whatever happens.
"""

import atexit
from collections.abc import Generator
from contextlib import AbstractContextManager, ExitStack, chdir, nullcontext
from pathlib import Path
from typing import Any

from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro_mlflow.framework.hooks.mlflow_hook import MlflowHook
from mlflow.entities import Run
from mlflow.exceptions import MlflowException

from hawk_pipelines import logs
from hawk_pipelines.engine.sole_writer import can_be_written, sole_writer
from hawk_pipelines.pipelines.staged_runner import Interrupted
from hawk_pipelines.serving.abandoned_runs import OWNER, close_abandoned, owned_from_the_beginning, owner
from hawk_pipelines.serving.tracking_server import (
    bound_requests,
    database_ready,
    one_attempt,
    records_folder,
    tracking_uri,
    with_server,
)
from hawk_pipelines.training.tracking import told


class TrackingHooks(MlflowHook):
    """What kedro-mlflow does: a run is begun, artefacts go into it, and it is ended."""

    @hook_impl
    def before_node_run(self) -> None:
        """Begin the run again only in another thread: here it is active, and each beginning costs a dozen queries."""
        import mlflow

        if self.run_id is not None and mlflow.active_run() is None:
            mlflow.start_run(run_id=self.run_id)

    def _log_param(self, name: str, value: object) -> None:
        """Not node by node: a run's settings are written at its beginning, and are not always those of `conf`."""


class LocationHooks:
    """Wherever a session was begun, in a notebook say, MLflow and relative paths are the project's."""

    @hook_impl(wrapper=True)
    def after_context_created(self, context: KedroContext) -> Generator[None, Any, Any]:
        """Name the tracking server for kedro-mlflow, which then makes the experiment: one process at a time."""
        self._project = Path(context.project_path)
        self._data = self._project / str(context.config_loader["globals"]["data_root"])
        records = records_folder(self._project)
        uri = tracking_uri(context.env, records)
        bound_requests()
        context.config_loader["mlflow"] = with_server(context.config_loader["mlflow"], uri, records)
        with database_ready(uri, records):
            return (yield)

    @hook_impl(wrapper=True)
    def before_pipeline_run(self) -> Generator[None, Any, Any]:
        """Stand in the project while a pipeline runs, write its data folder alone, and close runs that were killed.

        What is refused before its first step leaves a run that failed.
        """
        import mlflow

        self._opened = ExitStack()
        self._before = mlflow.active_run()  # one that somebody else has opened is theirs to close
        try:
            if can_be_written(self._data):  # where nobody can, a run may still have nothing to do
                self._opened.enter_context(sole_writer(self._data))
            self._opened.enter_context(chdir(self._project))
            with owned_from_the_beginning():
                result = yield
            if (run := mlflow.active_run()) and not self._before:
                atexit.register(_end_at_exit, run.info.run_id)
                mlflow.set_tag(OWNER, owner())  # of one that was begun before, and goes on
                _close_killed(run)
            return result
        except BaseException as error:
            with self._opened, _patience(error):
                if run := mlflow.active_run():
                    logs.name_run(run.info.run_id)
                    _close_killed(run)
                self._end_own("FAILED")  # kedro-mlflow ends it only where a step fails
            raise

    @hook_impl(wrapper=True)
    def after_pipeline_run(self) -> Generator[None, Any, Any]:
        """Go back, and end the MLflow run wholly."""
        with self._opened:
            try:
                result = yield
            except BaseException as error:
                with _patience(error):
                    self._end_own("FAILED")
                raise
            self._end_own("FINISHED")
            return result

    @hook_impl(wrapper=True)
    def on_pipeline_error(self, error: Exception) -> Generator[None, Any, Any]:
        """Go back. A server that did not answer the run is asked once, and not for minutes, to close it."""
        import mlflow

        with self._opened, _patience(error):
            run = mlflow.active_run()
            try:
                return (yield)
            finally:
                self._end_own("FAILED")
                if run and not self._before and isinstance(error, Interrupted):  # kedro-mlflow has ended it as FAILED
                    mlflow.MlflowClient().set_terminated(run.info.run_id, "KILLED")

    def _end_own(self, status: str) -> None:
        if not self._before:
            _end_as(status)


def _patience(error: BaseException) -> AbstractContextManager[None]:
    return one_attempt() if isinstance(error, MlflowException) else nullcontext()


def _end_as(status: str) -> None:
    """End the MLflow run where it is still open: MLflow itself would say at exit that it went well."""
    import mlflow

    while mlflow.active_run():  # kedro-mlflow may have opened it more than once
        with told("The MLflow run could not be ended; the next run ends it"):
            mlflow.end_run(status)


def _end_at_exit(run_id: str) -> None:
    """End a run that an interruption has left open, before MLflow itself does so and says that it went well."""
    import mlflow

    if (run := mlflow.active_run()) and run.info.run_id == run_id:
        _end_as("KILLED")


def _close_killed(run: Run) -> None:
    import mlflow

    with told("Runs that were killed could not be closed"):
        close_abandoned(mlflow.MlflowClient(), run.info.experiment_id)
