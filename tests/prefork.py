"""Commands of the environment as processes that need not import the libraries again.

Of a `kedro run` at its smallest most is the import of MLflow, torch and pandas: five seconds of a core and more, each time. Here
a process imports them once and, for each command, forks a child that runs the program's own script. Kedro and this package are
among them, but no project of Kedro's is set up beforehand: each command takes the settings of its own.

What a new interpreter would lack, because nobody imports it, a child may have; so the run that all tests look at, `small_run`, is
made by programs that are started in the usual way.
"""

import atexit
import functools
import gc
import importlib
import json
import logging
import os
import pkgutil
import runpy
import subprocess
import sys
import tempfile
from pathlib import Path

import hawk_pipelines

ROOT = Path(__file__).parents[1]
TERMINAL = {"COLUMNS": "200", "NO_COLOR": "1"}
LIBRARIES = (
    "kedro.framework.cli",
    "kedro.framework.cli.project",
    "kedro.framework.session",
    "kedro_datasets.pandas",
    "kedro_mlflow.framework.hooks",
    "mlflow.pyfunc",
    "mlflow.store.tracking.sqlalchemy_store",
    "mlflow.store.model_registry.sqlalchemy_store",
    "torch",
    "transformers.trainer",
    "transformers.generation.streamers",
    "transformers.models.auto.modeling_auto",
    "transformers.models.blip_2.modeling_blip_2",
    "transformers.models.llama.modeling_llama",
    "peft",
    "safetensors.torch",
    "matplotlib.pyplot",
    "pebble",
    "scipy.ndimage",
    "scenedetect",
    "sklearn.metrics",
    "pyarrow.parquet",
    "sacrebleu",
    "spacy",
    "cv2",
    "av",
)


def run(program: Path, arguments: list[str], folder: Path, environment: dict[str, str]) -> subprocess.CompletedProcess:
    """Like `subprocess.run([program, *arguments], cwd=folder, env=environment, capture_output=True, text=True)`."""
    with tempfile.TemporaryDirectory() as place:
        said = [str(Path(place) / name) for name in ("stdout", "stderr")]
        server = _server()
        server.stdin.write(json.dumps([str(program), arguments, str(folder), environment, *said]) + "\n")
        server.stdin.flush()
        status = int(server.stdout.readline())
        stdout, stderr = (Path(name).read_text() for name in said)
    return subprocess.CompletedProcess([str(program), *arguments], status, stdout, stderr)


@functools.cache
def _server() -> subprocess.Popen:
    environment = os.environ | TERMINAL  # Kedro looks at these when it is imported
    command = [sys.executable, "-m", "tests.prefork"]
    server = subprocess.Popen(command, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    atexit.register(server.communicate)  # it ends with its input
    return server


def _serve() -> None:
    for library in LIBRARIES:
        importlib.import_module(library)
    for module in pkgutil.walk_packages(hawk_pipelines.__path__, "hawk_pipelines."):
        if not module.name.endswith(("__main__", ".settings")):  # programs, and what reads the project's folder
            importlib.import_module(module.name)
    hawk_pipelines.language.parsing.parse("A man falls.")  # loads the parser, which every check of a draft needs
    gc.collect()
    gc.freeze()  # a child never looks for garbage among what was imported
    for line in sys.stdin:
        child = os.fork()
        if not child:
            _become(*json.loads(line))
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        sys.stdout.write(f"{status}\n")
        sys.stdout.flush()


def _become(program: str, arguments: list[str], folder: str, environment: dict[str, str], stdout: str, stderr: str) -> None:
    """Be the command: what a new interpreter would find, and then its script."""
    for number, (path, flags) in enumerate(
        [(os.devnull, os.O_RDONLY), *((said, os.O_WRONLY | os.O_CREAT) for said in (stdout, stderr))]
    ):
        os.dup2(os.open(path, flags), number)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = [program, *arguments]
    sys.path[0:1] = [str(Path(program).parent), *environment.get("PYTHONPATH", "").split(os.pathsep)]
    _forget_what_it_would_not_find(program, environment.get("PYTHONPATH", ""))
    runpy.run_path(program, run_name="__main__")
    sys.exit()


def _forget_what_it_would_not_find(program: str, source: str) -> None:
    """Drop from what was imported beforehand what a new interpreter would import otherwise, or not at all.

    Kedro sets up logging to stdout as soon as it is imported, which only `kedro` itself does at once. And where a project has a
    copy of the code, which may differ, the copy counts.
    """
    is_kedro = Path(program).name == "kedro"
    is_this_code = not source or (Path(source) / "hawk_pipelines").samefile(Path(hawk_pipelines.__file__).parent)
    if is_kedro and is_this_code:
        return
    ours = {"hawk_pipelines", "hawk_mlflow"}
    forgotten = ours if is_kedro else ours | {"kedro", "kedro_datasets", "kedro_mlflow", "kedro_telemetry"}
    for name in [name for name in sys.modules if name.partition(".")[0] in forgotten]:
        del sys.modules[name]
    if not is_kedro:
        logging.root.handlers.clear()
        logging.root.setLevel(logging.WARNING)
        for logger in logging.root.manager.loggerDict.values():
            if isinstance(logger, logging.Logger) and logger.name.partition(".")[0] in forgotten:
                logger.handlers.clear()
                logger.setLevel(logging.NOTSET)


if __name__ == "__main__":
    _serve()
