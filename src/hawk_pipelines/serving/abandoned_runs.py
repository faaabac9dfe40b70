"""MLflow runs whose process was killed: they would be left RUNNING for ever, and are closed at the next start."""

import contextlib
import json
import logging
import os
import socket
from collections.abc import Iterator

import psutil
from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.exceptions import MlflowException

logger = logging.getLogger(__name__)

OWNER = "hawk.owner"
"""The tag that says which process a run belongs to."""

_CONTEXT = "MLFLOW_RUN_CONTEXT"
"""The environment variable from which MLflow takes tags of a run when it makes it."""


def owner() -> str:
    """This process as a run's tag: machine, number, and when it began, since numbers are given again."""
    return _owner(psutil.Process(os.getpid()))


@contextlib.contextmanager
def owned_from_the_beginning() -> Iterator[None]:
    """Runs that are begun in here carry their owner from the moment in which they are there, whenever the process is killed."""
    before = os.environ.get(_CONTEXT)
    os.environ[_CONTEXT] = json.dumps({**json.loads(before or "{}"), OWNER: owner()})
    try:
        yield
    finally:
        os.environ.pop(_CONTEXT)
        if before is not None:
            os.environ[_CONTEXT] = before


def _owner(process: psutil.Process) -> str:
    return f"{socket.gethostname()}/{process.pid}/{process.create_time():.1f}"


def close_abandoned(client: MlflowClient, experiment_id: str) -> list[str]:
    """Close runs of this machine whose process is gone as KILLED, with the trainings below them.

    Runs of other machines, and those that do not say whose they are, are left alone. A training that goes on opens its run again.

    Args:
        client: of the tracking server.
        experiment_id: whose runs are looked at.

    Returns:
        Ids of the runs that were closed.
    """
    running = client.search_runs([experiment_id], "attributes.status = 'RUNNING'")
    gone = {run.info.run_id for run in running if _is_gone(run)}
    below = {run.info.run_id for run in running if run.data.tags.get("mlflow.parentRunId") in gone and OWNER not in run.data.tags}
    closed = sorted(gone | below)
    for run_id in closed:
        try:
            client.set_terminated(run_id, "KILLED")
        except MlflowException as error:  # somebody else has removed it at the same moment
            logger.warning("MLflow run %s could not be closed (%s).", run_id, " ".join(str(error).split())[:200])
    if closed:
        logger.info("%d MLflow run(s) of processes that are gone are closed as KILLED: %s.", len(closed), ", ".join(closed))
    return closed


def _is_gone(run: Run) -> bool:
    tag = run.data.tags.get(OWNER, "")
    host, _, rest = tag.rpartition("/")[0].rpartition("/")
    if host != socket.gethostname() or not rest.isdigit():
        return False
    try:
        return _owner(psutil.Process(int(rest))) != tag
    except psutil.NoSuchProcess:
        return True
    except psutil.AccessDenied:
        return False
