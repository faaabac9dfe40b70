"""Commands of the environment as processes that need not import the libraries again.

Of a `kedro run` at its smallest most is the import of MLflow, torch and pandas: five seconds of a core and more, each time. Here
a process imports them once and, for each command, forks a child that runs the program's own script. Kedro and the project's
package are not among what is imported beforehand: each command takes them from its own project, with its own settings.

What a new interpreter would lack, because nobody imports it, a child may have; so the run that all tests look at, `small_run`, is
made by programs that are started in the usual way.
"""

import atexit
import functools
import importlib
import json
import os
import runpy
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
LIBRARIES = (
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
    server = subprocess.Popen(
        [sys.executable, "-m", "tests.prefork"], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    atexit.register(server.communicate)  # it ends with its input
    return server


def _serve() -> None:
    for library in LIBRARIES:
        importlib.import_module(library)
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
    runpy.run_path(program, run_name="__main__")
    sys.exit()


if __name__ == "__main__":
    _serve()
