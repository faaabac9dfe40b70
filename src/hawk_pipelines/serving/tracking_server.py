"""The MLflow server, registry and files of runs: the same for `kedro run`, `hawk`, a notebook and MLflow's own pages."""

import contextlib
import copy
import logging
import os
import re
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

from filelock import FileLock, Timeout

from hawk_pipelines.errors import HawkError
from hawk_pipelines.machine_faults import writing
from hawk_pipelines.project import check_environment, check_folder, environment_settings, project_folder

logger = logging.getLogger(__name__)

_SQLITE = "sqlite:///"
_LONGEST_WAIT_S = 300
_LONGEST_HELD_S = 60
_SHORT_WAIT_S = 10
_RETRIES = "MLFLOW_HTTP_REQUEST_MAX_RETRIES"
_TIMEOUT = "MLFLOW_HTTP_REQUEST_TIMEOUT"
_NOT_CONNECTED = "failed with exception"
"""In MLflow's own words for a request that got no answer."""
_PLACES = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)
"""Tables and columns in which MLflow keeps where files are."""


class TrackingServerError(HawkError):
    """No tracking server is named, or its database is held by somebody else."""


def tracking_uri(env: str | None = None, project: Path | None = None) -> str:
    """Where MLflow's records are: `MLFLOW_TRACKING_URI`, otherwise what `mlflow.yml` of the environment or of conf/base says.

    Args:
        env: the environment; None: the one in `KEDRO_ENV`, otherwise conf/local.
        project: its folder; None: the one around the working directory.

    Returns:
        An address; one of a file is whole, so that it means the same from every folder.

    Raises:
        TrackingServerError: neither is there.
        ProjectError: there is no such environment, `mlflow.yml` cannot be read, or an address cannot hold the project's path.
    """
    project = project or project_folder()
    project = project and records_folder(project)
    if project is not None:
        check_folder(project)
    uri = os.environ.get("MLFLOW_TRACKING_URI")
    env = env or os.environ.get("KEDRO_ENV")
    if uri and project is not None:
        check_environment(project / "conf", env)
    if not uri and project is not None:
        settings = environment_settings(project, "mlflow.yml", env)
        uri = (settings.get("server") or {}).get("mlflow_tracking_uri")
    if not uri:
        where = f"{project}/conf/base/mlflow.yml names no `server.mlflow_tracking_uri`" if project else _outside()
        msg = f"{where} and MLFLOW_TRACKING_URI is not set; change into the project or set it."
        raise TrackingServerError(msg)
    return _whole(str(uri), project or Path.cwd())


def records_folder(project: Path) -> Path:
    """The project whose server, database and files of runs a project's are: itself, unless it is an experiment's copy.

    `dvc exp run --temp` and `--queue` copy a project to below its `.dvc` and remove the copy afterwards; its runs are to stay.
    """
    copied_from = os.environ.get("DVC_ROOT")  # of every stage that DVC runs
    if copied_from and project.resolve().is_relative_to(Path(copied_from).resolve() / ".dvc"):
        return Path(copied_from)
    return project


def _outside() -> str:
    return f"{Path.cwd()} is not inside a HAWK project"


def _whole(uri: str, folder: Path) -> str:
    if uri.startswith(_SQLITE):
        if not Path(uri.removeprefix(_SQLITE)).is_absolute():
            check_folder(folder)
        return f"{_SQLITE}{folder / uri.removeprefix(_SQLITE)}"  # an absolute path stays what it is
    return uri if urlparse(uri).scheme or uri.startswith("databricks") else str(folder / uri)


def with_server(settings: Mapping[str, Any], uri: str, project: Path) -> dict[str, Any]:
    """Settings of `mlflow.yml` with a tracking server; runs of a server's keep their files where the server does.

    Args:
        settings: the file's content.
        uri: of the tracking server.
        project: the folder that files are kept in, where the server is no other machine's.
    """
    result = copy.deepcopy(dict(settings))
    result["server"] = {**(result.get("server") or {}), "mlflow_tracking_uri": uri}
    created = ((result.get("tracking") or {}).get("experiment") or {}).get("create_experiment_kwargs") or {}
    location = str(created.get("artifact_location") or "")
    if location and not urlparse(location).scheme:
        if uri.startswith(("http://", "https://")):
            del created["artifact_location"]
        else:
            created["artifact_location"] = str(project.absolute() / location)
    return result


def database_file(uri: str) -> Path | None:
    """The file of a database on this machine; None for a server, a folder or another database."""
    return Path(uri.removeprefix(_SQLITE)) if uri.startswith(_SQLITE) else None


def missing_database(uri: str) -> Path | None:
    """The file of a database that is not there, which MLflow would make; None where it is, or where no file is meant."""
    database = database_file(uri)
    return None if database is None or database.is_file() else database


@contextlib.contextmanager
def database_ready(uri: str, project: Path | None = None) -> Iterator[None]:
    """A database in a file, for one process alone: MLflow has made its tables, and files of a moved project are found again.

    MLflow makes and changes tables without a lock; of processes that begin at once all but one fail, or break the database.

    Args:
        uri: of the tracking server; one that is not a file of ours is left alone.
        project: its folder; None: the one around the working directory.

    Raises:
        TrackingServerError: another process holds the database for minutes.
    """
    database = database_file(uri)
    if database is None or not database.parent.is_dir() or not os.access(database.parent, os.W_OK):
        yield
        return
    lock = FileLock(f"{database}.lock", timeout=_LONGEST_WAIT_S)
    try:
        lock.acquire()
    except Timeout as error:
        msg = f"{database} has been held by another run for {_LONGEST_WAIT_S} s ({lock.lock_file}); end that run and try again."
        raise TrackingServerError(msg) from error
    try:
        _wait_until_free(database)
        if not database.is_file() or not database.stat().st_size:  # as after an attempt on a full disk
            _make(database)
        _make_tables(uri)  # of a newer MLflow, in a database that is there
        folder = project or project_folder(database.parent)
        if folder is not None and database.is_relative_to(folder):
            _follow(database, folder.absolute())
        yield
    finally:
        lock.release()


def bound_requests() -> None:
    """Give a server that does not answer about two minutes instead of MLflow's quarter of an hour, unless the user says more."""
    os.environ.setdefault(_RETRIES, "3")
    os.environ.setdefault(_TIMEOUT, "30")
    if "HAWK_TRACEBACK" not in os.environ:  # it logs the traceback of an error of the database, and raises the error as well
        logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)


@contextlib.contextmanager
def one_attempt(wait_s: int | None = None) -> Iterator[None]:
    """Ask a server once only.

    Args:
        wait_s: so long it may take to answer; None: as long as any other request.
    """
    bounds = {_RETRIES: "0"} | ({} if wait_s is None else {_TIMEOUT: str(wait_s)})
    before = {name: os.environ.get(name) for name in bounds}
    os.environ.update(bounds)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value


def server_fault(error: BaseException, uri: str) -> TrackingServerError | None:
    """What of the tracking server is at fault in an error, for people; None where it is not the server.

    Args:
        error: of a step, or of what MLflow does around the steps.
        uri: of the server.
    """
    from mlflow.exceptions import MlflowException

    if not isinstance(error, MlflowException):
        return None
    where = _shown(uri)
    said = " ".join(str(error.message).split())[:300]
    what = f"did not take the record of this run ({said})"
    if _NOT_CONNECTED in said:  # of the connection: the address of a request says nothing to people
        what = "does not answer, and has no record of how this run ended"
    how = "what was made is kept. See to the server and run the same command again: it makes only what is missing"
    return TrackingServerError(f"MLflow at {where} {what}; {how}, and closes there as KILLED what this one left open.")


def check_server(uri: str) -> None:
    """Ask a server once whether it is there, for seconds: somebody waits for an answer. What follows is bounded by minutes.

    Args:
        uri: of the tracking server; a database or folder is not asked.

    Raises:
        TrackingServerError: it does not answer.
    """
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    bound_requests()
    if not uri.startswith(("http://", "https://")):
        return
    try:
        with one_attempt(_SHORT_WAIT_S):
            MlflowClient(uri).search_experiments(max_results=1)
    except MlflowException as error:
        if fault := no_answer(error, uri):
            raise fault from error
        raise


def no_answer(error: BaseException, uri: str) -> TrackingServerError | None:
    """What to say to somebody who asked a server that is not there; None where it did answer.

    Args:
        error: of MLflow.
        uri: of the server.
    """
    from mlflow.exceptions import MlflowException

    if not isinstance(error, MlflowException) or _NOT_CONNECTED not in str(error.message):
        return None
    msg = f"MLflow at {_shown(uri)} does not answer. Start that server, or name another one by MLFLOW_TRACKING_URI."
    return TrackingServerError(msg)


def _shown(uri: str) -> str:
    """An address without a user and password."""
    return re.sub(r"(://)[^/?#]*@", r"\1", uri)


def _wait_until_free(database: Path) -> None:
    """Wait where another process holds a database; otherwise MLflow waits in silence, and then fails in the middle of a run.

    Raises:
        TrackingServerError: it is held for a minute.
    """
    if not database.is_file():
        return
    for wait_s in (1, _LONGEST_HELD_S):
        with contextlib.closing(sqlite3.connect(database, timeout=wait_s, isolation_level=None)) as connection:
            try:
                connection.execute("BEGIN IMMEDIATE")
                connection.execute("ROLLBACK")
            except sqlite3.OperationalError as error:
                if error.sqlite_errorname not in ("SQLITE_BUSY", "SQLITE_LOCKED"):
                    return  # whoever uses it says what is wrong
            else:
                return
        if wait_s == 1:
            logger.warning("%s is held by another process; it is waited for for up to %d s.", database, _LONGEST_HELD_S)
    msg = f"{database} has been held by another process for {_LONGEST_HELD_S} s; end that one, and run the same command again."
    raise TrackingServerError(msg)


def _make(database: Path) -> None:
    """Make an empty database beside its place first: MLflow can neither use nor mend one that it could not finish."""
    prefix = f".{database.name}.new-"
    for leftover in database.parent.glob(f"{prefix}*"):  # of a process that was killed
        shutil.rmtree(leftover)
    with writing(database), tempfile.TemporaryDirectory(dir=database.parent, prefix=prefix) as folder:
        new = Path(folder) / database.name  # of another name each time, since MLflow keeps files open
        _make_tables(f"{_SQLITE}{new}")
        new.replace(database)


def _make_tables(uri: str) -> None:
    from mlflow import MlflowClient

    MlflowClient(uri).search_experiments(max_results=1)


def _follow(database: Path, project: Path) -> None:
    """Bring the places of files to where the project is: MLflow keeps them from the file system's root.

    A project that was moved or copied would otherwise look for its models in the old place, and write there.
    """
    with contextlib.closing(sqlite3.connect(database, timeout=60)) as connection, connection:
        columns = [(table, column) for table, column in _PLACES if _has(connection, table, column)]
        locations = connection.execute("SELECT DISTINCT artifact_location FROM experiments").fetchall()
        for location in [str(value) for (value,) in locations]:
            here = _here(location, project)
            if here is None or not _has_files(connection, columns, location, here):
                continue
            logger.warning("The project was moved or copied: files of MLflow's runs are in %s now, not in %s.", here, location)
            for table, column in columns:
                connection.execute(
                    f"UPDATE {table} SET {column} = ? || substr({column}, ?) "  # noqa: S608 (names of ours)
                    f"WHERE {column} = ? OR substr({column}, 1, ?) = ?",
                    (here, len(location) + 1, location, len(location) + 1, f"{location}/"),
                )


def _has(connection: sqlite3.Connection, table: str, column: str) -> bool:
    return column in {row[1] for row in connection.execute(f"PRAGMA table_info({table})")}


def _here(location: str, project: Path) -> str | None:
    """Where a folder of files is now, written as it was; None where it is in its place, or is not the project's."""
    address = urlparse(location)
    if address.scheme not in ("", "file"):
        return None
    here = project / _path(location).name
    now = here.as_uri() if address.scheme else str(here)
    return now if now != location and here.is_dir() else None


def _has_files(connection: sqlite3.Connection, columns: list[tuple[str, str]], location: str, here: str) -> bool:
    """Whether a folder holds something that the database says is in another one; where it says nothing: whether that is gone."""
    inside = f"{location}/"
    kept: list[str] = []
    for table, column in columns:
        query = f"SELECT {column} FROM {table} WHERE substr({column}, 1, ?) = ?"  # noqa: S608 (names of ours)
        kept += [str(value) for (value,) in connection.execute(query, (len(inside), inside))]
    if not kept:
        return not _path(location).exists()
    return any((_path(here) / _path(value).relative_to(_path(location))).exists() for value in kept)


def _path(location: str) -> Path:
    return Path(unquote(urlparse(location).path) if location.startswith("file:") else location)
